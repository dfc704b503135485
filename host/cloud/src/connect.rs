//! Connects to the object store that the URL of a space names.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::memory::InMemory;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ClientOptions, ObjectStore, ObjectStoreScheme, RetryConfig};
use url::Url;

use crate::Error;
use crate::directory::DirectoryStore;
use crate::redaction::redacted;
use crate::retry_after::PatientConnector;

/// How long a request may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the transfer of a body may stand still. The whole transfer has no limit, because a blob
/// may be large.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request is retried before it fails.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);

/// A store, seen from the prefix of the space.
pub(crate) struct Connection {
    pub store: Arc<dyn ObjectStore>,
    /// The same store, if an upload in parts can be continued there.
    pub multipart: Option<Arc<dyn MultipartStore>>,
    /// The directory of the space, if it is one on this machine.
    pub directory: Option<PathBuf>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("store", &self.store)
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

/// Connects to the store that a URL names. Credentials come from the environment (`AWS_*`,
/// `GOOGLE_*`, `AZURE_*`). Nothing is sent yet.
///
/// # Errors
/// [`Error::Url`] if the URL or the settings name no store, [`Error::Local`] if a directory cannot
/// be made.
pub(crate) fn connect(url: &str, create: bool) -> Result<Connection, Error> {
    let parsed = Url::parse(url).map_err(|error| wrong(url, error))?;
    let (scheme, path) = ObjectStoreScheme::parse(&parsed).map_err(|error| wrong(url, error))?;
    match scheme {
        ObjectStoreScheme::Local => local(url, &parsed, create),
        ObjectStoreScheme::Memory => Ok(Connection {
            store: Arc::new(InMemory::new()),
            multipart: None,
            directory: None,
        }),
        ObjectStoreScheme::AmazonS3 => {
            let store = s3(&parsed).build().map_err(|error| wrong(url, error))?;
            Ok(remote(store, path))
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            let options = options("GOOGLE_", |key| match key.parse() {
                Ok(GoogleConfigKey::Client(key)) => Some(key),
                _ => None,
            });
            let builder = GoogleCloudStorageBuilder::from_env().with_url(parsed.as_str());
            let builder = builder.with_client_options(options).with_retry(retry());
            let builder = builder.with_http_connector(PatientConnector);
            Ok(remote(builder.build().map_err(|error| wrong(url, error))?, path))
        }
        ObjectStoreScheme::MicrosoftAzure => {
            let options = options("AZURE_", |key| match key.parse() {
                Ok(AzureConfigKey::Client(key)) => Some(key),
                _ => None,
            });
            let builder = MicrosoftAzureBuilder::from_env().with_url(parsed.as_str());
            let builder = builder.with_client_options(options).with_retry(retry());
            let builder = builder.with_http_connector(PatientConnector);
            Ok(remote(builder.build().map_err(|error| wrong(url, error))?, path))
        }
        ObjectStoreScheme::Http => {
            let options = options("STOWAGE_HTTP_", |_| None).with_allow_http(parsed.scheme() == "http");
            let builder = HttpBuilder::new()
                .with_url(parsed.as_str())
                .with_client_options(options)
                .with_http_connector(PatientConnector)
                .with_retry(retry());
            // The whole URL is the root of the store. There is no prefix.
            let store = builder.build().map_err(|error| wrong(url, error))?;
            Ok(Connection {
                store: Arc::new(store),
                multipart: None,
                directory: None,
            })
        }
        other => Err(wrong(url, format!("stores of kind {other:?} are not supported"))),
    }
}

/// A store in which an upload in parts can be continued, seen from a prefix.
fn remote<S: ObjectStore + MultipartStore>(store: S, prefix: Path) -> Connection {
    if prefix.is_root() {
        return Connection::of(Arc::new(store));
    }
    Connection::of(Arc::new(PrefixStore::new(store, prefix)))
}

impl Connection {
    /// A store in which an upload in parts can be continued.
    pub(crate) fn of<S: ObjectStore + MultipartStore>(store: Arc<S>) -> Self {
        Self {
            store: store.clone(),
            multipart: Some(store),
            directory: None,
        }
    }
}

fn local(url: &str, parsed: &Url, create: bool) -> Result<Connection, Error> {
    let directory = parsed
        .to_file_path()
        .map_err(|()| wrong(url, "expected file:///absolute/path"))?;
    if create {
        std::fs::create_dir_all(&directory).map_err(|error| Error::local(directory.display(), error))?;
    }
    Ok(Connection {
        store: Arc::new(DirectoryStore::new(directory.clone())),
        multipart: None,
        directory: Some(directory),
    })
}

fn s3(url: &Url) -> AmazonS3Builder {
    let mut options = options("AWS_", |key| match key.parse() {
        Ok(AmazonS3ConfigKey::Client(key)) => Some(key),
        _ => None,
    });
    let builder = AmazonS3Builder::from_env().with_url(url.as_str()).with_retry(retry());
    // Plain HTTP is allowed for a server on this machine. For others, AWS_ALLOW_HTTP must allow it.
    if builder
        .get_config_value(&AmazonS3ConfigKey::Endpoint)
        .is_some_and(|endpoint| is_loopback_http(&endpoint))
    {
        options = options.with_allow_http(true);
    }
    let builder = builder
        .with_client_options(options)
        .with_http_connector(PatientConnector);
    if builder.get_config_value(&AmazonS3ConfigKey::Region).is_none() {
        return builder.with_region("us-east-1");
    }
    builder
}

fn is_loopback_http(endpoint: &str) -> bool {
    let Ok(url) = Url::parse(endpoint) else { return false };
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}

/// Our time limits. The environment may set others for this kind of store.
fn options(prefix: &str, key: impl Fn(&str) -> Option<ClientConfigKey>) -> ClientOptions {
    let options = ClientOptions::new()
        .with_timeout_disabled()
        .with_connect_timeout(CONNECT_TIMEOUT)
        .with_read_timeout(READ_TIMEOUT);
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(prefix))
        .filter_map(|(name, value)| Some((key(&name.to_ascii_lowercase())?, value)))
        .fold(options, |options, (key, value)| options.with_config(key, value))
}

fn retry() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(3),
            base: 2.0,
        },
        max_retries: 8,
        retry_timeout: RETRY_TIMEOUT,
    }
}

fn wrong(url: &str, reason: impl std::fmt::Display) -> Error {
    Error::Url {
        url: without_credentials(url),
        reason: redacted(&reason.to_string()),
    }
}

/// A URL without user, password and query, for logs.
pub(crate) fn without_credentials(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) => {
            // These fail only for a URL without an authority. Such a URL has no credentials.
            let _ = parsed.set_password(None);
            let _ = parsed.set_username("");
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
    fn a_url_that_names_no_store_says_what_was_expected() {
        for url in ["", "space", "ftp://host/x", "s3://"] {
            assert!(matches!(connect(url, true), Err(Error::Url { .. })), "{url}");
        }
    }

    #[test]
    fn credentials_do_not_reach_the_log() {
        assert_eq!(without_credentials("https://u:p@host/dav?sig=1"), "https://host/dav");
    }

    #[test]
    fn a_reason_that_quotes_the_url_is_without_its_credentials() {
        // One is refused by its scheme, the other by the builder.
        for url in [
            "foo://user:SECRET@host/x?sig=SECRET",
            "https://user:SECRET@x.y.z.blob.core.windows.net?SECRET",
        ] {
            if let Err(error) = connect(url, false) {
                assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
            }
        }
        let error = wrong("s3://b", "cannot parse https://user:SECRET@host/x?sig=SECRET");
        assert_eq!(error.to_string(), "space URL s3://b: cannot parse https://host/x");
    }

    #[test]
    fn only_loopback_endpoints_may_be_plain_http_unasked() {
        assert!(is_loopback_http("http://127.0.0.1:8014"));
        assert!(is_loopback_http("http://[::1]:8014"));
        assert!(!is_loopback_http("http://10.0.0.1:8014"));
        assert!(!is_loopback_http("http://127.0.0.1.example.com"));
    }
}
