//! Functions of modules that the host itself calls: rows of a sync, steps of an upload. Each call is a transaction of its own.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use stowage_cloud::{Applied, Batch, RowSink, SinkError};
use stowage_logic::codec::Decoder;
use stowage_logic::{CallError, Invocation, Logic, Outcome};
use stowage_storage::Transaction;
use stowage_transfer::{HookError, Refusal, UploadHook, UploadRequest};
use wasmtime::component::Val;

/// The modules as the cloud and the transfers see them.
#[derive(Clone)]
pub struct Hooks(pub Logic);

/// A batch of rows for the module that keeps their collection.
struct RowInvocation<'a> {
    batch: &'a Batch,
    row: Decoder,
    skipped: AtomicU32,
}

impl Invocation for RowInvocation<'_> {
    fn params(&self, transaction: &mut Transaction) -> Result<Cow<'_, [Val]>, stowage_storage::Error> {
        let rows = self.batch.rows(transaction)?;
        let mut upserts = Vec::with_capacity(rows.upserts.len());
        let mut skipped = 0;
        for row in &rows.upserts {
            match self.row.decode_object(row) {
                Ok(value) => upserts.push(value),
                Err(error) => {
                    skipped += 1;
                    tracing::debug!(collection = self.batch.collection(), %error, "a row of the space is left out");
                }
            }
        }
        // The last run counts.
        self.skipped.store(skipped, Ordering::Relaxed);
        let removals = rows.removals.into_iter().map(Val::String).collect();
        Ok(Cow::Owned(vec![Val::List(upserts), Val::List(removals)]))
    }

    fn after_return(&self, transaction: &mut Transaction) -> Result<(), stowage_storage::Error> {
        self.batch.record(transaction)
    }
}

impl RowSink for Hooks {
    fn keeps(&self, collection: &str) -> bool {
        self.0.generation().collection(collection).is_some()
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async move {
            let generation = self.0.generation();
            let no_module = || SinkError::from(format!("no module keeps {}", batch.collection()));
            let route = generation.collection(batch.collection()).ok_or_else(no_module)?;
            let row = route
                .export()
                .params
                .first()
                .and_then(|(_, decoder)| decoder.item())
                .ok_or_else(|| SinkError::from(format!("apply of {} takes no list of rows", batch.collection())))?;
            let invocation = RowInvocation {
                batch,
                row,
                skipped: AtomicU32::new(0),
            };
            let id = self.0.call_id();
            let outcome = self.0.run(route, &invocation, &id).await.map_err(|error| {
                tracing::error!(call_id = %id, collection = batch.collection(), %error, "rows of the space were not taken over");
                SinkError::from(format!("rows of {} were not taken over (call {id})", batch.collection()))
            })?;
            if let Outcome::Failed(_) = outcome {
                return Err(SinkError::from(format!(
                    "the module refused rows of {} (call {id})",
                    batch.collection()
                )));
            }
            Ok(Applied {
                skipped: invocation.skipped.load(Ordering::Relaxed),
            })
        })
    }
}

impl UploadHook for Hooks {
    fn admit<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.upload_hook("admit", request))
    }

    fn finished<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.upload_hook("finished", request))
    }
}

impl Hooks {
    async fn upload_hook(&self, function: &str, request: &UploadRequest) -> Result<Result<(), Refusal>, HookError> {
        let generation = self.0.generation();
        let id = self.0.call_id();
        let outcome = match generation.hook("upload-hook", function) {
            Some(route) => self.0.call(route, &[upload_request(request)], &id).await,
            None => Err(CallError::NoRoute),
        };
        match outcome {
            Ok(Outcome::Done(_)) => Ok(Ok(())),
            Ok(Outcome::Failed(refusal)) if refusal.json == br#""noSpace""# => Ok(Err(Refusal::NoSpace)),
            Ok(Outcome::Failed(_)) => Ok(Err(Refusal::Gone)),
            Err(error) => {
                tracing::error!(call_id = %id, function, %error, "an upload's module failed");
                Err(HookError(format!("{error} (call {id})").into()))
            }
        }
    }
}

/// `stowage:host/transfer.upload-request` as a value.
fn upload_request(request: &UploadRequest) -> Val {
    let field = |name: &str, value: Val| (name.to_owned(), value);
    let file = &request.file;
    Val::Record(vec![
        field("platform", Val::U8(request.platform)),
        field(
            "file",
            Val::Record(vec![
                field("hash", Val::String(file.hash.to_string())),
                field("name", Val::String(file.name.clone())),
                field("ext", Val::String(file.ext.clone())),
                field("thumb", Val::String(file.thumb.clone())),
                field("size", Val::U64(file.size)),
                field("path", Val::String(file.path.clone())),
                field("protected", Val::Bool(file.protected)),
            ]),
        ),
        field("subject", Val::String(request.subject.clone())),
    ])
}
