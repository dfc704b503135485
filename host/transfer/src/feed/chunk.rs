//! Rows as JSON, in chunks.

use bytes::Bytes;

use super::rows::Page;

/// The most bytes of a chunk, unless its first row alone has more.
const CHUNK_BYTES: usize = 7 << 10;

/// Some rows of a frame as JSON.
#[derive(Clone)]
pub(super) struct Chunk {
    /// The rows, each after a comma.
    pub(super) text: Bytes,
    /// Where the next chunk starts. `None` at the end.
    pub(super) next: Option<u64>,
}

impl Chunk {
    /// The first rows of a page, as many as fit.
    pub(super) fn of(page: &Page) -> Chunk {
        let mut len = 0;
        let mut count = 0;
        for (_, row) in &page.rows {
            let longer = len + 1 + row.json().len();
            if count > 0 && longer > CHUNK_BYTES {
                break;
            }
            len = longer;
            count += 1;
        }
        let mut text = String::with_capacity(len);
        for (_, row) in &page.rows[..count] {
            text.push(',');
            text.push_str(row.json());
        }
        Chunk {
            text: text.into(),
            next: page.rows.get(count).map_or(page.next, |(position, _)| Some(*position)),
        }
    }
}
