//! A `multipart/form-data` body: a part with JSON, then a part with the file.

use bytes::Bytes;
use futures_util::stream;
use http::header::{CONTENT_TYPE, HeaderMap};
use multer::{Constraints, Error, Field, Multipart, SizeLimit};
use tokio::task::yield_now;

use super::problem::Problem;
use super::request_body::{BodyError, RequestBody};

/// The most bytes of the JSON part.
const MOST_JSON_BYTES: usize = 64 << 10;

/// A form whose parts are read one after the other.
pub(super) struct Form<'b>(Multipart<'b>);

/// The part with the file.
pub(super) struct FilePart<'b>(Field<'b>);

impl<'b> Form<'b> {
    pub(super) fn begin(headers: &HeaderMap, body: &'b mut RequestBody) -> Result<Form<'b>, Problem> {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let boundary = multer::parse_boundary(content_type.unwrap_or_default())
            .map_err(|_| Problem::parameter("Content-Type: expected multipart/form-data with a boundary".to_owned()))?;
        let pieces = stream::try_unfold(body, |body| async {
            // The parser takes bytes as long as there are some. This lets it work on them first, so
            // that they do not heap up in memory.
            yield_now().await;
            let piece = body.next().await?;
            Ok::<_, BodyError>(piece.map(|piece| (piece, body)))
        });
        let no_limit = Constraints::new().size_limit(SizeLimit::new());
        Ok(Form(Multipart::with_constraints(pieces, boundary, no_limit)))
    }

    /// The JSON text of the first part.
    pub(super) async fn fields(&mut self) -> Result<Vec<u8>, Problem> {
        let mut part = self.next().await?;
        let mut json = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(problem)? {
            if json.len() + piece.len() > MOST_JSON_BYTES {
                return Err(Problem::parameter(format!(
                    "the first part: expected a JSON object of at most {MOST_JSON_BYTES} bytes"
                )));
            }
            json.extend_from_slice(&piece);
        }
        Ok(json)
    }

    /// The second part.
    pub(super) async fn file(&mut self) -> Result<FilePart<'b>, Problem> {
        self.next().await.map(FilePart)
    }

    async fn next(&mut self) -> Result<Field<'b>, Problem> {
        let part = self.0.next_field().await.map_err(problem)?;
        part.ok_or_else(|| Problem::parameter(PARTS.to_owned()))
    }

    /// Checks that the form ends after the second part. That part must be read to its end.
    pub(super) async fn end(&mut self) -> Result<(), Problem> {
        match self.0.next_field().await.map_err(problem)? {
            Some(_) => Err(Problem::parameter(PARTS.to_owned())),
            None => Ok(()),
        }
    }
}

impl FilePart<'_> {
    /// The name of the file, or an empty text.
    pub(super) fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_owned()
    }

    /// The next bytes. `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        self.0.chunk().await.map_err(problem)
    }
}

const PARTS: &str = "the form: expected two parts, first a JSON object with the fields, then the file";

fn problem(error: Error) -> Problem {
    if let Error::StreamReadFailed(source) = &error
        && let Some(error) = source.downcast_ref::<BodyError>()
    {
        return (*error).into();
    }
    Problem::parameter(format!("the form: {error}"))
}
