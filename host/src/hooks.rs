//! The functions of modules that the cloud and the transfers call: for rows of a sync, and for
//! steps of an upload. Each call is a transaction of its own.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;
use stowage_cloud::{Applied, Batch, Hash, RowSink, SinkError};
use stowage_logic::codec::Decoder;
use stowage_logic::{CallError, Invocation, Logic, Outcome, RowHooks};
use stowage_storage::Transaction;
use stowage_transfer::{File, FileUpload, HookError, Refusal, Transfers, UploadHook, UploadRequest};
use wasmtime::component::Val;

/// The modules that keep rows, for a sync that a call requested.
#[derive(Clone, Copy)]
pub struct RowModules<'a>(pub &'a dyn RowHooks);

/// The modules, for the cloud and the transfers.
#[derive(Clone)]
pub struct Hooks {
    /// The modules.
    pub logic: Logic,
    /// What this machine keeps of blobs.
    pub transfers: Transfers,
}

/// A batch of rows for the module that keeps their collection.
struct RowInvocation<'a> {
    batch: &'a Batch,
    skipped: AtomicU32,
}

impl Invocation for RowInvocation<'_> {
    fn params(&self, transaction: &mut Transaction, taken: &[(String, Decoder)]) -> Result<Cow<'_, [Val]>, CallError> {
        let collection = self.batch.collection();
        let decoder = taken
            .first()
            .and_then(|(_, decoder)| decoder.item())
            .ok_or_else(|| CallError::Arguments(format!("apply of {collection} takes no list of rows")))?;
        let rows = self.batch.rows(transaction)?;
        let mut upserts = Vec::with_capacity(rows.upserts.len());
        let mut skipped = 0;
        for row in &rows.upserts {
            match decoder.decode_object(row) {
                Ok(value) => upserts.push(value),
                Err(error) => {
                    skipped += 1;
                    tracing::debug!(collection, %error, "a row of the space is skipped");
                }
            }
        }
        // An attempt that runs again counts again.
        self.skipped.store(skipped, Ordering::Relaxed);
        let removals = rows.removals.into_iter().map(Val::String).collect();
        Ok(Cow::Owned(vec![Val::List(upserts), Val::List(removals)]))
    }

    fn after_return(&self, transaction: &mut Transaction) -> Result<(), stowage_storage::Error> {
        self.batch.record(transaction)
    }
}

impl RowSink for RowModules<'_> {
    fn keeps(&self, collection: &str) -> bool {
        self.0.keeps(collection)
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async move {
            let collection = batch.collection();
            let invocation = RowInvocation {
                batch,
                skipped: AtomicU32::new(0),
            };
            let called = self.0.apply(collection, &invocation).await;
            let id = called.call_id;
            match called.result {
                Ok(Outcome::Done(_)) => Ok(Applied {
                    skipped: invocation.skipped.load(Ordering::Relaxed),
                }),
                Ok(Outcome::Failed(_)) => Err(SinkError::from(format!(
                    "the module refused rows of {collection} (call {id})"
                ))),
                Err(CallError::NoRoute) => Err(SinkError::from(format!("no module keeps {collection}"))),
                Err(error) => {
                    tracing::error!(call_id = %id, collection, %error, "rows of the space could not be applied");
                    Err(SinkError::from(format!(
                        "rows of {collection} could not be applied (call {id})"
                    )))
                }
            }
        })
    }
}

impl RowSink for Hooks {
    fn keeps(&self, collection: &str) -> bool {
        RowHooks::keeps(&self.logic, collection)
    }

    fn apply<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Applied, SinkError>> {
        Box::pin(async move { RowModules(&self.logic).apply(batch).await })
    }

    fn blob_removed<'a>(&'a self, hash: &'a Hash) -> BoxFuture<'a, ()> {
        Box::pin(self.transfers.remove_temp_file(hash))
    }
}

impl UploadHook for Hooks {
    fn admit<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.call("upload-hook", "admit", upload_request(request)))
    }

    fn finished<'a>(&'a self, request: &'a UploadRequest) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.call("upload-hook", "finished", upload_request(request)))
    }

    fn admit_file<'a>(&'a self, upload: &'a FileUpload) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.call("files-hook", "admit", file_upload(upload)))
    }

    fn finished_file<'a>(&'a self, upload: &'a FileUpload) -> BoxFuture<'a, Result<Result<(), Refusal>, HookError>> {
        Box::pin(self.call("files-hook", "finished", file_upload(upload)))
    }
}

impl Hooks {
    async fn call(&self, interface: &str, function: &str, request: Val) -> Result<Result<(), Refusal>, HookError> {
        let generation = self.logic.generation();
        let id = self.logic.call_id();
        let outcome = match generation.hook(interface, function) {
            Some(route) => self.logic.call(route, &[request], &id).await,
            None => Err(CallError::NoRoute),
        };
        match outcome {
            Ok(Outcome::Done(_)) => Ok(Ok(())),
            Ok(Outcome::Failed(refusal)) if refusal.json == br#""noSpace""# => Ok(Err(Refusal::NoSpace)),
            Ok(Outcome::Failed(_)) => Ok(Err(Refusal::Gone)),
            Err(error) => {
                tracing::error!(call_id = %id, interface, function, %error, "the upload hook of a module failed");
                Err(HookError(format!("{error} (call {id})").into()))
            }
        }
    }
}

/// `stowage:host/transfer.upload-request` as a value.
fn upload_request(request: &UploadRequest) -> Val {
    Val::Record(vec![
        field("platform", Val::U8(request.platform)),
        field("file", file(&request.file)),
        field("subject", Val::String(request.subject.clone())),
    ])
}

/// `stowage:host/files.upload-request` as a value.
fn file_upload(upload: &FileUpload) -> Val {
    Val::Record(vec![
        field("task-id", Val::String(upload.task_id.clone())),
        field("platform", Val::U8(upload.platform)),
        field("file", file(&upload.file)),
        field("prepared", Val::String(upload.prepared.clone())),
        field("subject", Val::String(upload.subject.clone())),
    ])
}

/// `stowage:host/transfer.file` as a value.
fn file(file: &File) -> Val {
    Val::Record(vec![
        field("hash", Val::String(file.hash.clone())),
        field("name", Val::String(file.name.clone())),
        field("ext", Val::String(file.ext.clone())),
        field("thumb", Val::String(file.thumb.clone())),
        field("size", Val::U64(file.size)),
        field("path", Val::String(file.path.clone())),
        field("protected", Val::Bool(file.protected)),
    ])
}

fn field(name: &str, value: Val) -> (String, Val) {
    (name.to_owned(), value)
}
