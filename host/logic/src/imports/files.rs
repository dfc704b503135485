//! `stowage:host/files`: files that are made ready, and their uploads.

use crate::api::effect::Request;
use crate::api::fact::{Answer, Question};
use crate::bindings::stowage::host::cloud::CloudError;
use crate::bindings::stowage::host::files as wit;
use crate::engine::state::State;
use crate::imports::cloud::wrong_answer;
use crate::imports::transfer::file_bytes;

fn source_bytes(source: &wit::Source) -> usize {
    match source {
        wit::Source::Path(path) => path.len(),
        wit::Source::Blob(blob) => blob.hash.len() + blob.password.as_ref().map_or(0, String::len),
    }
}

impl wit::Host for State {
    fn prepare(
        &mut self,
        source: wit::Source,
        password: Option<String>,
    ) -> wasmtime::Result<Result<wit::Prepared, wit::PrepareError>> {
        let _span = self.host_span("files.prepare");
        let bytes = source_bytes(&source) + password.as_ref().map_or(0, String::len);
        match self.host_call(bytes)?.ask(Question::Prepare { source, password })? {
            Answer::Prepare(prepared) => Ok(prepared),
            other => Err(wrong_answer(&other)),
        }
    }

    fn upload(&mut self, request: wit::UploadRequest) -> wasmtime::Result<()> {
        let _span = self.host_span("files.upload");
        let bytes = file_bytes(&request.file) + request.task_id.len() + request.prepared.len() + request.subject.len();
        let call = self.host_call(bytes)?;
        call.count_effect()?;
        call.note(|| Request::UploadFile(request.clone()));
        let effect = call
            .services
            .upload_file(&mut call.transaction, request, call.now_ms)
            .map_err(|error| call.refuse(error))?;
        call.effects.push(effect);
        Ok(())
    }

    fn find_blob(&mut self, hash: String) -> wasmtime::Result<Result<Option<wit::FoundBlob>, CloudError>> {
        let _span = self.host_span("files.find-blob");
        match self.host_call(hash.len())?.ask(Question::FindBlob { hash })? {
            Answer::FindBlob(found) => Ok(found.map_err(CloudError::from)),
            other => Err(wrong_answer(&other)),
        }
    }
}
