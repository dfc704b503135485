//! The module that stores files: what the host asks it.

use async_trait::async_trait;
use serde::Deserialize;
use stowage_logic::{CallError, Outcome};
use stowage_transfer::Received;
use wasmtime::component::Val;

use super::fields::{FileFields, Scalar};
use crate::hooks::Hooks;

/// The interface that the module exports.
const INTERFACE: &str = "files-hook";

/// What the host asks the module that stores files. Each question is a transaction of its own.
#[async_trait]
pub(crate) trait FileHook: Send + Sync {
    /// Whether the fields of a file are right, before its bytes arrive.
    async fn check(&self, file: &FileFields) -> Result<(), Failure>;

    /// Begins the upload of a file whose bytes have arrived. A repeated call has the same `id`.
    async fn store(&self, id: &str, file: &FileFields, received: &Received) -> Result<Stored, Failure>;

    /// The file with this hash; of this platform, or of any.
    async fn find(&self, hash: &str, platform: Option<u8>) -> Result<Found, Failure>;
}

/// Why a file is not taken, or not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// A code of the API.
    pub(crate) code: i32,
    /// What was wrong, for a person.
    pub(crate) message: String,
    /// Whether the module decided it. If not, the same question may have another answer later.
    pub(crate) is_decision: bool,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stored {
    /// The task that uploads it.
    pub(crate) task_id: String,
    /// Base58 of the SHA-256 of the stored bytes.
    pub(crate) hash: String,
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Found {
    /// Its name.
    pub(crate) name: String,
    /// Whether the stored bytes are an `age` file.
    pub(crate) protected: bool,
}

#[async_trait]
impl FileHook for Hooks {
    async fn check(&self, file: &FileFields) -> Result<(), Failure> {
        self.ask("check", &description(file)).await.map(drop)
    }

    async fn store(&self, id: &str, file: &FileFields, received: &Received) -> Result<Stored, Failure> {
        let mut params = vec![Val::String(id.to_owned())];
        params.extend(description(file));
        params.push(Val::Record(vec![
            member("id", Val::String(received.id.clone())),
            member("name", Val::String(file.name.clone())),
            member("hash", Val::String(received.hash.to_string())),
            member("size", Val::U64(received.size)),
            member("protected", Val::Bool(received.protected)),
        ]));
        decode(&self.ask("store", &params).await?)
    }

    async fn find(&self, hash: &str, platform: Option<u8>) -> Result<Found, Failure> {
        let platform = platform.map(|platform| Box::new(Val::U8(platform)));
        let params = [Val::String(hash.to_owned()), Val::Option(platform)];
        decode(&self.ask("find", &params).await?)
    }
}

impl Hooks {
    /// Calls the function, and returns its value as JSON.
    async fn ask(&self, function: &str, params: &[Val]) -> Result<Vec<u8>, Failure> {
        let generation = self.logic.generation();
        let id = self.logic.call_id();
        let Some(route) = generation.hook(INTERFACE, function) else {
            return Err(Failure {
                code: 300,
                message: "no module stores files: none exports files-hook".to_owned(),
                is_decision: false,
            });
        };
        match self.logic.call(route, params, &id).await {
            Ok(Outcome::Done(json)) => Ok(json),
            Ok(outcome) => {
                let (code, message) = outcome.error().unwrap_or((700, "the module refused the file"));
                Err(Failure {
                    // The code of success would say that something was kept.
                    code: if code == 200 { 700 } else { code },
                    message: message.to_owned(),
                    is_decision: true,
                })
            }
            Err(error) => Err(failed(function, &id.to_string(), &error)),
        }
    }
}

fn failed(function: &str, call_id: &str, error: &CallError) -> Failure {
    tracing::error!(call_id, function, %error, "the files hook of a module failed");
    Failure {
        code: 500,
        message: format!("failed; the log tells why under call {call_id}"),
        is_decision: false,
    }
}

fn decode<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|error| {
        tracing::error!(%error, "the files hook of a module answers in another form");
        Failure {
            code: 500,
            message: "the module that stores files is not as this host expects it".to_owned(),
            is_decision: false,
        }
    })
}

fn member(name: &str, value: Val) -> (String, Val) {
    (name.to_owned(), value)
}

/// The parameters that describe a file: platform, name and fields.
fn description(file: &FileFields) -> Vec<Val> {
    let fields = file.fields.iter().map(|(name, value)| {
        let (case, value) = match value {
            Scalar::Text(text) => ("text", Val::String(text.clone())),
            Scalar::Integer(number) => ("integer", Val::S64(*number)),
            Scalar::Boolean(flag) => ("boolean", Val::Bool(*flag)),
        };
        let value = Val::Variant(case.to_owned(), Some(Box::new(value)));
        Val::Record(vec![member("name", Val::String(name.clone())), member("value", value)])
    });
    vec![
        Val::U8(file.platform),
        Val::String(file.name.clone()),
        Val::List(fields.collect()),
    ]
}
