//! `stowage:host/transfer`: tasks recorded in the call's transaction, released when it is durable.

use crate::api::effect::Request;
use crate::bindings::stowage::host::transfer as wit;
use crate::engine::state::State;

pub(super) fn file_bytes(file: &wit::File) -> usize {
    file.hash.len() + file.name.len() + file.ext.len() + file.thumb.len() + file.path.len()
}

impl wit::Host for State {
    fn download(&mut self, request: wit::DownloadRequest) -> wasmtime::Result<Result<(), wit::DownloadRefusal>> {
        let _span = self.host_span("transfer.download");
        let call = self.host_call(file_bytes(&request.file))?;
        call.count_effect()?;
        call.note(|| Request::Download(request.clone()));
        let recorded = call.services.download(&mut call.transaction, request, call.now_ms);
        match recorded.map_err(|error| call.refuse(error))? {
            Ok(effect) => {
                call.effects.push(effect);
                Ok(Ok(()))
            }
            Err(refusal) => {
                call.note(|| Request::Refused(refusal.clone()));
                Ok(Err(refusal))
            }
        }
    }

    fn upload(&mut self, request: wit::UploadRequest) -> wasmtime::Result<()> {
        let _span = self.host_span("transfer.upload");
        let call = self.host_call(file_bytes(&request.file) + request.subject.len())?;
        call.count_effect()?;
        call.note(|| Request::Upload(request.clone()));
        let effect = call
            .services
            .upload(&mut call.transaction, request, call.now_ms)
            .map_err(|error| call.refuse(error))?;
        call.effects.push(effect);
        Ok(())
    }
}
