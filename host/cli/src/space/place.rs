//! The option that names a space.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use stowage_cloud::{Error, OpenOptions, Space};
use url::Url;

use crate::data_dir::{SPACE_DIR, default_data_dir};

/// Which space
#[derive(Debug, Clone, Default, Args)]
pub struct SpaceArgs {
    /// The space: an object-store URL or a directory [default: the folder `space` of the data
    /// directory]
    #[arg(long, value_name = "URL", env = "STOWAGE_SPACE")]
    pub space: Option<String>,
    /// The data directory [default: the platform's, ~/.local/share/stowage on Linux]
    #[arg(long, value_name = "DIR", env = "STOWAGE_DATA")]
    pub data: Option<PathBuf>,
}

impl SpaceArgs {
    /// Opens the space, which must exist.
    pub(super) async fn open(&self) -> anyhow::Result<(Space, String)> {
        let url = match &self.space {
            Some(place) => lasting_url(place)?,
            None => {
                let data = self.data.clone().or_else(default_data_dir);
                let data =
                    data.context("no data directory is known: name one with --data DIR, or a space with --space URL")?;
                directory_url(&data.join(SPACE_DIR))?
            }
        };
        match Space::open(&url, OpenOptions::default()).await {
            Ok(space) => Ok((space, url)),
            Err(Error::Missing { .. }) => bail!(
                "there is no space at {}: make one with `stowage space init URL`",
                shown(&url)
            ),
            Err(error) => Err(error).with_context(|| format!("the space at {} cannot be opened", shown(&url))),
        }
    }
}

/// The URL of a space from the argument: a URL or a directory.
pub fn space_url(place: &str) -> anyhow::Result<String> {
    // One letter before a colon is a drive.
    let scheme = place.split_once(':').map_or("", |(scheme, _)| scheme);
    if scheme.len() > 1 && place[scheme.len()..].starts_with("://") {
        return Ok(place.to_owned());
    }
    directory_url(Path::new(place))
}

/// [`space_url`] for a space that exists without a server.
pub(super) fn lasting_url(place: &str) -> anyhow::Result<String> {
    let url = space_url(place)?;
    if Url::parse(&url).is_ok_and(|parsed| parsed.scheme() == "memory") {
        bail!("a space in memory lives and ends with its server");
    }
    Ok(url)
}

/// The URL of a directory, which is made absolute.
pub fn directory_url(path: &Path) -> anyhow::Result<String> {
    let absolute = std::path::absolute(path).with_context(|| format!("{} is no directory", path.display()))?;
    match Url::from_directory_path(&absolute) {
        Ok(url) => Ok(url.into()),
        Err(()) => bail!("{} cannot be written as a URL", absolute.display()),
    }
}

/// A URL without its credentials.
pub fn shown(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) => {
            // Both succeed for a URL with an authority. A URL without one has no credentials.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.set_query(None);
            parsed.into()
        }
        Err(_) => "(not a URL)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_is_named_by_a_url_or_a_directory() {
        assert_eq!(space_url("s3://bucket/prefix").expect("a URL"), "s3://bucket/prefix");
        assert_eq!(space_url("memory:///").expect("a URL"), "memory:///");
        let directory = std::env::temp_dir().join("a b");
        let url = space_url(directory.to_str().expect("text")).expect("a directory");
        assert!(url.starts_with("file:///") && url.ends_with("/a%20b/"), "{url}");
    }

    #[tokio::test]
    async fn a_space_in_memory_is_no_space_without_its_server() {
        for url in ["memory:///", "memory://", "MEMORY:///x"] {
            let args = SpaceArgs {
                space: Some(url.to_owned()),
                data: None,
            };
            let error = args.open().await.expect_err("nothing to open").to_string();
            assert_eq!(error, "a space in memory lives and ends with its server", "{url}");
        }
        assert_eq!(lasting_url("s3://memory/x").expect("a URL"), "s3://memory/x");
    }

    #[test]
    fn credentials_do_not_show() {
        assert_eq!(shown("https://u:p@host/dav?sig=1"), "https://host/dav");
    }
}
