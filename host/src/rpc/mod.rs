//! The wire: a JSON body to a call, its outcome to the envelope.

mod envelope;
mod route;

pub use envelope::{Code, Envelope};

use serde_json::{Map, Value};
use tracing::Instrument as _;
use wasmtime::component::Val;

use crate::logic::{Export, Logic, Outcome, Reply};
use route::{Target, Unroutable};

/// Answers the request with this path and body. Every body has an answer, however malformed.
pub async fn answer(logic: &Logic, path: &str, body: &[u8]) -> Envelope {
    let object = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Envelope::failure(Code::PARAMETER, "body: expected a JSON object"),
        // serde_json's own message tells line and column and quotes nothing of the body.
        Err(error) => {
            return Envelope::failure(Code::PARAMETER, &format!("body: expected a JSON object ({error})"));
        }
    };
    let target = match Target::new(path, &object) {
        Ok(target) => target,
        Err(Unroutable::Parameter(message)) => return Envelope::failure(Code::PARAMETER, &message),
        Err(Unroutable::Unknown(message)) => return Envelope::failure(Code::NOT_IMPLEMENTED, &message),
    };
    let generation = logic.generation();
    let Some(route) = generation.method(target.module.as_deref(), &target.method) else {
        return Envelope::failure(Code::NOT_IMPLEMENTED, &format!("{target}: no such interface method"));
    };
    let params = match params(route.export(), &object) {
        Ok(params) => params,
        Err(error) => return Envelope::failure(Code::PARAMETER, &error.to_string()),
    };
    let id = logic.call_id();
    let span = tracing::debug_span!(
        "call",
        call_id = %id,
        method = %route.export().function,
        module = %route.module.name,
        version = %route.module.version,
        code = tracing::field::Empty,
    );
    async {
        let answer = match logic.call(route, &params, &id).await {
            Ok(outcome) => reply(&route.export().reply, outcome),
            Err(error) => {
                tracing::error!(
                    call_id = %id,
                    method = %route.export().function,
                    module = %route.module.name,
                    version = %route.module.version,
                    %error,
                    "call failed"
                );
                Envelope::failure(Code::FAILURE, &format!("failed; the log tells why under call {id}"))
            }
        };
        tracing::Span::current().record("code", answer.code());
        answer
    }
    .instrument(span)
    .await
}

fn params(export: &Export, object: &Map<String, Value>) -> Result<Vec<Val>, crate::codec::DecodeError> {
    export
        .params
        .iter()
        .map(|(name, decoder)| decoder.decode_member(object, name))
        .collect()
}

fn reply(reply: &Reply, outcome: Outcome) -> Envelope {
    match (reply, outcome) {
        (Reply::Value(encoder) | Reply::Fallible { ok: Some(encoder), .. }, Outcome::Done(Some(value))) => {
            Envelope::success(|out| encoder.encode(&value, out))
        }
        (_, Outcome::Done(_)) => Envelope::success(|out| out.extend_from_slice(b"null")),
        (reply, Outcome::Failed(error)) => match error.as_ref().and_then(coded) {
            Some((code, message)) => Envelope::failure(Code(code), message),
            None => {
                // An error of the module's own shape has no code of its own.
                let mut text = Vec::new();
                if let (Reply::Fallible { err: Some(encoder), .. }, Some(value)) = (reply, &error) {
                    encoder.encode(value, &mut text);
                }
                Envelope::failure(Code::OTHER, &String::from_utf8_lossy(&text))
            }
        },
    }
}

/// The code and message of an `error { code: s32, message: string }`.
fn coded(error: &Val) -> Option<(i32, &str)> {
    let Val::Record(fields) = error else {
        return None;
    };
    let field = |name| fields.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    match (field("code"), field("message")) {
        (Some(Val::S32(code)), Some(Val::String(message))) => Some((*code, message)),
        _ => None,
    }
}
