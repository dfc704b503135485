//! Finds the server: the named one, or the one that runs on the data directory.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::client::Client;
use super::data_dir::{ADMIN_TOKEN_FILE, SERVER_FILE, default_data_dir};
use super::reply::ClientError;
use super::trust::Trust;

/// The options that name a server and the token for it.
#[derive(Clone, Default, Args)]
pub struct ClientArgs {
    /// The address of the server, for example http://127.0.0.1:8787 or unix:/run/stowage.sock
    /// [default: the server of the data directory]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// The data directory of the server [default: the platform's, ~/.local/share/stowage on Linux]
    #[arg(long, value_name = "DIR", env = "STOWAGE_DATA")]
    pub data: Option<PathBuf>,
    /// A PEM file with the server's certificate, or with those that sign it, for https:// [default:
    /// the system's; the server of a data directory is known]
    #[arg(long, value_name = "FILE", env = "STOWAGE_CA")]
    pub ca: Option<PathBuf>,
    /// The bearer token, if the server requires one
    #[arg(long, value_name = "TOKEN", env = "STOWAGE_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

impl fmt::Debug for ClientArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientArgs")
            .field("server", &self.server)
            .field("data", &self.data)
            .field("ca", &self.ca)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// The options that name a server and the token of its admin API.
#[derive(Clone, Default, Args)]
pub struct AdminArgs {
    /// The address of the server, for example http://127.0.0.1:8787 or unix:/run/stowage.sock
    /// [default: the server of the data directory]
    #[arg(long, value_name = "URL", requires = "admin_token")]
    pub server: Option<String>,
    /// The data directory of the server [default: the platform's, ~/.local/share/stowage on Linux]
    #[arg(long, value_name = "DIR", env = "STOWAGE_DATA")]
    pub data: Option<PathBuf>,
    /// A PEM file with the server's certificate, or with those that sign it, for https:// [default:
    /// the system's; the server of a data directory is known]
    #[arg(long, value_name = "FILE", env = "STOWAGE_CA")]
    pub ca: Option<PathBuf>,
    /// The token of the admin API [default: the one in DATA/admin.token]
    #[arg(long, value_name = "TOKEN", env = "STOWAGE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<String>,
}

impl fmt::Debug for AdminArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminArgs")
            .field("server", &self.server)
            .field("data", &self.data)
            .field("ca", &self.ca)
            .field("admin_token", &self.admin_token.as_ref().map(|_| "…"))
            .finish()
    }
}

impl AdminArgs {
    /// A client for the admin API. The token in a data directory is sent to the server of that
    /// directory only.
    ///
    /// # Errors
    /// The address or the token is unknown or malformed.
    pub fn client(&self) -> Result<Client, ClientError> {
        let server = ClientArgs {
            server: self.server.clone(),
            data: self.data.clone(),
            ca: self.ca.clone(),
            token: None,
        };
        if let Some(token) = &self.admin_token {
            return server.client_with(Some(token.clone()));
        }
        let data = server.data_dir()?;
        let token = read(&data.join(ADMIN_TOKEN_FILE))?.ok_or(ClientError::NotRunning { data })?;
        ClientArgs { server: None, ..server }.client_with(Some(token.trim().to_owned()))
    }
}

/// The file that the server writes into the data directory when it accepts connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServerFile {
    /// Where it listens: a URL, or `unix:` and a path.
    pub address: String,
    /// The number of its process.
    pub pid: u32,
    /// SHA-256 of its certificate, in hexadecimal digits, if it speaks TLS.
    #[serde(default)]
    pub certificate: Option<String>,
}

impl ServerFile {
    /// Reads the file of a data directory. `None` if there is none.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`], [`ClientError::BadServerFile`].
    pub fn read(data: &Path) -> Result<Option<ServerFile>, ClientError> {
        let path = data.join(SERVER_FILE);
        let Some(text) = read(&path)? else { return Ok(None) };
        let file = serde_json::from_str(&text);
        file.map(Some)
            .map_err(|source| ClientError::BadServerFile { path, source })
    }
}

impl ClientArgs {
    /// The data directory: the named one, or that of the platform.
    ///
    /// # Errors
    /// [`ClientError::NoDataDir`] if there is neither.
    pub fn data_dir(&self) -> Result<PathBuf, ClientError> {
        self.data
            .clone()
            .or_else(default_data_dir)
            .ok_or(ClientError::NoDataDir)
    }

    /// A client for the API, with the token from the options.
    ///
    /// # Errors
    /// The address is unknown or malformed, or the token is malformed.
    pub fn client(&self) -> Result<Client, ClientError> {
        self.client_with(self.token.clone())
    }

    fn client_with(&self, token: Option<String>) -> Result<Client, ClientError> {
        let (address, certificate, hint) = match &self.server {
            Some(address) => (
                address.clone(),
                None,
                "check the address, or start a server there with `stowage serve --listen HOST:PORT`".to_owned(),
            ),
            None => {
                let data = self.data_dir()?;
                let file = ServerFile::read(&data)?.ok_or_else(|| ClientError::NotRunning { data: data.clone() })?;
                let hint = format!(
                    "the server that ran there as process {} is gone; start it again with `stowage serve --data {}`",
                    file.pid,
                    data.display()
                );
                (file.address, file.certificate, hint)
            }
        };
        let trust = match (&self.ca, certificate) {
            (Some(file), _) => Trust::File(file.clone()),
            (None, Some(certificate)) => Trust::Pinned(certificate),
            (None, None) => Trust::System,
        };
        Client::new(&address, hint, token.as_deref(), &trust)
    }
}

/// The largest file that the server writes for its clients.
const MAX_FILE_BYTES: u64 = 64 << 10;

/// The text of a file, or `None` if there is no file.
fn read(path: &Path) -> Result<Option<String>, ClientError> {
    let text = || {
        // A pipe would never end, nor would a device.
        let found = fs::metadata(path)?;
        if !found.is_file() || found.len() > MAX_FILE_BYTES {
            return Err(io::Error::other("expected a regular file of at most 64 KiB"));
        }
        fs::read_to_string(path)
    };
    match text() {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ClientError::Unreadable {
            path: path.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_found_by_its_data_directory() {
        let data = tempfile::tempdir().expect("a directory");
        let arguments = ClientArgs {
            data: Some(data.path().to_owned()),
            ..ClientArgs::default()
        };
        let error = arguments.client().expect_err("no server yet");
        assert!(error.to_string().contains("stowage serve --data"), "{error}");

        let file = data.path().join(SERVER_FILE);
        fs::write(&file, r#"{"address":"http://127.0.0.1:8787","pid":123}"#).expect("writable");
        assert_eq!(arguments.client().expect("found").address(), "http://127.0.0.1:8787");
        let admin_arguments = AdminArgs {
            data: arguments.data.clone(),
            ..AdminArgs::default()
        };
        assert!(
            matches!(admin_arguments.client(), Err(ClientError::NotRunning { .. })),
            "there is no token yet"
        );
        fs::write(data.path().join(ADMIN_TOKEN_FILE), "t0ken\n").expect("writable");
        let admin = admin_arguments.client().expect("found");
        assert_eq!(admin.bearer().expect("a token"), "Bearer t0ken");
        assert!(!format!("{admin:?}").contains("t0ken"), "a token never shows");

        fs::write(&file, "{").expect("writable");
        assert!(matches!(arguments.client(), Err(ClientError::BadServerFile { .. })));
    }

    #[test]
    fn the_token_of_a_data_directory_goes_to_no_other_server() {
        let data = tempfile::tempdir().expect("a directory");
        fs::write(
            data.path().join(SERVER_FILE),
            r#"{"address":"http://127.0.0.1:1","pid":1}"#,
        )
        .expect("writable");
        fs::write(data.path().join(ADMIN_TOKEN_FILE), "t0ken\n").expect("writable");
        let mut arguments = AdminArgs {
            server: Some("http://127.0.0.1:2".to_owned()),
            data: Some(data.path().to_owned()),
            ca: None,
            admin_token: None,
        };
        assert_eq!(arguments.client().expect("found").address(), "http://127.0.0.1:1");
        arguments.admin_token = Some("given".to_owned());
        let client = arguments.client().expect("named");
        assert_eq!(client.address(), "http://127.0.0.1:2");
        assert_eq!(client.bearer().expect("a token"), "Bearer given");
        assert!(!format!("{arguments:?}").contains("given"), "a token never shows");
    }

    #[test]
    fn a_named_server_comes_before_the_data_directory() {
        let arguments = ClientArgs {
            server: Some("http://127.0.0.1:1".to_owned()),
            data: Some("/nowhere".into()),
            ca: None,
            token: None,
        };
        assert_eq!(arguments.client().expect("named").address(), "http://127.0.0.1:1");
    }
}
