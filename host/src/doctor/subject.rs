//! What is examined: the settings, the data directory, and the server that may run on it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use stowage_cli::data_dir::default_data_dir;
use stowage_cli::module::AdminClient;
use stowage_cli::{AdminArgs, ClientError, ServerFile};
use stowage_deploy::api::ModuleList;
use stowage_storage::{FileState, OpenError, inspect};
use tokio::time::timeout;

use super::verdict::because;
use crate::settings::Settings;

/// How long a server may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The file of the database in the data directory.
pub(super) const DATABASE: &str = "stowage.redb";

/// What is examined.
pub(super) struct Subject {
    pub(super) settings: Settings,
    /// The absolute path of the data directory.
    pub(super) data: PathBuf,
    /// What the database says. `None` if there is none.
    pub(super) database: Option<Result<FileState, OpenError>>,
    pub(super) server: ServerClue,
}

/// What `server.json`, the lock of the database and the server say together.
pub(super) enum ServerClue {
    /// Nothing: no server runs.
    None,
    /// A process has the database open, and there is no `server.json`.
    Unannounced,
    /// `server.json` cannot be read, or is not one, for this reason.
    Unreadable(String),
    /// Nobody has the database open: the server ended without removing the file.
    Stale(ServerFile),
    /// A process has the database open. Its live modules, or why it did not tell.
    Running(ServerFile, Result<ModuleList, String>),
}

impl Subject {
    /// Collects what several checks need.
    ///
    /// # Errors
    /// When no data directory is known.
    pub(super) async fn collect(settings: Settings) -> anyhow::Result<Subject> {
        let data = settings.data.clone().or_else(default_data_dir);
        let data = data.context("no home directory is known; set --data DIR")?;
        let data = std::path::absolute(&data).with_context(|| format!("--data {}", data.display()))?;
        let database = data.join(DATABASE);
        let database = database.exists().then(|| inspect(&database));
        let is_open = matches!(database, Some(Err(OpenError::InUse { .. })));
        let server = match (ServerFile::read(&data), is_open) {
            (Ok(None), false) => ServerClue::None,
            (Ok(None), true) => ServerClue::Unannounced,
            (Ok(Some(file)), false) => ServerClue::Stale(file),
            (Ok(Some(file)), true) => ServerClue::Running(file, ask(&data).await),
            (Err(error), _) => ServerClue::Unreadable(cause(&error)),
        };
        Ok(Subject {
            settings,
            data,
            database,
            server,
        })
    }

    /// Whether another process has the database open.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.database, Some(Err(OpenError::InUse { .. })))
    }

    /// The address of the server that runs on the data directory.
    pub(super) fn server_address(&self) -> Option<&str> {
        match &self.server {
            ServerClue::Running(file, _) => Some(&file.address),
            _ => None,
        }
    }

    /// The directory, or the nearest one above it that exists: that is where it will be made.
    pub(super) fn nearest_dir(&self) -> &Path {
        let mut above = self.data.ancestors();
        above.find(|dir| dir.exists()).unwrap_or(Path::new("/"))
    }
}

/// Why `server.json` cannot be read, without the advice of other commands: the check has its own.
fn cause(error: &ClientError) -> String {
    std::error::Error::source(error).map_or_else(|| because(error), because)
}

async fn ask(data: &Path) -> Result<ModuleList, String> {
    let arguments = AdminArgs {
        data: Some(data.to_owned()),
        ..AdminArgs::default()
    };
    let client = arguments.client().map_err(|error| because(&error))?;
    match timeout(ANSWER_TIMEOUT, AdminClient::new(client).list()).await {
        Ok(Ok(list)) => Ok(list),
        Ok(Err(error)) => Err(because(&error)),
        Err(_) => Err(format!("it has not answered for {} s", ANSWER_TIMEOUT.as_secs())),
    }
}
