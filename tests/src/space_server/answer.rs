//! Answers: right ones, and wrong ones as a fault says.

use std::fs::Metadata;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _, SeekFrom};
use tokio::net::TcpStream;

use super::fault::Fault;
use super::request::Request;
use super::{After, Served};

/// Bytes that are sent at once.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces of a slow body, and the pause after each.
const DRIPS: u64 = 20;
const DRIP_PAUSE: Duration = Duration::from_millis(20);

/// Answers a request.
pub(super) async fn answer(stream: &mut TcpStream, request: &Request, served: &Served) -> io::Result<After> {
    let path = request.path.trim_end_matches('/');
    // The test's own client asks for objects of the space only.
    if path.split('/').any(|part| part == "..") {
        return plain(stream, "403 Forbidden", "").await;
    }
    let file = served.directory.join(path);
    match request.method.as_str() {
        "GET" | "HEAD" => match std::fs::metadata(&file) {
            Ok(metadata) if metadata.is_file() => {
                let head_only = request.method == "HEAD";
                let object = path.rsplit('/').next().unwrap_or_default();
                let fault = match &served.faults {
                    Some(faults) => faults.next(object, metadata.len(), head_only),
                    None => None,
                };
                send(stream, request, &file, &metadata, fault).await
            }
            _ => plain(stream, "404 Not Found", "").await,
        },
        "PROPFIND" => propfind(stream, request, path, &file).await,
        _ => plain(stream, "403 Forbidden", "").await,
    }
}

/// Sends a file or a range of it, with a fault.
async fn send(
    stream: &mut TcpStream,
    request: &Request,
    file: &Path,
    metadata: &Metadata,
    fault: Option<Fault>,
) -> io::Result<After> {
    let len_bytes = metadata.len();
    let asked = request.range_of(len_bytes);
    let mut sent = match (fault, &asked) {
        (Some(Fault::HangUp), _) => return Ok(After::Reset),
        (Some(Fault::Gone), _) => return plain(stream, "404 Not Found", "").await,
        (Some(Fault::Forbidden), _) => return plain(stream, "403 Forbidden", "").await,
        (Some(Fault::Unsatisfiable), _) => return unsatisfiable(stream, len_bytes).await,
        (Some(Fault::Busy(status, seconds)), _) => {
            let more = format!("Retry-After: {seconds}\r\n");
            return plain(stream, &format!("{status} Busy"), &more).await;
        }
        (Some(Fault::Short(end)), _) => 0..end.min(len_bytes),
        (Some(Fault::Whole), _) | (_, None) => 0..len_bytes,
        (Some(Fault::OtherRange), Some(range)) => other_range(range, len_bytes),
        (_, Some(range)) if range.is_empty() => return unsatisfiable(stream, len_bytes).await,
        (_, Some(range)) => range.clone(),
    };
    let partial = asked.is_some() && !matches!(fault, Some(Fault::Short(_) | Fault::Whole));
    let mut head = if partial {
        let last = sent.end.saturating_sub(1);
        format!(
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {}-{last}/{len_bytes}\r\n",
            sent.start
        )
    } else {
        "HTTP/1.1 200 OK\r\n".to_owned()
    };
    let changed = fault == Some(Fault::Changed);
    head.push_str(&format!(
        "Content-Length: {}\r\nETag: {}\r\nLast-Modified: {}\r\nAccept-Ranges: bytes\r\n\r\n",
        sent.end - sent.start,
        etag(metadata, changed),
        date(metadata),
    ));
    stream.write_all(head.as_bytes()).await?;
    if request.method == "HEAD" {
        return Ok(After::Next);
    }
    let cut = match fault {
        Some(Fault::Reset(at) | Fault::Stall(at, _)) => Some(at),
        _ => None,
    };
    if let Some(at) = cut {
        sent.end = sent.end.min(sent.start.saturating_add(at));
    }
    body(stream, file, sent, fault).await?;
    match fault {
        Some(Fault::Reset(_)) => Ok(After::Reset),
        Some(Fault::Stall(_, pause)) => {
            tokio::time::sleep(pause).await;
            Ok(After::HangUp)
        }
        _ => Ok(After::Next),
    }
}

/// A range of the same object that is not the one asked for, if it has one.
fn other_range(asked: &Range<u64>, len_bytes: u64) -> Range<u64> {
    if asked.end < len_bytes {
        asked.start + 1..asked.end + 1
    } else {
        asked.start / 2..asked.end.min(len_bytes)
    }
}

async fn body(stream: &mut TcpStream, file: &Path, range: Range<u64>, fault: Option<Fault>) -> io::Result<()> {
    let mut source = File::open(file).await?;
    source.seek(SeekFrom::Start(range.start)).await?;
    let drip = usize::try_from(range.end - range.start)
        .unwrap_or(usize::MAX)
        .div_ceil(DRIPS as usize)
        .max(1);
    let mut buffer = vec![0; if fault == Some(Fault::Drip) { drip } else { PIECE_BYTES }];
    let mut at = range.start;
    while at < range.end {
        let want = usize::try_from(range.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let len_bytes = source.read(&mut buffer[..want]).await?;
        if len_bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let piece = &mut buffer[..len_bytes];
        match fault {
            Some(Fault::Changed) => piece.iter_mut().for_each(|byte| *byte = !*byte),
            Some(Fault::Flip(offset)) => {
                // Somewhere in what is sent, whatever was asked for.
                let flipped = range.start + offset % (range.end - range.start);
                if (at..at + len_bytes as u64).contains(&flipped) {
                    piece[(flipped - at) as usize] ^= 1;
                }
            }
            _ => {}
        }
        stream.write_all(piece).await?;
        if fault == Some(Fault::Drip) {
            tokio::time::sleep(DRIP_PAUSE).await;
        }
        at += len_bytes as u64;
    }
    Ok(())
}

/// An answer without a body.
async fn plain(stream: &mut TcpStream, status: &str, more: &str) -> io::Result<After> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).await?;
    Ok(After::Next)
}

async fn unsatisfiable(stream: &mut TcpStream, len_bytes: u64) -> io::Result<After> {
    let more = format!("Content-Range: bytes */{len_bytes}\r\n");
    plain(stream, "416 Range Not Satisfiable", &more).await
}

fn etag(metadata: &Metadata, changed: bool) -> String {
    let modified = modified(metadata).duration_since(SystemTime::UNIX_EPOCH);
    let nanoseconds = modified.unwrap_or_default().as_nanos();
    format!(
        "\"{:x}-{nanoseconds:x}{}\"",
        metadata.len(),
        if changed { "-changed" } else { "" }
    )
}

fn date(metadata: &Metadata) -> String {
    httpdate::fmt_http_date(modified(metadata))
}

fn modified(metadata: &Metadata) -> SystemTime {
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The properties of a file, or of a folder and what is in it.
async fn propfind(stream: &mut TcpStream, request: &Request, path: &str, file: &Path) -> io::Result<After> {
    let Ok(metadata) = std::fs::metadata(file) else {
        return plain(stream, "404 Not Found", "").await;
    };
    let mut listing = "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:multistatus xmlns:D=\"DAV:\">".to_owned();
    listing.push_str(&properties(path, &metadata));
    if metadata.is_dir() && request.depth.as_deref() != Some("0") {
        for entry in std::fs::read_dir(file)? {
            let entry = entry?;
            let name = entry.file_name();
            // What vanished meanwhile is not there.
            if let Ok(metadata) = entry.metadata() {
                let path = format!("{path}/{}", name.to_string_lossy());
                listing.push_str(&properties(path.trim_start_matches('/'), &metadata));
            }
        }
    }
    listing.push_str("</D:multistatus>");
    let head = format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml\r\nContent-Length: {}\r\n\r\n",
        listing.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(listing.as_bytes()).await?;
    Ok(After::Next)
}

/// Names in a space need no escapes.
fn properties(path: &str, metadata: &Metadata) -> String {
    let kind = if metadata.is_dir() {
        "<D:resourcetype><D:collection/></D:resourcetype>".to_owned()
    } else {
        format!(
            "<D:resourcetype/><D:getcontentlength>{}</D:getcontentlength><D:getetag>{}</D:getetag>",
            metadata.len(),
            etag(metadata, false)
        )
    };
    format!(
        "<D:response><D:href>/{path}</D:href><D:propstat><D:prop>{kind}<D:getlastmodified>{}</D:getlastmodified>\
         </D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>",
        date(metadata)
    )
}
