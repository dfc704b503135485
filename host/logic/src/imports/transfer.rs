//! `stowage:host/transfer`: tasks recorded in the call's transaction, released when it is durable.

use std::sync::Arc;

use crate::api::effect::Request;
use crate::bindings::stowage::host::transfer as wit;
use crate::engine::state::State;

fn file_bytes(file: &wit::File) -> usize {
    file.hash.len() + file.name.len() + file.ext.len() + file.thumb.len() + file.path.len()
}

impl wit::Host for State {
    fn download(&mut self, request: wit::DownloadRequest) -> wasmtime::Result<Result<(), wit::DownloadRefusal>> {
        let call = self.host_call(file_bytes(&request.file))?;
        call.count_effect()?;
        call.note(|| Request::Download(request.clone()));
        let services = Arc::clone(&call.services);
        match services.download(&mut call.transaction, request, call.now_ms) {
            Err(error) => Err(call.refuse(error)),
            Ok(Ok(effect)) => {
                call.effects.push(effect);
                Ok(Ok(()))
            }
            Ok(Err(refusal)) => {
                call.note(|| Request::Refused(refusal.clone()));
                Ok(Err(refusal))
            }
        }
    }

    fn upload(&mut self, request: wit::UploadRequest) -> wasmtime::Result<()> {
        let call = self.host_call(file_bytes(&request.file) + request.subject.len())?;
        call.count_effect()?;
        call.note(|| Request::Upload(request.clone()));
        let services = Arc::clone(&call.services);
        match services.upload(&mut call.transaction, request, call.now_ms) {
            Err(error) => Err(call.refuse(error)),
            Ok(effect) => {
                call.effects.push(effect);
                Ok(())
            }
        }
    }
}
