//! The data directory of a server: its folders and the files that other programs look for.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use stowage_cli::data_dir::{SERVER_FILE, SPACE_DIR, default_data_dir};
use stowage_cli::space::{directory_url, space_url};
use stowage_cloud::{Cloud, Space};
use stowage_storage::Store;

use crate::listen::Endpoint;
use crate::settings::Settings;

/// The folders in the data directory that the server needs; the empty name is the directory itself.
const FOLDERS: [&str; 5] = ["", "downloads", "temp", "modules", "cache"];

/// The data directory.
#[derive(Clone)]
pub(super) struct DataDir {
    /// Its absolute path.
    pub(super) root: PathBuf,
}

impl DataDir {
    /// Opens the directory of the settings and creates what is missing. New folders are readable by
    /// this user only; existing ones keep their mode.
    pub(super) fn open(settings: &Settings) -> anyhow::Result<DataDir> {
        let root = match &settings.data {
            Some(dir) => dir.clone(),
            None => default_data_dir().context("no home directory is known; set --data DIR")?,
        };
        let data = DataDir {
            root: std::path::absolute(&root).with_context(|| format!("--data {}", root.display()))?,
        };
        for folder in FOLDERS {
            let path = data.path(folder);
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .with_context(|| {
                    format!(
                        "the data directory {} cannot be created; set --data DIR",
                        path.display()
                    )
                })?;
        }
        Ok(data)
    }

    /// The path of a file or folder in the directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Opens the database.
    pub(super) fn open_store(&self, settings: &Settings) -> anyhow::Result<Store> {
        let mut config = stowage_storage::Config::default();
        if let Some(mib) = settings.cache_mib {
            config.cache_size_bytes = mib << 20;
        }
        Store::open(&self.path("stowage.redb"), config)
            .with_context(|| format!("the database of --data {}", self.root.display()))
    }

    /// Opens the space of the settings, or the one in the data directory. A space that somebody
    /// named is created only in memory or for the demo: a typing error must not make a new one.
    pub(super) async fn open_space(&self, settings: &Settings, store: &Store) -> anyhow::Result<Space> {
        match &settings.space {
            Some(space) => {
                let url = space_url(space)?;
                let create = settings.demo == Some(true) || url.starts_with("memory:");
                super::space::open(&url, create, store).await
            }
            None => {
                let url = directory_url(&self.path(SPACE_DIR))?;
                let known = Cloud::known(store)?;
                // A new space has no rows, and a sync would remove those of a restored database.
                let opened = super::space::open(&url, known.is_none(), store).await;
                let elsewhere = known.filter(|known| known.trim_end_matches('/') != url.trim_end_matches('/'));
                opened.map_err(|error| match elsewhere {
                    Some(known) => error.context(format!(
                        "the rows of --data {} are of the space at {known}: name it with --space",
                        self.root.display()
                    )),
                    None => error,
                })
            }
        }
    }

    /// Writes the server's address for the commands that look for it in the data directory.
    /// `certificate` is the SHA-256 of the server's certificate: the commands trust it.
    pub(super) fn announce(&self, endpoint: &Endpoint, certificate: Option<&str>) -> anyhow::Result<()> {
        let mut content = serde_json::json!({
            "address": endpoint.to_string(),
            "pid": std::process::id(),
        });
        if let Some(certificate) = certificate {
            content["certificate"] = certificate.into();
        }
        let file = self.path(SERVER_FILE);
        write_private(&file, content.to_string().as_bytes()).with_context(|| file.display().to_string())
    }

    /// Removes the address.
    pub(super) fn withdraw(&self) {
        let file = self.path(SERVER_FILE);
        if let Err(error) = std::fs::remove_file(&file) {
            tracing::debug!(%error, file = %file.display(), "the server's address was not removed");
        }
    }
}

/// Replaces a file in one step. Only this user may read it.
fn write_private(file: &Path, content: &[u8]) -> std::io::Result<()> {
    let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
    let mut out = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)?;
    out.write_all(content)?;
    std::fs::rename(&temporary, file)
}
