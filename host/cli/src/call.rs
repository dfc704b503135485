//! `stowage call`: one API call against the running server.

use std::io::Read;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Map, Value};
use url::Url;

use super::locate::ClientArgs;
use super::reply::refusal_hint;
use super::{API_ERROR, completion, output};

/// The most bytes of parameters that are read from stdin.
const MAX_STDIN_BYTES: u64 = 64 << 20;

/// One API call against the running server
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
                        stowage call getStorageSpaceInfo\n  \
                        stowage call getImFavoriteList '{\"favId\":\"1\",\"type\":0,\"page\":1,\"pageSize\":20}'\n  \
                        stowage call transferApi/listTasks '{\"page\":1,\"pageSize\":20}' --json")]
pub struct CallArgs {
    /// Which server
    #[command(flatten)]
    pub client: ClientArgs,
    /// The method, for example getImFavoriteFolders; MODULE/METHOD if several modules have it
    #[arg(value_name = "METHOD", add = completion::methods())]
    pub method: String,
    /// The parameters as a JSON object; `-` reads them from stdin
    #[arg(value_name = "JSON")]
    pub parameters: Option<String>,
    /// Print the answer as the server sent it, on one line
    #[arg(long)]
    pub json: bool,
}

impl CallArgs {
    /// Calls the method and prints the envelope.
    ///
    /// # Errors
    /// The parameters are no JSON object, or no server answered.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let parameters = match self.parameters.as_deref() {
            None => "{}".to_owned(),
            Some("-") => read_stdin().await?,
            Some(text) => text.to_owned(),
        };
        let call = Call::new(&self.method, &parameters)?;
        let reply = self
            .client
            .client()?
            .post(&call.path, &Value::Object(call.body))
            .await?;
        let envelope = reply.envelope()?;
        // As the server sent it. It is JSON, because the envelope was parsed.
        let text = String::from_utf8_lossy(&reply.body);
        match self.json {
            true => output::line(&text)?,
            false => output::line(&output::indented(&text))?,
        };
        if reply.status != 200 {
            eprintln!(
                "the server refused the request (HTTP {}){}",
                reply.status,
                refusal_hint(reply.status)
            );
        }
        Ok(match envelope.is_success() && reply.status == 200 {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(API_ERROR),
        })
    }
}

async fn read_stdin() -> anyhow::Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .take(MAX_STDIN_BYTES + 1)
            .read_to_string(&mut text)
            .map(|_| text)
    });
    let text = read.await?.context("the parameters cannot be read from stdin")?;
    if text.len() as u64 > MAX_STDIN_BYTES {
        bail!("the parameters on stdin are longer than {} MiB", MAX_STDIN_BYTES >> 20);
    }
    Ok(text)
}

/// The request of a call.
#[derive(Debug, PartialEq)]
struct Call {
    path: String,
    body: Map<String, Value>,
}

impl Call {
    /// Parses the parameters, and adds the method, and the module if one is named, unless they are
    /// there already.
    fn new(method: &str, parameters: &str) -> anyhow::Result<Self> {
        let (module, name) = match method.split_once('/') {
            Some((module, name)) => (Some(module), name),
            None => (None, method),
        };
        if module.is_some_and(str::is_empty) || name.is_empty() || name.contains('/') {
            bail!("`{method}` is no method: write METHOD or MODULE/METHOD, for example getImFavoriteFolders");
        }
        let parsed: Value = serde_json::from_str(parameters)
            .context("the parameters are no JSON: write them as one quoted object, for example '{\"page\":1}'")?;
        let Value::Object(mut body) = parsed else {
            bail!("the parameters must be a JSON object, for example '{{\"page\": 1, \"pageSize\": 10}}'");
        };
        let mut path = Vec::new();
        if let Some(module) = module {
            body.entry("__SERVER_ROUTE_MODULE").or_insert_with(|| module.into());
            path.push(module);
        }
        body.entry("__SERVER_ROUTE_METHOD").or_insert_with(|| name.into());
        path.push(name);
        let path = encoded(&path);
        Ok(Self { path, body })
    }
}

/// The absolute path with these segments, percent-encoded.
fn encoded(segments: &[&str]) -> String {
    let mut url = Url::parse("http://server/").expect("a constant that is a URL");
    url.path_segments_mut()
        .expect("http URLs have a path")
        .clear()
        .extend(segments);
    url.path().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        call: CallArgs,
    }

    fn body(method: &str, parameters: &str) -> Value {
        Value::Object(Call::new(method, parameters).expect("a call").body)
    }

    #[test]
    fn the_route_is_added_to_the_parameters() {
        assert_eq!(
            body("getImFavoriteFolders", r#"{"page":1}"#),
            json!({"__SERVER_ROUTE_METHOD": "getImFavoriteFolders", "page": 1})
        );
    }

    #[test]
    fn a_route_in_the_parameters_stays_as_it_is() {
        let given = r#"{"__SERVER_ROUTE_MODULE":"other","__SERVER_ROUTE_METHOD":"x"}"#;
        assert_eq!(
            body("y", given),
            json!({"__SERVER_ROUTE_MODULE": "other", "__SERVER_ROUTE_METHOD": "x"})
        );
    }

    #[test]
    fn a_method_of_another_module_is_named_with_a_slash() {
        let call = Call::new("weather/forecast", "{}").expect("a call");
        assert_eq!(call.path, "/weather/forecast");
        assert_eq!(call.body["__SERVER_ROUTE_MODULE"], "weather");
        assert_eq!(call.body["__SERVER_ROUTE_METHOD"], "forecast");
    }

    #[test]
    fn the_dollar_of_a_documented_method_survives_in_the_path() {
        let call = Call::new("initStorage$IMDataFromSdk", "{}").expect("a call");
        assert_eq!(call.path, "/initStorage$IMDataFromSdk");
    }

    #[test]
    fn odd_characters_of_a_method_cannot_leave_its_segment() {
        assert_eq!(encoded(&["a b?c#d"]), "/a%20b%3Fc%23d");
    }

    #[test]
    fn parameters_that_are_no_object_are_refused() {
        for text in ["", "{", "[]", "1", "null", "\"x\""] {
            assert!(Call::new("m", text).is_err(), "{text}");
        }
        for method in ["", "/m", "a/", "a/b/c"] {
            assert!(Call::new(method, "{}").is_err(), "{method}");
        }
    }

    #[test]
    fn the_command_line_is_method_json_and_options() {
        let program = Program::try_parse_from([
            "call",
            "--server",
            "http://127.0.0.1:1",
            "deleteImBackups",
            "{\"unique\":\"x\"}",
            "--json",
        ])
        .expect("valid arguments");
        assert_eq!(program.call.method, "deleteImBackups");
        assert_eq!(program.call.parameters.as_deref(), Some("{\"unique\":\"x\"}"));
        assert!(program.call.json);
        let program = Program::try_parse_from(["call", "m", "-"]).expect("valid arguments");
        assert_eq!(program.call.parameters.as_deref(), Some("-"));
        assert!(Program::try_parse_from(["call"]).is_err());
    }
}
