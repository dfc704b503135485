//! `PUT /files`: a file in one piece.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::json;
use stowage_logic::rpc::Envelope;
use stowage_transfer::Received;
use uuid::Uuid;

use super::fields::FileFields;
use super::form::Form;
use super::hook::Stored;
use super::password::password_of;
use super::problem::Problem;
use super::{FileRequest, Files};
use crate::response::{HttpResponse, is_media_type, json_response};

impl Files {
    /// Receives a file: its bytes as the body and its fields in the query, or both in a form.
    pub(super) async fn put(&self, request: &mut FileRequest) -> Result<HttpResponse, Problem> {
        let is_form = is_media_type(request.head.headers.get(CONTENT_TYPE), "multipart/form-data");
        let (fields, received) = match is_form {
            true => self.receive_form(request).await?,
            false if request.head.method == Method::PUT => self.receive_body(request).await?,
            false => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "Content-Type: expected multipart/form-data; send bytes alone with PUT",
                ));
            }
        };
        let stored = self
            .0
            .hook
            .store(&Uuid::new_v4().to_string(), &fields, &received)
            .await?;
        Ok(stored_response(&stored))
    }

    async fn receive_body(&self, request: &mut FileRequest) -> Result<(FileFields, Received), Problem> {
        let fields = FileFields::of_query(request.head.uri.query().unwrap_or_default())?;
        let password = password_of(&request.head.headers)?;
        self.0.hook.check(&fields).await?;
        let mut receiving = self.0.incoming.receive(request.body.size(), password).await?;
        while let Some(bytes) = request.body.next().await? {
            receiving.push(bytes).await?;
        }
        Ok((fields, receiving.finish().await?))
    }

    async fn receive_form(&self, request: &mut FileRequest) -> Result<(FileFields, Received), Problem> {
        if request.head.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(Problem::parameter(
                "the query: expected none; the fields are the first part of the form".to_owned(),
            ));
        }
        let in_header = password_of(&request.head.headers)?;
        let mut form = Form::begin(&request.head.headers, &mut request.body)?;
        let (mut fields, in_form) = FileFields::of_json(&form.fields().await?)?;
        let mut file = form.file().await?;
        if fields.name.is_empty() {
            fields.name = file.name();
        }
        let fields = fields.named()?;
        let password = match (in_header, in_form) {
            (Some(_), Some(_)) => {
                return Err(Problem::parameter(
                    "filePassword: expected in the header or in the form, not in both".to_owned(),
                ));
            }
            (in_header, in_form) => in_header.or(in_form.map(Into::into)),
        };
        self.0.hook.check(&fields).await?;
        let mut receiving = self.0.incoming.receive(None, password).await?;
        while let Some(bytes) = file.next().await? {
            receiving.push(bytes).await?;
        }
        // The parser gives the next part only after this one was dropped.
        drop(file);
        // What arrived counts only when the form is complete.
        form.end().await?;
        Ok((fields, receiving.finish().await?))
    }
}

fn stored_response(stored: &Stored) -> HttpResponse {
    let data = json!({"taskId": stored.task_id, "hash": stored.hash}).to_string();
    let body: Bytes = Envelope::success(data.as_bytes()).into_json();
    json_response(StatusCode::OK, body)
}
