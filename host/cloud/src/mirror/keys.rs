//! The keys of the mirror: names with a NUL between them. No name contains one.

use stowage_storage::ScanOptions;

/// The entries that are read in one step.
pub(super) const PAGE: u32 = 10_000;

pub(super) fn key(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

pub(super) fn name(bytes: &[u8]) -> Option<String> {
    String::from_utf8(bytes.to_vec()).ok()
}

pub(super) fn page() -> ScanOptions {
    ScanOptions {
        limit: PAGE,
        ..ScanOptions::default()
    }
}

/// At most this many keys.
pub(super) fn keys(limit: u32) -> ScanOptions {
    ScanOptions {
        limit,
        keys_only: true,
        ..ScanOptions::default()
    }
}
