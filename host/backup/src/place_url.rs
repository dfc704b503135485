//! The URL of a place, from what a person writes.

use std::path::{Path, PathBuf};

use url::Url;

use crate::error::Error;

/// The URL of a folder or of an object store. A folder is made absolute.
///
/// # Errors
/// [`Error::Url`] for a folder that has no URL.
pub fn place_url(place: &str) -> Result<String, Error> {
    if place.contains("://") {
        return Ok(place.to_owned());
    }
    let wrong = |reason: String| Error::Url {
        url: place.to_owned(),
        reason,
    };
    let absolute = std::path::absolute(Path::new(place)).map_err(|error| wrong(error.to_string()))?;
    match Url::from_directory_path(&absolute) {
        Ok(url) => Ok(url.into()),
        Err(()) => Err(wrong("it cannot be written as a URL".to_owned())),
    }
}

/// Fails if the URL of a place is a folder in the data directory: who loses the one loses the
/// other. Links are followed.
///
/// # Errors
/// [`Error::Url`].
pub fn check_outside(url: &str, data: &Path) -> Result<(), Error> {
    let Some(folder) = folder_of(url) else { return Ok(()) };
    match resolved(&folder).starts_with(resolved(data)) {
        true => Err(Error::Url {
            url: url.to_owned(),
            reason: format!(
                "it is in the data directory {}, and who loses the one loses the other; name a folder elsewhere, best on \
                 another disk",
                data.display()
            ),
        }),
        false => Ok(()),
    }
}

/// The folder that a URL names.
pub(crate) fn folder_of(url: &str) -> Option<PathBuf> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

/// A path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let mut absent = PathBuf::new();
    for above in path.ancestors() {
        if let Ok(there) = above.canonicalize() {
            // An empty end would add a slash, which a comparison does not see.
            return there.join(absent);
        }
        if let Some(name) = above.file_name() {
            absent = Path::new(name).join(absent);
        }
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_place_in_the_data_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        fs::create_dir(&data).unwrap();
        symlink(&data, dir.path().join("link")).unwrap();
        let check = |place: &str| check_outside(&place_url(dir.path().join(place).to_str().unwrap()).unwrap(), &data);
        for place in ["data", "data/backups", "data/a/b", "link/backups", "other/../data/x"] {
            let refused = check(place).unwrap_err().to_string();
            assert!(refused.contains("in the data directory"), "{place}: {refused}");
        }
        for place in ["", "data-backups", "elsewhere/data", "data/../backups"] {
            check(place).unwrap();
        }
        check_outside("s3://data/backups", &data).unwrap();
    }
}
