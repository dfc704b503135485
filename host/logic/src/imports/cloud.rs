//! `stowage:host/cloud`: changes, recorded in the call's transaction, and questions. A question
//! ends the run until the host has answered it.

use serde_json::{Map, Value};

use crate::api::effect::{CloudChange, Request};
use crate::api::fact::{Answer, CloudFailure, Question};
use crate::bindings::stowage::host::cloud as wit;
use crate::engine::active_call::ActiveCall;
use crate::engine::state::State;

impl From<CloudFailure> for wit::CloudError {
    fn from(failure: CloudFailure) -> wit::CloudError {
        match failure {
            CloudFailure::Unreachable(text) => wit::CloudError::Unreachable(text),
            CloudFailure::Missing(text) => wit::CloudError::Missing(text),
            CloudFailure::Malformed(text) => wit::CloudError::Malformed(text),
        }
    }
}

/// The error of an answer to another question. Only a service that is wrong gives one.
pub(super) fn wrong_answer(answer: &Answer) -> wasmtime::Error {
    let kind = match answer {
        Answer::Sync(_) => "a sync",
        Answer::Password(_) => "a password",
        Answer::Tasks(_) => "the tasks",
        Answer::Prepare(_) => "a file to prepare",
        Answer::FindBlob(_) => "where a blob is",
    };
    wasmtime::Error::msg(format!("another question was answered as if it was about {kind}"))
}

fn field_bytes(field: &wit::Field) -> usize {
    field.name.len()
        + match &field.value {
            wit::Scalar::Text(text) => text.len(),
            wit::Scalar::Integer(_) | wit::Scalar::Boolean(_) => 8,
        }
}

impl ActiveCall {
    fn change(&mut self, change: CloudChange) -> wasmtime::Result<()> {
        self.count_effect()?;
        self.note(|| Request::Change(change.clone()));
        let effect = self
            .services
            .change(&mut self.transaction, change)
            .map_err(|error| self.refuse(error))?;
        self.effects.push(effect);
        Ok(())
    }
}

impl wit::Host for State {
    fn sync(&mut self) -> wasmtime::Result<Result<wit::SyncReport, wit::CloudError>> {
        let _span = self.host_span("cloud.sync");
        match self.host_call(0)?.ask(Question::Sync)? {
            Answer::Sync(Ok(counts)) => Ok(Ok(wit::SyncReport {
                segments: counts.segments,
                upserts: counts.upserts,
                removals: counts.removals,
                skipped: counts.skipped,
            })),
            Answer::Sync(Err(failure)) => Ok(Err(failure.into())),
            other => Err(wrong_answer(&other)),
        }
    }

    fn check_password(
        &mut self,
        hash: String,
        password: Option<String>,
    ) -> wasmtime::Result<Result<bool, wit::CloudError>> {
        let _span = self.host_span("cloud.check-password");
        let bytes = hash.len() + password.as_ref().map_or(0, String::len);
        match self.host_call(bytes)?.ask(Question::Password { hash, password })? {
            Answer::Password(result) => Ok(result.map_err(wit::CloudError::from)),
            other => Err(wrong_answer(&other)),
        }
    }

    fn total_bytes(&mut self) -> wasmtime::Result<u64> {
        let _span = self.host_span("cloud.total-bytes");
        let call = self.host_call(0)?;
        call.services
            .total_bytes(&mut call.transaction)
            .map_err(|error| call.refuse(error))
    }

    fn put_row(&mut self, collection: String, identity: String, fields: Vec<wit::Field>) -> wasmtime::Result<()> {
        let _span = self.host_span("cloud.put-row");
        let bytes: usize = fields.iter().map(field_bytes).sum();
        let call = self.host_call(bytes + identity.len())?;
        let fields: Map<String, Value> = fields
            .into_iter()
            .map(|field| {
                let value = match field.value {
                    wit::Scalar::Text(text) => Value::String(text),
                    wit::Scalar::Integer(n) => Value::from(n),
                    wit::Scalar::Boolean(b) => Value::Bool(b),
                };
                (field.name, value)
            })
            .collect();
        call.change(CloudChange::PutRow {
            collection,
            identity,
            fields,
        })
    }

    fn delete_row(&mut self, collection: String, identity: String) -> wasmtime::Result<()> {
        let _span = self.host_span("cloud.delete-row");
        self.host_call(identity.len())?
            .change(CloudChange::DeleteRow { collection, identity })
    }

    fn delete_blob(&mut self, hash: String) -> wasmtime::Result<()> {
        let _span = self.host_span("cloud.delete-blob");
        self.host_call(hash.len())?.change(CloudChange::DeleteBlob { hash })
    }
}
