//! Adds the envelope, which every response has, to the refusals that hyper writes by itself.
//!
//! If hyper cannot read the head of a request, it writes a response head without a body and closes
//! the connection. It has no hook for that. The server's own refusals always have a body, so that a
//! refusal of hyper is recognized by its `content-length: 0`.
//!
//! The two largest lengths that a body can be given have a meaning of their own in hyper, which
//! refuses them as it refuses a head that is too large. The client is told that its body is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::StatusCode;
use stowage_logic::rpc::{Code, Envelope};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What hyper writes for an empty body.
const EMPTY_BODY: &str = "\r\ncontent-length: 0\r\n";

/// What the lengths that hyper refuses begin with.
const ENDLESS: &[u8] = b"184467440737095516";

/// What is said to a request with more headers than there may be.
pub(super) const TOO_MANY_HEADERS: &str = "request: expected at most 64 headers and 64 KiB of them";

/// A stream that adds an envelope to hyper's refusals.
pub(super) struct EnvelopedRefusals<S> {
    stream: S,
    /// Set when the connection sends a file. A piece of a file may look like a refusal, so nothing
    /// is recognized from then on.
    sends_files: Arc<AtomicBool>,
    /// Whether the next bytes that come begin a request.
    begins: bool,
    /// Whether the first bytes of the request have a length that hyper refuses.
    endless: bool,
    /// What is being written in place of hyper's refusal.
    refusal: Option<Refusal>,
}

struct Refusal {
    bytes: Vec<u8>,
    written: usize,
}

impl<S> EnvelopedRefusals<S> {
    pub(super) fn new(stream: S, sends_files: Arc<AtomicBool>) -> EnvelopedRefusals<S> {
        EnvelopedRefusals {
            stream,
            sends_files,
            begins: true,
            endless: false,
            refusal: None,
        }
    }

    /// If these bytes are a refusal of hyper, the same refusal with an envelope.
    fn enveloped(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self.sends_files.load(Ordering::Relaxed) {
            true => None,
            false => enveloped(bytes, self.endless),
        }
    }
}

/// If these bytes are a refusal of hyper, the same refusal with an envelope. A request with an
/// endless body is refused because of that.
fn enveloped(bytes: &[u8], endless: bool) -> Option<Vec<u8>> {
    if !bytes.starts_with(b"HTTP/1.") || bytes.get(8..10) != Some(b" 4") {
        return None;
    }
    let head = str::from_utf8(bytes).ok().filter(|head| head.ends_with("\r\n\r\n"))?;
    let (mut status, headers) = head.split_once(EMPTY_BODY)?;
    let changed;
    let message = match StatusCode::from_bytes(bytes.get(9..12)?).ok()? {
        StatusCode::BAD_REQUEST => "request: expected a head of HTTP/1.1",
        StatusCode::URI_TOO_LONG => "request: expected a path of at most 64 KiB",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if endless => {
            let (_, others) = status.split_once("\r\n").unwrap_or_default();
            changed = format!("HTTP/1.1 413 Payload Too Large\r\n{others}");
            status = &changed;
            "body: its Content-Length is more than any body may have"
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => TOO_MANY_HEADERS,
        _ => return None,
    };
    let body = Envelope::failure(Code::OTHER, message).into_json();
    let described = format!(
        "{status}\r\ncontent-type: application/json\r\nx-content-type-options: nosniff\r\n\
         cross-origin-resource-policy: same-origin\r\ncache-control: no-store\r\ncontent-length: {}\r\n{headers}",
        body.len()
    );
    Some([described.as_bytes(), &body].concat())
}

impl<S: AsyncRead + Unpin> AsyncRead for EnvelopedRefusals<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if self.begins {
            let came = &buffer.filled()[before..];
            self.endless = came.windows(ENDLESS.len()).any(|bytes| bytes == ENDLESS);
            self.begins = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EnvelopedRefusals<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.refusal.is_none() {
            self.refusal = self.enveloped(bytes).map(|bytes| Refusal { bytes, written: 0 });
        }
        self.begins = true;
        let EnvelopedRefusals { stream, refusal, .. } = &mut *self;
        let Some(Refusal { bytes: ours, written }) = refusal else {
            return Pin::new(stream).poll_write(cx, bytes);
        };
        while *written < ours.len() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &ours[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => *written += n,
            }
        }
        *refusal = None;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bytes.iter().find(|slice| !slice.is_empty());
        match first {
            Some(first) if self.refusal.is_some() || self.enveloped(first).is_some() => self.poll_write(cx, first),
            _ => {
                self.begins = true;
                Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const REFUSAL: &str = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";

    /// What arrives at the other end of a narrow pipe when these texts are written.
    async fn written(texts: &[&str]) -> String {
        written_with(false, texts).await
    }

    async fn written_with(sends_files: bool, texts: &[&str]) -> String {
        let (stream, mut peer) = tokio::io::duplex(7);
        let write = async move {
            let mut stream = EnvelopedRefusals::new(stream, Arc::new(AtomicBool::new(sends_files)));
            for text in texts {
                stream.write_all(text.as_bytes()).await.expect("the peer reads");
            }
        };
        let mut all = String::new();
        let (read, ()) = tokio::join!(peer.read_to_string(&mut all), write);
        read.expect("text");
        all
    }

    #[tokio::test]
    async fn a_refusal_of_hyper_gets_an_envelope_and_its_length() {
        let all = written(&["HTTP/1.1 200 OK\r\n\r\n", REFUSAL]).await;
        let (head, body) = all.rsplit_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 400 Bad Request\r\nconnection: close\r\n"));
        assert!(head.ends_with("\r\ndate: now"), "{head}");
        assert!(
            head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())),
            "{head}"
        );
        assert!(!head.contains(EMPTY_BODY), "{head}");
        assert!(body.starts_with(r#"{"code":700,"message":"request: "#), "{body}");
    }

    #[tokio::test]
    async fn an_endless_body_is_named() {
        let refusal = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        for (sent, first, named) in [
            (
                "Content-Length: 18446744073709551615",
                "HTTP/1.1 413 Payload Too Large",
                "body: ",
            ),
            ("X: y", "HTTP/1.1 431 Request Header Fields Too Large", "request: "),
        ] {
            let (stream, mut peer) = tokio::io::duplex(4096);
            let mut stream = EnvelopedRefusals::new(stream, Arc::default());
            peer.write_all(sent.as_bytes()).await.expect("it fits");
            let mut read = [0; 100];
            assert_eq!(stream.read(&mut read).await.expect("readable"), sent.len());
            stream.write_all(refusal.as_bytes()).await.expect("it fits");
            drop(stream);
            let mut all = String::new();
            peer.read_to_string(&mut all).await.expect("text");
            assert!(all.starts_with(&format!("{first}\r\nconnection: close\r\n")), "{all}");
            assert!(all.contains(&format!("\"message\":\"{named}")), "{all}");
        }
    }

    #[tokio::test]
    async fn other_bytes_are_unchanged() {
        for text in [
            "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 7\r\n\r\n",
            "HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 4",
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n{}",
            "",
        ] {
            assert_eq!(written(&[text]).await, text);
        }
    }

    #[tokio::test]
    async fn a_file_that_looks_like_a_refusal_is_unchanged() {
        assert_eq!(written_with(true, &[REFUSAL]).await, REFUSAL);
    }
}
