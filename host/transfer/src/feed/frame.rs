//! One frame, which is written in fragments.

use std::sync::Weak;

use bytes::Bytes;

use super::chunk::Chunk;
use super::cut::SharedFrame;
use super::filter::Filter;
use super::rows::Selection;

/// A part of a frame. Joined, the parts are one JSON text in UTF-8. Most frames have only one.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// The bytes.
    pub text: Bytes,
    /// Whether it begins a frame.
    pub is_first: bool,
    /// Whether it ends a frame.
    pub is_last: bool,
}

/// The rest of a frame, of which the first fragment was made. It holds no rows: they are read
/// when the next fragment is due.
pub(super) struct OpenFrame {
    pub(super) filter: Filter,
    pub(super) selection: Selection,
    /// Where the next fragment starts.
    pub(super) from: u64,
    pub(super) seq: u64,
    pub(super) shared: Weak<SharedFrame>,
}

/// The first fragment of a frame.
pub(super) fn first_fragment(key: &str, chunk: &Chunk, seq: u64) -> Fragment {
    let mut text = String::with_capacity(chunk.text.len() + key.len() + 80);
    text.push_str("{\"key\":");
    text.push_str(&serde_json::to_string(key).expect("a string is always JSON"));
    text.push_str(",\"code\":200,\"message\":null,\"data\":[");
    let mut bytes = text.into_bytes();
    // No comma before the first row.
    bytes.extend_from_slice(chunk.text.get(1..).unwrap_or_default());
    let is_last = chunk.next.is_none();
    if is_last {
        bytes.extend_from_slice(end(seq).as_bytes());
    }
    Fragment {
        text: bytes.into(),
        is_first: true,
        is_last,
    }
}

/// A fragment after the first one. Only the last one is copied.
pub(super) fn next_fragment(chunk: Chunk, seq: u64) -> Fragment {
    let is_last = chunk.next.is_none();
    let text = if is_last {
        [&chunk.text[..], end(seq).as_bytes()].concat().into()
    } else {
        chunk.text
    };
    Fragment {
        text,
        is_first: false,
        is_last,
    }
}

fn end(seq: u64) -> String {
    format!("],\"seq\":{seq}}}")
}
