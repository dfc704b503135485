//! The routes of bytes.

use http::Method;
use http::request::Parts;

/// The path of all routes.
const FILES: &str = "/files";
/// The path of uploads in several pieces.
pub(super) const UPLOADS: &str = "/files/uploads";

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// `/files`.
    Files,
    /// `/files/uploads`.
    Uploads,
    /// `/files/uploads/ID`.
    Upload(String),
    /// `/files/HASH`.
    File(String),
    /// Any other path.
    Unknown,
}

/// Whether a path belongs to bytes.
pub(crate) fn is_files(path: &str) -> bool {
    path.strip_prefix(FILES)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Route {
    pub(super) fn of(path: &str) -> Route {
        let path = path.strip_suffix('/').unwrap_or(path);
        let names: Vec<&str> = path.split('/').skip(1).collect();
        match names[..] {
            ["files"] => Route::Files,
            ["files", "uploads"] => Route::Uploads,
            ["files", "uploads", id] => Route::Upload(id.to_owned()),
            ["files", hash] => Route::File(hash.to_owned()),
            _ => Route::Unknown,
        }
    }

    /// Whether tus 1.0 says how this route behaves.
    pub(super) fn is_tus(&self) -> bool {
        matches!(self, Route::Uploads | Route::Upload(_))
    }
}

/// The method of a request. A client of tus that can only POST names the method in a header.
pub(super) fn method(head: &Parts, route: &Route) -> Method {
    let named = head.headers.get("x-http-method-override");
    match named.and_then(|value| Method::from_bytes(value.as_bytes()).ok()) {
        Some(named) if route.is_tus() && head.method == Method::POST => named,
        _ => head.method.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_route() {
        assert_eq!(Route::of("/files"), Route::Files);
        assert_eq!(Route::of("/files/"), Route::Files);
        assert_eq!(Route::of("/files/uploads"), Route::Uploads);
        assert_eq!(Route::of("/files/uploads/"), Route::Uploads);
        assert_eq!(Route::of("/files/uploads/x"), Route::Upload("x".into()));
        assert_eq!(Route::of("/files/Hash"), Route::File("Hash".into()));
        for path in ["/files/a/b", "/files/uploads/a/b", "/filesystem", "/"] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
        assert!(is_files("/files") && is_files("/files/x") && !is_files("/filesystem"));
    }
}
