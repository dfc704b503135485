//! How a command reaches the rows: through the running server, or in the files.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Arg;
use http::Method;
use serde::de::IgnoredAny;
use stowage_backup::{DATABASE, Source};
use stowage_cli::data_dir::default_data_dir;
use stowage_cli::module::{AdminClient, AdminError};
use stowage_cli::{API_ERROR, AdminArgs, ClientError, ServerFile, output};
use stowage_storage::{Config, OpenError, Store, older_format};

/// Where the rows are.
pub(super) enum Reach {
    /// A server runs.
    Server(AdminClient),
    /// No server runs on this data directory.
    Files(PathBuf),
}

/// The data directory of a command.
pub(super) fn data_dir(args: &AdminArgs) -> anyhow::Result<PathBuf> {
    let data = args.data.clone().or_else(default_data_dir);
    let data = data.context("no data directory is known: name one with --data DIR, or a server with --server URL")?;
    std::path::absolute(&data).with_context(|| format!("--data {}", data.display()))
}

/// Hides the options that name a server, for a command that needs a stopped one. They are taken all
/// the same: their variables may be set, and a server that runs is told better with its token.
pub(super) fn without_server(arg: Arg) -> Arg {
    match arg.get_id().as_str() {
        "server" | "ca" | "admin_token" => arg.hide(true),
        _ => arg,
    }
}

impl Reach {
    /// Looks for the server.
    pub(super) async fn find(args: &AdminArgs) -> anyhow::Result<Reach> {
        if args.server.is_some() {
            return Ok(Reach::Server(AdminClient::new(args.client()?)));
        }
        let data = data_dir(args)?;
        if ServerFile::read(&data)?.is_none() {
            return Ok(Reach::Files(data));
        }
        let client = match args.client() {
            Ok(client) => AdminClient::new(client),
            // A leftover of a server that was killed.
            Err(ClientError::NotRunning { .. }) => return Ok(Reach::Files(data)),
            Err(error) => return Err(error.into()),
        };
        match client.ask::<IgnoredAny>(Method::GET, "/admin/backup", None).await {
            Ok(_) => Ok(Reach::Server(client)),
            Err(AdminError::Client(ClientError::Unreachable { .. })) => Ok(Reach::Files(data)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Shows why the server refused. Returns any other error.
pub(super) fn refused(error: anyhow::Error) -> anyhow::Result<ExitCode> {
    match error.downcast::<AdminError>() {
        Ok(AdminError::Refused { message, .. }) => {
            eprintln!("refused: {}", output::printable(&message));
            Ok(ExitCode::from(API_ERROR))
        }
        Ok(error) => Err(error.into()),
        Err(error) => Err(error),
    }
}

/// Fails unless a data directory has a database. Opening would make one.
pub(super) fn check_database(data: &Path) -> anyhow::Result<()> {
    if !data.join(DATABASE).is_file() {
        bail!(
            "there is no database in {}: name the data directory with --data DIR",
            data.display()
        );
    }
    Ok(())
}

/// Opens the database of a data directory that no server uses.
pub(super) fn open(data: &Path) -> anyhow::Result<Source> {
    check_database(data)?;
    let database = data.join(DATABASE);
    // To open a database of an older format would convert it, and an older program could no longer
    // read it.
    if let Some(found) = older_format(&database).with_context(|| database.display().to_string())? {
        return Err(OpenError::FormatTooOld { path: database, found }.into());
    }
    let store = Store::open(&database, Config::default())
        .with_context(|| format!("the database of --data {}", data.display()))?;
    Ok(Source {
        store,
        data: data.to_owned(),
    })
}
