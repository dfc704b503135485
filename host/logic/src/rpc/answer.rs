//! Answers a request: from the response cache, or with a call.

use bytes::Bytes;
use serde_json::{Map, Value};
use tracing::Instrument as _;
use wasmtime::component::Val;

use super::body;
use super::envelope::{Code, Envelope};
use super::method_name::{MethodName, Unroutable, decode_path};
use crate::api::call_id::CallId;
use crate::api::error::CallError;
use crate::api::invocation::PlainInvocation;
use crate::codec::{DecodeError, Failure, Outcome};
use crate::logic::Logic;
use crate::printable::printable;
use crate::response_cache::CachedResponse;
use crate::routing::generation::Generation;
use crate::routing::route::Route;
use crate::spans;

/// Answers the request with this path and body. Every request gets an answer, even if it is
/// malformed.
pub async fn answer(logic: &Logic, path: &str, body: Bytes) -> Envelope {
    let generation = logic.generation();
    let responses = generation.responses();
    // If a cached response is still valid, return it.
    if let Some(json) = responses.get(path, &body) {
        // Nothing was awaited. A client that sends many requests must let other tasks run.
        tokio::task::coop::consume_budget().await;
        return Envelope::cached(json);
    }
    // Parsed JSON is much larger than its text, so it is dropped before the call waits.
    let prepared = prepare(logic, &generation, path, &body);
    let short_body = responses.accepts(path, &body).then_some(body);
    let (route, params) = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return refusal,
    };
    let id = logic.call_id();
    let span = spans::call(route.function(), id, generation.number());
    let call = &span;
    async {
        let envelope = match logic.invoke(&route, &PlainInvocation(&params), None, &id, call).await {
            Ok(output) => {
                let envelope = to_envelope(output.outcome);
                if let (Some(tables), Some(body)) = (output.cacheable, &short_body) {
                    let response = CachedResponse {
                        json: envelope.clone().into_json(),
                        tables,
                        function: route.function().clone(),
                    };
                    responses.insert(path, body, response);
                }
                envelope
            }
            Err(error) => {
                log_failure(&route, id, &error);
                Envelope::failure(Code::FAILURE, &format!("failed; the log tells why under call {id}"))
            }
        };
        spans::ended(call, envelope.code());
        envelope
    }
    .instrument(span.clone())
    .await
}

fn log_failure(route: &Route, id: CallId, error: &CallError) {
    let module = route.module();
    module.log_failure(|| {
        tracing::error!(
            call_id = %id,
            method = %route.export().function,
            module = %module.name,
            version = %module.version,
            error = printable(&error.to_string()),
            "call failed"
        );
    });
}

/// Parses, routes and decodes a request. It awaits nothing, so each thread has at most one parsed
/// body.
fn prepare(logic: &Logic, generation: &Generation, path: &str, body: &[u8]) -> Result<(Route, Vec<Val>), Envelope> {
    let (route, object) = find_route(generation, path, body).inspect_err(|refusal| {
        logic.count_refused(refusal.code());
    })?;
    let params = route
        .export()
        .params
        .iter()
        .map(|(name, decoder)| decoder.decode_member(&object, name))
        .collect::<Result<_, DecodeError>>();
    match params {
        Ok(params) => Ok((route.clone(), params)),
        Err(error) => {
            route.function().count_malformed();
            Err(Envelope::failure(Code::PARAMETER, &error.to_string()))
        }
    }
}

/// Parses a request and finds the route that it means.
fn find_route<'g>(
    generation: &'g Generation,
    path: &str,
    body: &[u8],
) -> Result<(&'g Route, Map<String, Value>), Envelope> {
    let parameter = |message: &str| Envelope::failure(Code::PARAMETER, message);
    let object = match body::parse(body) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(parameter("body: expected a JSON object")),
        // serde_json's message names line and column, and quotes nothing of the body.
        Err(error) => return Err(parameter(&format!("body: expected a JSON object ({error})"))),
    };
    let refused = |unroutable| match unroutable {
        Unroutable::Parameter(message) => parameter(&message),
        Unroutable::Unknown(message) => Envelope::failure(Code::NOT_IMPLEMENTED, &message),
    };
    let path = decode_path(path).map_err(refused)?;
    let name = MethodName::new(&path, &object).map_err(refused)?;
    let route = generation
        .method(name.module, name.method)
        .ok_or_else(|| Envelope::failure(Code::NOT_IMPLEMENTED, &format!("{name}: no such interface method")))?;
    Ok((route, object))
}

fn to_envelope(outcome: Outcome) -> Envelope {
    match outcome {
        Outcome::Done(json) => Envelope::success(&json),
        Outcome::Failed(Failure { coded, json }) => match coded {
            // An error with the code of success would say that something was kept.
            Some((code, message)) if code != Code::SUCCESS.0 => Envelope::failure(Code(code), &message),
            Some((_, message)) => Envelope::failure(Code::OTHER, &message),
            // An error of the module's own type has no code.
            None => Envelope::failure(Code::OTHER, &String::from_utf8_lossy(&json)),
        },
    }
}
