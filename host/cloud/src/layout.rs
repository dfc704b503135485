//! The format of a space.

/// The newest format of a space that this version reads.
pub const FORMAT: u64 = 1;
/// The object that describes the space.
pub(crate) const SPACE_JSON: &str = "space.json";
