//! A file in several pieces: tus 1.0 with creation, creation-with-upload, creation-defer-length,
//! termination, checksum and expiration.
//!
//! The durable offset is the only truth. A client asks for it with HEAD and goes on from there.

use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, LOCATION};
use http::request::Parts;
use stowage_transfer::{Held, IncomingError, Password, Progress, Upload};

use super::fields::FileFields;
use super::password::password_of;
use super::problem::Problem;
use super::request_body::BodyError;
use super::route::UPLOADS;
use super::tus_headers::{
    MOST_BYTES, VERSION, check_type, check_version, checksum, defers_length, has_bytes, length, metadata, number,
    state_response,
};
use super::{FileRequest, Files};
use crate::response::HttpResponse;

/// How the bytes of a request ended.
enum End {
    Whole,
    Body(BodyError),
    /// These bytes were not taken.
    Refused(IncomingError),
    /// Another request wants the upload.
    Interrupted,
    /// The server stops.
    Stopping,
}

/// Says which version of tus this is.
pub(super) fn add_version(headers: &mut HeaderMap) {
    headers.insert("tus-resumable", HeaderValue::from_static(VERSION));
    headers.insert("tus-version", HeaderValue::from_static(VERSION));
}

/// Says what this server can do.
pub(super) fn add_abilities(headers: &mut HeaderMap) {
    add_version(headers);
    headers.insert("tus-max-size", HeaderValue::from(MOST_BYTES));
    headers.insert("tus-checksum-algorithm", HeaderValue::from_static("sha1,sha256"));
    headers.insert(
        "tus-extension",
        HeaderValue::from_static("creation,creation-with-upload,creation-defer-length,termination,checksum,expiration"),
    );
}

impl Files {
    /// Makes an upload. The request may have its first bytes.
    pub(super) async fn create_upload(&self, request: &mut FileRequest) -> Result<HttpResponse, Problem> {
        let headers = &request.head.headers;
        check_version(headers)?;
        let length = length(headers)?;
        if length.is_some() == defers_length(headers)? {
            return Err(Problem::parameter(
                "Upload-Length: expected it, or else Upload-Defer-Length".to_owned(),
            ));
        }
        let metadata = metadata(headers)?;
        let fields = FileFields::of_metadata(&metadata)?;
        let password = password_of(headers)?;
        let has_bytes = has_bytes(headers);
        self.0.hook.check(&fields).await?;
        let held = self.0.incoming.create(length, metadata, password.is_some()).await?;
        let location = format!("{UPLOADS}/{}", held.upload().id());
        // The client learns the address also if the rest of this request fails.
        let upload = match has_bytes {
            true => match self.append(held, request).await {
                Ok(held) => self.conclude(held, password).await?,
                Err((_, Some(upload))) => upload,
                Err((problem, None)) => return Err(problem),
            },
            false => self.conclude(held, password).await?,
        };
        let mut response = state_response(StatusCode::CREATED, &upload);
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(LOCATION, location);
        }
        Ok(response)
    }

    /// Says how an upload stands. A request that receives bytes of it ends.
    pub(super) async fn upload_head(&self, id: &str, head: &Parts) -> Result<HttpResponse, Problem> {
        check_version(&head.headers)?;
        let password = password_of(&head.headers)?;
        let held = self.0.incoming.interrupt(id).await?;
        let upload = self.conclude(held, password).await?;
        let mut response = state_response(StatusCode::OK, &upload);
        let headers = response.headers_mut();
        match upload.length() {
            Some(length) => headers.insert("upload-length", HeaderValue::from(length)),
            None => headers.insert("upload-defer-length", HeaderValue::from_static("1")),
        };
        if !upload.metadata().is_empty()
            && let Ok(metadata) = HeaderValue::from_str(upload.metadata())
        {
            headers.insert("upload-metadata", metadata);
        }
        Ok(response)
    }

    /// Receives more bytes of an upload.
    pub(super) async fn append_upload(&self, id: &str, request: &mut FileRequest) -> Result<HttpResponse, Problem> {
        let headers = &request.head.headers;
        check_version(headers)?;
        check_type(headers)?;
        let offset = number(headers, "upload-offset")?
            .ok_or_else(|| Problem::parameter("Upload-Offset: expected it".to_owned()))?;
        let length = length(headers)?;
        let password = password_of(headers)?;
        let mut held = self.0.incoming.hold(id)?;
        if offset != held.upload().offset() {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                format!("Upload-Offset: expected {}", held.upload().offset()),
            ));
        }
        if let Some(length) = length {
            held.set_length(length)?;
        }
        let held = match *held.upload().progress() {
            Progress::Receiving => self.append(held, request).await.map_err(|(problem, _)| problem)?,
            _ => held,
        };
        let upload = self.conclude(held, password).await?;
        Ok(state_response(StatusCode::NO_CONTENT, &upload))
    }

    /// Forgets an upload. A file that was stored stays.
    pub(super) async fn delete_upload(&self, id: &str, head: &Parts) -> Result<HttpResponse, Problem> {
        check_version(&head.headers)?;
        let held = self.0.incoming.interrupt(id).await?;
        let response = state_response(StatusCode::NO_CONTENT, held.upload());
        held.remove().await?;
        Ok(response)
    }

    /// Appends the body of a request. If not all of it could be taken, the error has the upload as
    /// it is now, unless it is not known.
    async fn append(&self, held: Held, request: &mut FileRequest) -> Result<Held, (Problem, Option<Upload>)> {
        let failed = |error: IncomingError| (Problem::from(error), None);
        let checksum = checksum(&request.head.headers).map_err(|problem| (problem, Some(held.upload().clone())))?;
        let upload = held.upload();
        if let (Some(length), Some(size)) = (upload.length(), request.body.size())
            && upload.offset().saturating_add(size) > length
        {
            return Err((IncomingError::TooLong { length }.into(), Some(upload.clone())));
        }
        let mut append = held.append(checksum).await.map_err(failed)?;
        let interrupted = append.interrupted().clone();
        let end = loop {
            let piece = tokio::select! {
                biased;
                () = interrupted.cancelled() => break End::Interrupted,
                () = self.0.stop.cancelled() => break End::Stopping,
                piece = request.body.next() => piece,
            };
            match piece {
                Ok(Some(bytes)) => {
                    if let Err(error) = append.push(bytes).await {
                        break End::Refused(error);
                    }
                }
                Ok(None) => break End::Whole,
                Err(error) => break End::Body(error),
            }
        };
        let finished = append.finish(matches!(end, End::Whole)).await;
        let problem = match end {
            End::Whole => return finished.map_err(failed),
            End::Body(error) => error.into(),
            End::Refused(error) => error.into(),
            End::Interrupted => Problem::new(
                StatusCode::LOCKED,
                "another request works on this upload; ask for its offset with HEAD",
            ),
            End::Stopping => Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server stops; go on later"),
        };
        match finished {
            Ok(held) => Err((problem, Some(held.upload().clone()))),
            Err(error) => {
                tracing::debug!(%error, "what an upload received could not be kept");
                Err((problem, None))
            }
        }
    }

    /// Stores an upload whose bytes are all there, and says how an upload stands.
    ///
    /// # Errors
    /// What the module said, also when it said it before.
    async fn conclude(&self, mut held: Held, password: Option<Password>) -> Result<Upload, Problem> {
        match held.upload().progress() {
            Progress::Refused { code, message } => return Err(Problem::coded(*code, message.clone())),
            Progress::Receiving if held.upload().is_complete() => {}
            Progress::Receiving | Progress::Stored { .. } => return Ok(held.upload().clone()),
        }
        if held.upload().protected() && password.is_none() {
            return Err(Problem::coded(
                60004,
                "Stowage-File-Password: expected it, because the upload began with it".to_owned(),
            ));
        }
        let fields = FileFields::of_metadata(held.upload().metadata())?;
        let received = held.complete(password.filter(|_| held.upload().protected())).await?;
        match self.0.hook.store(held.upload().id(), &fields, &received).await {
            Ok(stored) => {
                let progress = Progress::Stored {
                    task_id: stored.task_id,
                    hash: stored.hash,
                };
                held.conclude(progress).await?;
                Ok(held.upload().clone())
            }
            Err(failure) => {
                if failure.is_decision {
                    let progress = Progress::Refused {
                        code: failure.code,
                        message: failure.message.clone(),
                    };
                    held.conclude(progress).await?;
                }
                Err(failure.into())
            }
        }
    }
}
