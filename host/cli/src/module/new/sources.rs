//! The sources in the program from which the crate of a new module is written.

use std::collections::BTreeMap;

include!(concat!(env!("OUT_DIR"), "/sources.rs"));

/// One zlib stream: of each file the path, the length (a line each) and the text.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sources.zlib"));

/// The texts of the files, by their paths in the repository.
#[derive(Debug)]
pub(super) struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Unpacks them.
    ///
    /// # Panics
    /// The packed sources are malformed, which a test rules out.
    pub(super) fn unpack() -> Sources {
        let text = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(PACKED, TEXT_BYTES)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .expect("the build packs text");
        let mut files = BTreeMap::new();
        let mut rest = text.as_str();
        while let Some((path, content, after)) = first_file(rest) {
            files.insert(path.to_owned(), content.to_owned());
            rest = after;
        }
        Sources(files)
    }

    /// The text of a file.
    ///
    /// # Panics
    /// The build does not pack the file.
    pub(super) fn text(&self, path: &str) -> &str {
        self.0
            .get(path)
            .unwrap_or_else(|| panic!("the build packs {path} (host/cli/build.rs)"))
    }

    /// The files under a directory, by their paths in it.
    pub(super) fn under<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(path, text)| {
            let path = path.strip_prefix(dir)?.strip_prefix('/')?;
            Some((path, text.as_str()))
        })
    }
}

/// The first file of a packed text, and the rest of the text.
fn first_file(text: &str) -> Option<(&str, &str, &str)> {
    let (path, text) = text.split_once('\n')?;
    let (len, text) = text.split_once('\n')?;
    let (content, rest) = text.split_at_checked(len.parse().ok()?)?;
    Some((path, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_what_the_repository_has() {
        let sources = Sources::unpack();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(sources.0.len() > 50, "{}", sources.0.len());
        for (path, text) in &sources.0 {
            assert_eq!(&std::fs::read_to_string(root.join(path)).expect(path), text, "{path}");
        }
        assert!(sources.under("guest/sdk/src").any(|(path, _)| path == "rows/mod.rs"));
        assert!(PACKED.len() < 1 << 20, "{} bytes more in the program", PACKED.len());
    }
}
