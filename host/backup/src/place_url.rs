//! The URL of a place, from what a person writes.

use std::path::Path;

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
