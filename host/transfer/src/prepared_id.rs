//! The identifier of a prepared file: it tells where the bytes are.

use std::fmt;

/// Where the bytes of a prepared file are. As text it is [`Prepared::id`](crate::Prepared::id),
/// which a module keeps. So nothing in it is trusted: a path is checked again when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In a file of the user, which must not have changed since.
    Path {
        path: String,
        size: u64,
        /// Its modification time, in nanoseconds since the epoch.
        mtime_ns: i64,
    },
    /// In the staging directory, under the hash of the file.
    Staged {
        /// The path of the file that was copied. Empty for a copy of a blob.
        from: String,
    },
    /// In the space already.
    Space,
}

impl Origin {
    /// Reads the text form. `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Origin> {
        let (kind, rest) = text.split_once(':')?;
        match kind {
            "path" => {
                let (size, rest) = rest.split_once(':')?;
                let (mtime_ns, path) = rest.split_once(':')?;
                Some(Origin::Path {
                    path: path.to_owned(),
                    size: size.parse().ok()?,
                    mtime_ns: mtime_ns.parse().ok()?,
                })
            }
            "staged" => Some(Origin::Staged { from: rest.to_owned() }),
            "space" if rest.is_empty() => Some(Origin::Space),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Path { path, size, mtime_ns } => write!(f, "path:{size}:{mtime_ns}:{path}"),
            Origin::Staged { from } => write!(f, "staged:{from}"),
            Origin::Space => f.write_str("space:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_reads_back_from_its_text() {
        for origin in [
            Origin::Path {
                path: "/a:b/c d.zip".into(),
                size: u64::MAX,
                mtime_ns: -5,
            },
            Origin::Staged { from: "/x".into() },
            Origin::Staged { from: String::new() },
            Origin::Space,
        ] {
            assert_eq!(Origin::parse(&origin.to_string()), Some(origin));
        }
    }

    #[test]
    fn another_text_is_no_origin() {
        for text in [
            "",
            "x",
            "path",
            "path:1",
            "path:1:2",
            "path:-1:2:/a",
            "space:x",
            "other:1",
        ] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
