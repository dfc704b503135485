//! Module bytes in a request's body: one module, or several one after the other, and a recording
//! after them.

use std::time::Duration;

use http::StatusCode;
use http_body_util::BodyExt as _;
use stowage_logic::MAX_MODULE_BYTES;
use tokio::time::timeout;

use super::parameters::Parameters;
use super::problem::Problem;
use crate::server::Body;
use stowage_deploy::Source;

/// Most bytes of a body with modules. One module may have half of them.
pub(super) const MAX_BODY_BYTES: usize = 2 * MAX_MODULE_BYTES;

/// How long the next piece of a body may take.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of a text that says where a module came from.
const MAX_FROM_BYTES: usize = 4096;

/// The parts of a body, as the query describes them.
#[derive(Debug)]
pub(super) struct Layout {
    /// Name and `from` of every module.
    modules: Vec<(String, String)>,
    /// Bytes of every module; none if the body is one module.
    sizes: Option<Vec<usize>>,
    /// Bytes of the recording after the modules; none if the query names no recording.
    recording: Option<usize>,
}

impl Layout {
    /// Takes `name`, `size` and `from`, each once per module, and `recording` if it is allowed.
    pub(super) fn take(parameters: &mut Parameters, with_recording: bool) -> Result<Layout, Problem> {
        const SIZE: &str = "a whole number of bytes";
        let names = parameters.all("name");
        if names.is_empty() || names.iter().any(String::is_empty) {
            return Err(Problem::parameter("name", "the name of a module"));
        }
        if names.iter().enumerate().any(|(i, name)| names[..i].contains(name)) {
            return Err(Problem::parameter("name", "each module once"));
        }
        let mut from = parameters.all("from");
        if from.is_empty() {
            from = vec!["upload".to_owned(); names.len()];
        }
        if from.len() != names.len() || from.iter().any(|text| text.is_empty() || text.len() > MAX_FROM_BYTES) {
            return Err(Problem::parameter("from", "one for each name, at most 4096 bytes"));
        }
        let recording = if with_recording {
            parameters.one::<usize>("recording", SIZE)?
        } else {
            None
        };
        let sizes: Vec<usize> = parameters
            .all("size")
            .iter()
            .map(|text| text.parse().map_err(|_| Problem::parameter("size", SIZE)))
            .collect::<Result<_, _>>()?;
        let sizes = if sizes.is_empty() && names.len() == 1 && recording.is_none() {
            None
        } else if sizes.len() == names.len() {
            Some(sizes)
        } else {
            return Err(Problem::parameter("size", "one for each name"));
        };
        Ok(Layout {
            modules: names.into_iter().zip(from).collect(),
            sizes,
            recording,
        })
    }

    /// Requires exactly one module.
    pub(super) fn single(self) -> Result<Layout, Problem> {
        match self.modules.len() {
            1 => Ok(self),
            _ => Err(Problem::parameter("name", "one module")),
        }
    }

    /// Splits a body into the modules and the recording.
    pub(super) fn cut(self, mut body: Vec<u8>) -> Result<(Vec<Source>, Option<Vec<u8>>), Problem> {
        let sizes = self.sizes.unwrap_or_else(|| vec![body.len()]);
        let whole = sizes
            .iter()
            .try_fold(self.recording.unwrap_or(0), |sum, size| sum.checked_add(*size));
        if whole != Some(body.len()) {
            return Err(Problem::parameter(
                "size",
                &format!("sizes that add up to the body's {} bytes", body.len()),
            ));
        }
        // From the end, so that each byte is copied at most once.
        let recording = self.recording.map(|size| body.split_off(body.len() - size));
        let mut sources = Vec::with_capacity(sizes.len());
        for ((name, from), size) in self.modules.into_iter().zip(sizes).rev() {
            if size > MAX_MODULE_BYTES {
                return Err(too_large(&name));
            }
            let bytes = body.split_off(body.len() - size);
            sources.push(Source { name, bytes, from });
        }
        sources.reverse();
        Ok((sources, recording))
    }
}

fn too_large(name: &str) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("{name}: expected at most {} MiB", MAX_MODULE_BYTES >> 20),
    )
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(mut body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    loop {
        let frame = timeout(READ_TIMEOUT, body.frame())
            .await
            .map_err(|_| Problem::new(StatusCode::REQUEST_TIMEOUT, "body: it did not arrive in time"))?;
        let Some(frame) = frame else {
            return Ok(bytes);
        };
        let frame = frame.map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "body: the connection ended before the body did",
            )
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > limit - bytes.len() {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("body: expected at most {limit} bytes"),
            ));
        }
        bytes.extend_from_slice(&data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(query: &str, with_recording: bool) -> Result<Layout, Problem> {
        let mut parameters = Parameters::of_query(query)?;
        let layout = Layout::take(&mut parameters, with_recording)?;
        parameters.end().map(|()| layout)
    }

    type Cut = (Vec<(String, String)>, Option<String>);

    fn cut(query: &str, body: &str) -> Result<Cut, Problem> {
        let (sources, rest) = layout(query, true)?.cut(body.as_bytes().to_vec())?;
        let text = |bytes| String::from_utf8(bytes).expect("text");
        let sources = sources.into_iter().map(|s| (s.name, text(s.bytes))).collect();
        Ok((sources, rest.map(text)))
    }

    #[test]
    fn modules_follow_one_another() {
        let named = |name: &str, bytes: &str| (name.to_owned(), bytes.to_owned());
        assert_eq!(cut("name=a", "xyz").expect("whole"), (vec![named("a", "xyz")], None));
        assert_eq!(
            cut("name=a&size=3&recording=0", "xyz").expect("whole"),
            (vec![named("a", "xyz")], Some(String::new())),
            "an empty recording differs from none"
        );
        assert_eq!(
            cut("name=a&size=2&name=b&size=0&name=c&size=1&recording=3", "aacrrr").expect("whole"),
            (
                vec![named("a", "aa"), named("b", ""), named("c", "c")],
                Some("rrr".to_owned())
            )
        );
        let (sources, _) = layout("name=a&from=/x/a.wasm", false)
            .expect("valid")
            .cut(vec![1])
            .expect("whole");
        assert_eq!(sources[0].from, "/x/a.wasm");
    }

    #[test]
    fn sizes_that_do_not_fit_the_body_are_refused() {
        for (query, body) in [
            ("", "x"),
            ("name=", "x"),
            ("name=a&name=a&size=1&size=1", "xx"),
            ("name=a&name=b", "xx"),
            ("name=a&name=b&size=1", "xx"),
            ("name=a&size=1", "xx"),
            ("name=a&size=3", "xx"),
            ("name=a&size=-1", "xx"),
            ("name=a&recording=1", "xx"),
            ("name=a&size=1&recording=2", "xx"),
            ("name=a&size=18446744073709551615&name=b&size=3", "xx"),
            ("name=a&from=x&from=y", "xx"),
        ] {
            let problem = cut(query, body).expect_err(query);
            assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{query}");
        }
        assert!(
            layout("name=a&size=1&recording=1", false).is_err(),
            "no recording is allowed here"
        );
        assert!(
            layout("name=a&size=1&name=b&size=1", false)
                .and_then(Layout::single)
                .is_err()
        );
        let large = layout("name=a", false)
            .expect("valid")
            .cut(vec![0; MAX_MODULE_BYTES + 1]);
        assert_eq!(large.expect_err("too large").status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
