//! The answers of a server, and the errors if there is none.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// The longest time to wait for an answer. The deadlines of the server are shorter, except for the
/// first sync of a large space.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(600);

/// Why a server gave no answer. Each message ends with what to do about it.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Neither `--data` nor the environment names a directory.
    #[error("no data directory is known: name one with --data DIR, or the server with --server URL")]
    NoDataDir,
    /// No server runs on the data directory.
    #[error(
        "no server is running on {data}: start one with `stowage serve --data {data}`, or name another with --server URL or --data DIR",
        data = data.display()
    )]
    NotRunning {
        /// The data directory.
        data: PathBuf,
    },
    /// A file of the data directory cannot be read.
    #[error("{path} cannot be read: check who owns it; the server and its commands run as the same user", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// `server.json` is malformed.
    #[error("{path} is not what a server writes: restart the server, which writes it anew", path = path.display())]
    BadServerFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The address is malformed.
    #[error(
        "`{address}` is no server address: {reason}; write it as http://127.0.0.1:8787, https://127.0.0.1:8787 or unix:/run/stowage.sock"
    )]
    BadAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token has characters that no header can have.
    #[error("the token has characters that no header can carry: check --token or STOWAGE_TOKEN")]
    BadToken,
    /// Nobody listens at the address.
    #[error("no server answers at {address}: {hint}")]
    Unreachable {
        /// The address.
        address: String,
        /// What to do.
        hint: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The file with certificates cannot be used.
    #[error("--ca {path}: expected a PEM file with the server's certificate, or with those that sign it", path = path.display())]
    BadCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// TLS cannot be set up.
    #[error("this machine cannot speak TLS: use an http:// address on loopback, or a unix socket")]
    NoTls {
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's certificate is not trusted.
    #[error(
        "the certificate of {address} is not trusted: name the file that holds it, or the one that signs it, with --ca FILE"
    )]
    Untrusted {
        /// The server.
        address: String,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The handshake of TLS failed.
    #[error("no TLS with {address}: if the server speaks none, write the address with http://; else see its log")]
    NotTls {
        /// The server.
        address: String,
        /// The cause.
        source: io::Error,
    },
    /// The connection broke, or the answer was not HTTP.
    #[error("the connection to {address} failed: see the server's log, then try again")]
    Broken {
        /// The server.
        address: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer within [`ANSWER_TIMEOUT`].
    #[error("{address} has not answered for {seconds} s: see the server's log", seconds = ANSWER_TIMEOUT.as_secs())]
    TimedOut {
        /// The server.
        address: String,
    },
    /// The server refused the request before it reached a method.
    #[error("{address} refused the request (HTTP {status}): {message}{hint}")]
    Refused {
        /// The server.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The message of the server.
        message: String,
        /// What to do, with a separator at its start, or empty.
        hint: &'static str,
    },
    /// The answer is not an envelope.
    #[error("what answers at {address} (HTTP {status}) is no Stowage server: check the address")]
    NotStowage {
        /// The server.
        address: String,
        /// The HTTP status.
        status: u16,
    },
}

impl ClientError {
    /// Whether it is useless to try again later.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoDataDir
            | Self::BadAddress { .. }
            | Self::BadToken
            | Self::BadCa { .. }
            | Self::NoTls { .. }
            | Self::NotStowage { .. } => true,
            Self::Refused { status, .. } => matches!(status, 400..=407 | 421),
            Self::NotRunning { .. }
            | Self::Unreadable { .. }
            | Self::BadServerFile { .. }
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::NotTls { .. }
            | Self::Broken { .. }
            | Self::TimedOut { .. } => false,
        }
    }
}

/// An answer of a server.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The server, for messages.
    pub address: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// The envelope of every answer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Envelope {
    /// 200 for success.
    pub code: i64,
    /// The reason if the code is not 200.
    #[serde(default)]
    pub message: Option<String>,
    /// The result.
    #[serde(default)]
    pub data: Value,
}

impl Envelope {
    /// Whether the method succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == 200
    }
}

impl Reply {
    /// The envelope, whatever its code.
    ///
    /// # Errors
    /// [`ClientError::NotStowage`] if the body is no envelope.
    pub fn envelope(&self) -> Result<Envelope, ClientError> {
        serde_json::from_slice(&self.body).map_err(|_| ClientError::NotStowage {
            address: self.address.clone(),
            status: self.status,
        })
    }

    /// The envelope of a request that reached a method.
    ///
    /// # Errors
    /// [`ClientError::Refused`] if the server refused the request, [`ClientError::NotStowage`] if
    /// the body is no envelope.
    pub fn accepted(&self) -> Result<Envelope, ClientError> {
        let envelope = self.envelope()?;
        if self.status == 200 {
            return Ok(envelope);
        }
        Err(ClientError::Refused {
            address: self.address.clone(),
            status: self.status,
            message: envelope.message.unwrap_or_default(),
            hint: refusal_hint(self.status),
        })
    }
}

/// What to do about an HTTP status, as the end of a sentence.
#[must_use]
pub(crate) fn refusal_hint(status: u16) -> &'static str {
    match status {
        401 => "; give the server's token with --token or STOWAGE_TOKEN",
        403 | 421 => "; use an address that the server's settings allow as Host",
        413 => "; the request is larger than the server's settings allow",
        429 | 503 => "; the server is busy, try again in a moment",
        _ => "",
    }
}
