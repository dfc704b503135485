//! Obeys a store that says how long to wait.
//!
//! The object store retries a refused request after pauses of its own and hides the headers of the
//! last answer. If a store asks for a longer pause than those, the request fails at once, and the
//! error tells the time.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};

/// A pause up to this is left to the retries of the object store.
const SHORT: Duration = Duration::from_secs(3);
/// The longest pause that a store may ask for.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The store answered with "too many requests" or "unavailable", and with a time.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the store answers with status {status} and asks to wait {} s", .wait.as_secs())]
pub(crate) struct AskedToWait {
    pub(crate) status: u16,
    pub(crate) wait: Duration,
}

/// Makes HTTP clients that obey `Retry-After`.
#[derive(Debug, Default)]
pub(crate) struct PatientConnector;

#[derive(Debug)]
struct PatientClient(HttpClient);

impl HttpConnector for PatientConnector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(PatientClient(client)))
    }
}

#[async_trait]
impl HttpService for PatientClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = self.0.execute(request).await?;
        let status = answer.status().as_u16();
        if !matches!(status, 429 | 503) {
            return Ok(answer);
        }
        let asked = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok());
        match asked.and_then(|text| wait(text, SystemTime::now())) {
            // The object store does not retry an error of this kind.
            Some(wait) if wait > SHORT => Err(HttpError::new(HttpErrorKind::Unknown, AskedToWait { status, wait })),
            _ => Ok(answer),
        }
    }
}

/// The time of a `Retry-After` header: seconds, or a date.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let wait = match text.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text.trim())
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    };
    Some(wait.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_seconds_or_a_date_and_has_a_limit() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let seconds = |text| wait(text, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:50:37 GMT"), Some(60));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999"), Some(3600));
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
