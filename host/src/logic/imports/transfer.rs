//! `stowage:host/transfer`: tasks recorded in the call's transaction, released when it is durable.

use stowage_transfer as transfer;

use crate::logic::bindings::stowage::host::transfer as wit;
use crate::logic::effect::Effect;
use crate::logic::instance::State;

pub(super) fn direction(direction: wit::Direction) -> transfer::Direction {
    match direction {
        wit::Direction::Upload => transfer::Direction::Upload,
        wit::Direction::Download => transfer::Direction::Download,
    }
}

fn file_bytes(file: &wit::File) -> usize {
    file.hash.len() + file.name.len() + file.ext.len() + file.thumb.len() + file.path.len()
}

fn file(file: wit::File) -> transfer::File {
    transfer::File {
        hash: file.hash,
        name: file.name,
        ext: file.ext,
        thumb: file.thumb,
        size: file.size,
        path: file.path,
        protected: file.protected,
    }
}

impl wit::Host for State {
    fn download(&mut self, request: wit::DownloadRequest) -> wasmtime::Result<Result<(), wit::DownloadRefusal>> {
        let call = self.call(file_bytes(&request.file))?;
        call.effect()?;
        let request = transfer::DownloadRequest {
            task_id: request.task_id,
            platform: request.platform,
            file: file(request.file),
            directory: request.directory,
            password: request.password.map(transfer::Password::from),
        };
        let transfers = call.services.transfers.clone();
        match transfers.stage_download(&mut call.transaction, request, call.now_ms.cast_signed()) {
            Err(error) => Err(call.refuse(error)),
            Ok(Ok(staged)) => {
                call.effects.push(Effect::Transfer(Box::new(staged)));
                Ok(Ok(()))
            }
            Ok(Err(refusal)) => Ok(Err(match refusal {
                transfer::DownloadRefusal::Directory(text) => wit::DownloadRefusal::Directory(text),
                transfer::DownloadRefusal::TaskId(text) => wit::DownloadRefusal::TaskId(text),
            })),
        }
    }

    fn upload(&mut self, request: wit::UploadRequest) -> wasmtime::Result<()> {
        let call = self.call(file_bytes(&request.file) + request.subject.len())?;
        call.effect()?;
        let request = transfer::UploadRequest {
            platform: request.platform,
            file: file(request.file),
            subject: request.subject,
        };
        let transfers = call.services.transfers.clone();
        match transfers.stage_upload(&mut call.transaction, request, call.now_ms.cast_signed()) {
            Err(error) => Err(call.refuse(error)),
            Ok(staged) => {
                call.effects.push(Effect::Transfer(Box::new(staged)));
                Ok(())
            }
        }
    }
}
