//! The directories that may take downloads.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::config::Config;

/// The longest name of a directory.
const NAME_LIMIT_BYTES: usize = 255;

/// The most directories below a root.
const DEPTH_LIMIT: usize = 64;

/// The directories that may take downloads. Only the text of a path is checked here. What it leads
/// to on disk is checked when the directory is opened.
#[derive(Debug)]
pub(crate) struct Roots {
    downloads: PathBuf,
    all: Vec<PathBuf>,
}

/// The path of a directory below one of the roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) root: PathBuf,
    pub(crate) below: Vec<String>,
}

/// Why a directory cannot take a download.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectoryError {
    /// The path has backslashes or a drive letter.
    #[error("expected a path with forward slashes and without a drive letter")]
    NotPortable,
    /// The path is outside the directories of downloads.
    #[error("expected a path inside {}", listed(.roots))]
    Outside {
        /// The directories that may take downloads.
        roots: Vec<PathBuf>,
    },
    /// A name in the path is not UTF-8.
    #[error("expected directory names in UTF-8")]
    NotUtf8,
    /// A name in the path is too long or has control characters.
    #[error("expected directory names of at most {NAME_LIMIT_BYTES} bytes without control characters")]
    Name,
    /// The path has a `..`.
    #[error("expected a path without `..`")]
    Parent,
    /// The path has too many names.
    #[error("expected a path of at most {DEPTH_LIMIT} directories")]
    TooDeep,
}

fn listed(roots: &[PathBuf]) -> String {
    let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
    roots.join(" or ")
}

impl Target {
    /// The whole path.
    pub(crate) fn path(&self) -> PathBuf {
        let mut path = self.root.clone();
        path.extend(&self.below);
        path
    }
}

impl Roots {
    /// Creates the directories for downloads and temp files if they are missing.
    pub(crate) fn open(config: &Config) -> io::Result<Roots> {
        fs::create_dir_all(&config.downloads_dir)?;
        fs::create_dir_all(&config.temp_dir)?;
        let more = config.download_roots.iter().map(std::path::absolute);
        let more = more.collect::<io::Result<_>>()?;
        Ok(Roots::of(std::path::absolute(&config.downloads_dir)?, more))
    }

    /// These directories, which need not exist. All paths are absolute.
    pub(crate) fn of(downloads: PathBuf, more: Vec<PathBuf>) -> Roots {
        let all = std::iter::once(downloads.clone()).chain(more).collect();
        Roots { downloads, all }
    }

    /// The directory of a request. Absent: the directory of the platform. Relative: inside it.
    /// Absolute: inside a root.
    pub(crate) fn resolve(&self, platform: u8, directory: Option<&str>) -> Result<Target, DirectoryError> {
        let mut below = vec![platform.to_string()];
        if let Some(directory) = directory.filter(|text| !text.is_empty()) {
            let path = Path::new(directory);
            if path.is_absolute() {
                return self.locate(path);
            }
            if directory.contains('\\') || directory.as_bytes().get(1) == Some(&b':') {
                return Err(DirectoryError::NotPortable);
            }
            below.extend(components(path)?);
        }
        Ok(Target {
            root: self.downloads.clone(),
            below,
        })
    }

    /// Finds the root of an absolute path. The innermost root wins, because the path below it is
    /// walked by name.
    pub(crate) fn locate(&self, path: &Path) -> Result<Target, DirectoryError> {
        let (root, rest) = self
            .all
            .iter()
            .filter_map(|root| Some((root, path.strip_prefix(root).ok()?)))
            .max_by_key(|(root, _)| root.components().count())
            .ok_or_else(|| DirectoryError::Outside {
                roots: self.all.clone(),
            })?;
        Ok(Target {
            root: root.clone(),
            below: components(rest)?,
        })
    }
}

fn components(path: &Path) -> Result<Vec<String>, DirectoryError> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => {
                let name = name.to_str().ok_or(DirectoryError::NotUtf8)?;
                if name.len() > NAME_LIMIT_BYTES || name.chars().any(char::is_control) {
                    return Err(DirectoryError::Name);
                }
                names.push(name.to_owned());
            }
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err(DirectoryError::Parent);
            }
        }
    }
    if names.len() > DEPTH_LIMIT {
        return Err(DirectoryError::TooDeep);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(dir: &Path) -> Roots {
        let mut config = Config::new(dir.join("downloads"), dir.join("temp"));
        config.download_roots = vec![dir.join("extra")];
        Roots::open(&config).unwrap()
    }

    #[test]
    fn a_directory_is_the_platforms_inside_it_or_inside_a_root() {
        let dir = tempfile::tempdir().unwrap();
        let roots = roots(dir.path());
        let path = |directory: Option<&str>| roots.resolve(3, directory).unwrap().path();
        let downloads = dir.path().join("downloads");
        assert_eq!(path(None), downloads.join("3"));
        assert_eq!(path(Some("")), downloads.join("3"));
        assert_eq!(path(Some("./a/b")), downloads.join("3/a/b"));
        let absolute = dir.path().join("extra/x");
        assert_eq!(path(absolute.to_str()), absolute);
        let absolute = downloads.join("7");
        assert_eq!(path(absolute.to_str()), absolute);
    }

    #[test]
    fn a_directory_outside_the_roots_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let roots = roots(dir.path());
        let escape = format!("{}/downloads/../../x", dir.path().display());
        let sibling = format!("{}/downloads-of-others", dir.path().display());
        for directory in [
            "/",
            "/etc",
            "..",
            "a/../../../b",
            "a/..",
            &escape,
            &sibling,
            "a\0b",
            "a\nb",
            "C:/x",
            "C:\\Users",
            "..\\..\\x",
            "\\\\server\\share",
            &"d/".repeat(65),
            &"n".repeat(256),
        ] {
            assert!(roots.resolve(3, Some(directory)).is_err(), "{directory:?}");
        }
    }
}
