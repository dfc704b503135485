//! The mirror: what this host knows of the space. It says which rows are in which segment, which
//! content of them the modules have, and which blobs they name.
//!
//! A row has the digest of the line whose fields the modules have. If they may have other fields,
//! the digest is [`UNKNOWN`](crate::row::UNKNOWN).

mod keys;
mod rows;
mod segments;
mod space;

pub(crate) use rows::{
    MirroredRow, RowLocation, has_strays, implied, in_default_segment, names, put_row, remove_row, row, rows_of,
    segments_of,
};
pub(crate) use segments::{SegmentState, has_unread, invalidate, put_segment, remove_segment, segment, segments};
pub(crate) use space::{belong_to, known_space, put_description, total_bytes};
