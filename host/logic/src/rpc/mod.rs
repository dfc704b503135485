//! The wire: a JSON body to a call, its outcome to the envelope.

mod body;
mod envelope;
mod route;

pub use envelope::{Code, Envelope};

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};
use tracing::Instrument as _;
use wasmtime::component::Val;

use crate::codec::Failure;
use crate::response_cache::Answer;
use crate::{Export, Generation, Logic, Outcome, Route};
use route::{Target, Unroutable, decode_path};

/// Answers the request with this path and body. Every body has an answer, however malformed.
pub async fn answer(logic: &Logic, path: &str, body: Bytes) -> Envelope {
    let generation = logic.generation();
    let answers = generation.answers();
    if let Some(json) = answers.find(path, &body) {
        // It waited for nothing: a client that asks on and on must let others have the thread all the same.
        tokio::task::coop::consume_budget().await;
        return Envelope::again(json);
    }
    // Parsed JSON takes many times its length: none of it is kept while the call waits.
    let prepared = prepare(&generation, path, &body);
    let short_body = answers.takes(path, &body).then_some(body);
    let (route, params) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return refusal,
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
        let answer = match logic.call_lasting(&route, &params, &id).await {
            Ok((outcome, freshness)) => {
                let envelope = reply(outcome);
                if let (Some(freshness), Some(body), Code::SUCCESS) = (freshness, &short_body, envelope.code) {
                    answers.keep(
                        path,
                        body,
                        Answer {
                            json: envelope.json().clone(),
                            freshness,
                            module: Arc::clone(&route.module),
                        },
                    );
                }
                envelope
            }
            Err(error) => {
                route.module.log_failure(|| {
                    tracing::error!(
                        call_id = %id,
                        method = %route.export().function,
                        module = %route.module.name,
                        version = %route.module.version,
                        %error,
                        "call failed"
                    );
                });
                Envelope::failure(Code::FAILURE, &format!("failed; the log tells why under call {id}"))
            }
        };
        tracing::Span::current().record("code", answer.code());
        answer
    }
    .instrument(span)
    .await
}

/// Parses, routes and decodes, without waiting for anything: no more of these exist at once than threads.
fn prepare(generation: &Generation, path: &str, body: &[u8]) -> Result<(Route, Vec<Val>), Envelope> {
    let parameter = |message: &str| Envelope::failure(Code::PARAMETER, message);
    let object = match body::parse(body) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(parameter("body: expected a JSON object")),
        // serde_json's own message tells line and column and quotes nothing of the body.
        Err(error) => return Err(parameter(&format!("body: expected a JSON object ({error})"))),
    };
    let refused = |unroutable| match unroutable {
        Unroutable::Parameter(message) => parameter(&message),
        Unroutable::Unknown(message) => Envelope::failure(Code::NOT_IMPLEMENTED, &message),
    };
    let path = decode_path(path).map_err(refused)?;
    let target = Target::new(&path, &object).map_err(refused)?;
    let route = generation
        .method(target.module, target.method)
        .ok_or_else(|| Envelope::failure(Code::NOT_IMPLEMENTED, &format!("{target}: no such interface method")))?;
    let params = params(route.export(), &object).map_err(|error| parameter(&error.to_string()))?;
    Ok((route.clone(), params))
}

fn params(export: &Export, object: &Map<String, Value>) -> Result<Vec<Val>, crate::codec::DecodeError> {
    export
        .params
        .iter()
        .map(|(name, decoder)| decoder.decode_member(object, name))
        .collect()
}

fn reply(outcome: Outcome) -> Envelope {
    match outcome {
        Outcome::Done(json) => Envelope::success(&json),
        Outcome::Failed(Failure { coded, json }) => match coded {
            // An error that claims success would say that something was kept.
            Some((code, message)) if code != Code::SUCCESS.0 => Envelope::failure(Code(code), &message),
            Some((_, message)) => Envelope::failure(Code::OTHER, &message),
            // An error of the module's own shape has no code of its own.
            None => Envelope::failure(Code::OTHER, &String::from_utf8_lossy(&json)),
        },
    }
}
