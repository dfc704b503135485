//! A client of the admin API: one function for each route.

use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stowage_recording::Summary;
use thiserror::Error;
use url::form_urlencoded;

use super::file::ModuleFile;
use crate::client::Client;
use crate::reply::{ClientError, Reply};
use crate::stream::Streamed;
use stowage_deploy::api::{CanaryStatus, CheckReport, ShadowReport, SwapReport};
use stowage_deploy::api::{ConsoleLink, ModuleLog, RecordRequest, RecordStatus};
use stowage_deploy::api::{Done, ErrorBody, History, ModuleList};

/// The path of the recording.
const RECORD: &str = "/admin/record";

/// Why a request to the admin API failed.
#[derive(Debug, Error)]
pub enum AdminError {
    /// There was no answer.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The token is missing or wrong.
    #[error(
        "{address} does not take the admin token: name the server's data directory with --data DIR, or give what is in its \
         admin.token with --admin-token"
    )]
    Token {
        /// The server.
        address: String,
    },
    /// The API refused the request.
    #[error("{message}")]
    Refused {
        /// The reason.
        message: String,
        /// The report of the check, if that is the reason.
        report: Option<Box<CheckReport>>,
    },
    /// The server refused the request before the API saw it.
    #[error("{address} (HTTP {status}): {message}")]
    Failed {
        /// The server.
        address: String,
        /// The HTTP status.
        status: u16,
        /// The reason that the server gives.
        message: String,
    },
}

/// The parameters of a request, in their order.
pub(super) type Query<'a> = Vec<(&'a str, String)>;

/// A client of the admin API.
#[derive(Clone, Debug)]
pub struct AdminClient {
    client: Client,
}

impl AdminClient {
    /// Uses a client that has the admin token.
    #[must_use]
    pub fn new(client: Client) -> AdminClient {
        AdminClient { client }
    }

    /// The live modules.
    ///
    /// # Errors
    /// There was no answer, or the token was refused.
    pub async fn list(&self) -> Result<ModuleList, AdminError> {
        self.get("/admin/modules").await
    }

    /// The newest `limit` entries of the history.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn history(&self, limit: usize) -> Result<History, AdminError> {
        self.get(&format!("/admin/history?limit={limit}")).await
    }

    /// The report of a shadow.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if there is no shadow.
    pub async fn shadow_report(&self, name: &str) -> Result<ShadowReport, AdminError> {
        self.get(&format!("/admin/modules/{}/shadow", segment(name))).await
    }

    /// Checks a module. `recording` has calls to replay.
    ///
    /// # Errors
    /// As [`list`](Self::list). A failed check is an answer.
    pub async fn check(&self, file: ModuleFile, recording: Option<Vec<u8>>) -> Result<CheckReport, AdminError> {
        let size = recording.as_ref().map(|bytes| ("recording", bytes.len().to_string()));
        self.upload(
            "check",
            vec![file],
            recording.unwrap_or_default(),
            size.into_iter().collect(),
        )
        .await
    }

    /// Takes modules live together.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn swap(&self, files: Vec<ModuleFile>, options: Query<'_>) -> Result<SwapReport, AdminError> {
        self.upload("swap", files, Vec::new(), options).await
    }

    /// Runs a version in shadow of the live one.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn shadow(&self, file: ModuleFile, percent: f64) -> Result<ShadowReport, AdminError> {
        let query = vec![("percent", percent.to_string())];
        self.upload("shadow", vec![file], Vec::new(), query).await
    }

    /// Lets a version answer a share of the calls.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn canary(&self, file: ModuleFile, options: Query<'_>) -> Result<CanaryStatus, AdminError> {
        self.upload("canary", vec![file], Vec::new(), options).await
    }

    /// Changes the share of a running canary.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if there is no canary.
    pub async fn canary_percent(&self, name: &str, percent: f64) -> Result<CanaryStatus, AdminError> {
        let fields = vec![("name", name.to_owned()), ("percent", percent.to_string())];
        self.post("canary/percent", fields).await
    }

    /// The lines of the log about a module: the first `limit` after the number `after`, or the last
    /// `limit`.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if there is no such module.
    pub async fn log(&self, name: &str, after: Option<u64>, limit: u16) -> Result<ModuleLog, AdminError> {
        let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
        self.get(&format!("/admin/modules/{}/log?limit={limit}{after}", segment(name)))
            .await
    }

    /// Takes a shadow or a canary live.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn promote(&self, options: Query<'_>) -> Result<SwapReport, AdminError> {
        self.post("promote", options).await
    }

    /// Ends a shadow or a canary.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn abort(&self, name: &str) -> Result<(), AdminError> {
        let Done {} = self.post("abort", vec![("name", name.to_owned())]).await?;
        Ok(())
    }

    /// Goes back to the generation before, or to the named one.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn rollback(&self, to: Option<u64>) -> Result<SwapReport, AdminError> {
        self.post("rollback", to.map(|to| ("to", to.to_string())).into_iter().collect())
            .await
    }

    /// Unloads a module.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn unload(&self, options: Query<'_>) -> Result<SwapReport, AdminError> {
        self.post("unload", options).await
    }

    /// Begins a recording.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if there is a recording already or the
    /// file cannot be created.
    pub async fn record(&self, request: &RecordRequest) -> Result<Option<RecordStatus>, AdminError> {
        let body = serde_json::to_value(request).unwrap_or_default();
        read(&self.client.post(RECORD, &body).await?)
    }

    /// The running recording.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn recording(&self) -> Result<Option<RecordStatus>, AdminError> {
        self.get(RECORD).await
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if there is no recording or its file is
    /// incomplete.
    pub async fn end_recording(&self) -> Result<Summary, AdminError> {
        let reply = self.client.request(Method::DELETE, RECORD, None, Bytes::new());
        read(&reply.await?)
    }

    /// A new link into the console.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`] if the server has no console.
    pub async fn console_link(&self) -> Result<ConsoleLink, AdminError> {
        let body = Value::Object(serde_json::Map::new());
        read(&self.client.post("/admin/console/link", &body).await?)
    }

    /// Asks a route that has no function of its own. `body` is the fields of a POST.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, AdminError> {
        read(&match body {
            Some(body) => self.client.post(path, body).await?,
            None => self.client.request(method, path, None, Bytes::new()).await?,
        })
    }

    /// Gets a long answer piece by piece.
    ///
    /// # Errors
    /// As [`list`](Self::list), and [`AdminError::Refused`].
    pub async fn stream(&self, path: &str) -> Result<Streamed, AdminError> {
        let streamed = self.client.stream(path).await?;
        if streamed.status == 200 {
            return Ok(streamed);
        }
        let refused = read::<serde::de::IgnoredAny>(&streamed.into_reply().await?);
        Err(match refused {
            Err(error) => error,
            Ok(_) => unreachable!("only status 200 is read as an answer"),
        })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdminError> {
        read(&self.client.get(path).await?)
    }

    async fn post<T: DeserializeOwned>(&self, action: &str, fields: Query<'_>) -> Result<T, AdminError> {
        let fields = fields.into_iter().map(|(n, v)| (n.to_owned(), Value::String(v)));
        let body = Value::Object(fields.collect());
        read(&self.client.post(&format!("/admin/modules/{action}"), &body).await?)
    }

    /// Sends modules and what follows them in one body.
    async fn upload<T: DeserializeOwned>(
        &self,
        action: &str,
        files: Vec<ModuleFile>,
        rest: Vec<u8>,
        options: Query<'_>,
    ) -> Result<T, AdminError> {
        // A server that refuses the token closes the connection while bytes are sent, and its
        // answer may be lost. So the token is tried first.
        self.list().await?;
        let path = format!("/admin/modules/{action}?");
        let start = path.len();
        let mut query = form_urlencoded::Serializer::for_suffix(path, start);
        for (name, value) in options {
            query.append_pair(name, &value);
        }
        for file in &files {
            query
                .append_pair("name", &file.name)
                .append_pair("size", &file.bytes.len().to_string())
                .append_pair("from", &file.from);
        }
        let path = query.finish();
        let mut body = Vec::new();
        for mut file in files {
            if body.is_empty() {
                body = file.bytes;
            } else {
                body.append(&mut file.bytes);
            }
        }
        body.extend_from_slice(&rest);
        let reply = self
            .client
            .request(Method::POST, &path, Some("application/wasm"), Bytes::from(body))
            .await?;
        read(&reply)
    }
}

/// A text as a part of a path.
fn segment(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // In a path a plus sign stands for itself.
    encoded.replace('+', "%20")
}

/// The answer, or the reason why there is none.
fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, AdminError> {
    let foreign = || ClientError::NotStowage {
        address: reply.address.clone(),
        status: reply.status,
    };
    if reply.status == 200 {
        return serde_json::from_slice(&reply.body).map_err(|_| foreign().into());
    }
    let ErrorBody { error } = serde_json::from_slice(&reply.body).map_err(|_| foreign())?;
    Err(match reply.status {
        401 => AdminError::Token {
            address: reply.address.clone(),
        },
        403 | 405 | 415 | 421 => AdminError::Failed {
            address: reply.address.clone(),
            status: reply.status,
            message: error.message,
        },
        _ => AdminError::Refused {
            message: error.message,
            report: error.report.map(Box::new),
        },
    })
}
