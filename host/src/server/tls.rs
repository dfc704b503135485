//! TLS: the certificate and its key, read again when their files change.
//!
//! A new pair is used for new connections. If it cannot be used, the log says why, and the old pair
//! stays. Names that lead to other files are followed each time: that is how certbot and
//! cert-manager replace a certificate.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;

use super::stream::{Limited, Transport};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Most bytes of each file.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The protocol that is spoken over TLS.
const HTTP_1_1: &[u8] = b"http/1.1";
/// How often the log tells that a client speaks no TLS.
const PLAIN_HTTP_LOGGED_EVERY: Duration = Duration::from_secs(60);

/// Why a certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{path} cannot be read; check its path, its owner and its mode", path = path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file is no PEM.
    #[error("{path} is no PEM file; expected blocks that begin with -----BEGIN", path = path.display())]
    Malformed {
        path: PathBuf,
        #[source]
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "{path} has no certificate; expected the server's certificate first, then those that signed it, in PEM",
        path = path.display()
    )]
    NoCertificate { path: PathBuf },
    /// There is no key in the file.
    #[error("{path} has no private key; expected one in PEM, without a password", path = path.display())]
    NoKey { path: PathBuf },
    /// The key is of another certificate.
    #[error(
        "the key in {key} does not belong to the certificate in {certificate}; expected the two of one pair",
        key = key.display(), certificate = certificate.display()
    )]
    Mismatch { certificate: PathBuf, key: PathBuf },
    /// The pair cannot be used for another reason.
    #[error("the certificate in {certificate} cannot be used", certificate = certificate.display())]
    Unusable {
        certificate: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

/// The names of the two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// A certificate with those that signed it, and a server's configuration with both.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    config: Arc<ServerConfig>,
}

/// What tells two states of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileState {
    device: u64,
    inode: u64,
    len_bytes: u64,
    changed: (i64, i64),
}

impl TlsFiles {
    /// Reads both files.
    ///
    /// # Errors
    /// Names the file, and says what was expected.
    pub(crate) fn read(&self) -> Result<Pair, TlsError> {
        let certificate = || self.certificate.clone();
        let malformed = |path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Malformed { path, source }
        };
        let text = read(&self.certificate)?;
        let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(malformed(&self.certificate))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: certificate() });
        }
        let key = match PrivateKeyDer::from_pem_slice(&read(&self.key)?) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(TlsError::NoKey { path: self.key.clone() }),
            Err(error) => return Err(malformed(&self.key)(error)),
        };
        let config = config(chain.clone(), key).map_err(|source| match source {
            rustls::Error::InconsistentKeys(_) => TlsError::Mismatch {
                certificate: certificate(),
                key: self.key.clone(),
            },
            source => TlsError::Unusable {
                certificate: certificate(),
                source,
            },
        })?;
        Ok(Pair {
            chain,
            config: Arc::new(config),
        })
    }

    /// The state of both files. `None` for one that is not there.
    fn states(&self) -> [Option<FileState>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some(FileState {
                device: found.dev(),
                inode: found.ino(),
                len_bytes: found.len(),
                changed: (found.mtime(), found.mtime_nsec()),
            })
        })
    }
}

impl Pair {
    /// SHA-256 of the server's own certificate, in hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        let own = self.chain.first().map_or(&[][..], |own| own.as_ref());
        Sha256::digest(own).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// TLS 1.2 and 1.3 with the provider's own choice of ciphers. No certificate of a client is asked
/// for.
fn config(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let bytes = || {
        // A pipe would never end, nor would a device.
        let found = fs::metadata(path)?;
        if !found.is_file() || found.len() > MAX_FILE_BYTES {
            return Err(io::Error::other("expected a regular file of at most 1 MiB"));
        }
        fs::read(path)
    };
    bytes().map_err(|source| TlsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The pair in use. A cheap handle.
#[derive(Clone, Debug)]
pub(crate) struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: TlsFiles,
    pair: Mutex<Pair>,
    /// The state of the files when `pair` was read.
    read_at: [Option<FileState>; 2],
    /// Seconds since 1970 when the log last told of a client that speaks no TLS.
    plain_logged: AtomicU64,
}

impl Tls {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Names the file, and says what was expected.
    pub(crate) fn open(files: TlsFiles) -> Result<Tls, TlsError> {
        // Looked at before they are read: a change in between is seen later.
        let read_at = files.states();
        let pair = Mutex::new(files.read()?);
        Ok(Tls(Arc::new(Inner {
            files,
            pair,
            read_at,
            plain_logged: AtomicU64::new(0),
        })))
    }

    /// SHA-256 of the certificate in use, in hexadecimal digits.
    pub(crate) fn fingerprint(&self) -> String {
        self.0.pair.lock().fingerprint()
    }

    /// Reads the files again when they change, until `stop`. `changed` is told of each new
    /// certificate.
    pub(crate) async fn reload(self, stop: CancellationToken, changed: impl Fn(&str) + Send) {
        let mut times = interval(LOOK_INTERVAL);
        times.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = self.0.read_at;
        while stop.run_until_cancelled(times.tick()).await.is_some() {
            let inner = Arc::clone(&self.0);
            // The files may lie on a slow disk.
            let looked = tokio::task::spawn_blocking(move || {
                let states = inner.files.states();
                (states, (states != seen).then(|| inner.files.read()))
            });
            let Ok((states, read)) = looked.await else { continue };
            seen = states;
            match read {
                None => {}
                Some(Ok(pair)) => {
                    let fingerprint = pair.fingerprint();
                    *self.0.pair.lock() = pair;
                    tracing::info!(certificate = %fingerprint, "the TLS certificate was replaced");
                    changed(&fingerprint);
                }
                // The two files are mostly replaced one after the other: the next look may find
                // both.
                Some(Err(error)) => tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the new TLS certificate cannot be used; the old one stays"
                ),
            }
        }
    }

    /// Makes the TLS handshake. `None` if it failed or took longer than `limit`.
    pub(super) async fn handshake(&self, stream: Limited, limit: Duration) -> Option<Transport> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.0.pair.lock().config));
        match timeout(limit, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => return Some(Transport::Tls(Box::new(stream))),
            Ok(Err(error)) if is_no_tls(&error) && self.may_log_plain() => tracing::warn!(
                "a client spoke no TLS, and its connection was closed; it has to use an https:// address"
            ),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_) => tracing::debug!("a TLS handshake took longer than {} s", limit.as_secs()),
        }
        None
    }

    /// Whether the log has not told of a client without TLS for a minute.
    fn may_log_plain(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        let last = self.0.plain_logged.load(Ordering::Relaxed);
        now.abs_diff(last) >= PLAIN_HTTP_LOGGED_EVERY.as_secs() && {
            self.0.plain_logged.store(now, Ordering::Relaxed);
            true
        }
    }
}

/// Whether a client's first bytes are no message of TLS.
fn is_no_tls(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    matches!(cause, Some(rustls::Error::InvalidMessage(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate and its key, in PEM.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("made");
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn files(dir: &Path, certificate: &str, key: &str) -> TlsFiles {
        let files = TlsFiles {
            certificate: dir.join("cert.pem"),
            key: dir.join("key.pem"),
        };
        fs::write(&files.certificate, certificate).expect("writable");
        fs::write(&files.key, key).expect("writable");
        files
    }

    #[test]
    fn a_pair_is_read_with_its_chain() {
        let dir = tempfile::tempdir().expect("a directory");
        let ((own, key), (signer, _)) = (made(), made());
        let pair = files(dir.path(), &format!("{own}{signer}"), &key)
            .read()
            .expect("a pair");
        assert_eq!(pair.chain.len(), 2);
        assert_eq!(pair.fingerprint().len(), 64);
        // Both may be in one file.
        let both = files(dir.path(), &format!("{key}{own}"), &format!("{own}{key}"));
        assert_eq!(both.read().expect("a pair").fingerprint(), pair.fingerprint());
    }

    #[test]
    fn a_pair_that_cannot_be_used_says_why() {
        let dir = tempfile::tempdir().expect("a directory");
        let ((certificate, key), (_, other_key)) = (made(), made());
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let cut = &certificate[..certificate.len() / 2];
        for (certificate, key, said) in [
            ("", key.as_str(), "has no certificate"),
            (key.as_str(), &key, "has no certificate"),
            (cut, &key, "PEM"),
            (&certificate, "", "has no private key"),
            (&certificate, &encrypted, "without a password"),
            (&certificate, &certificate, "has no private key"),
            (&certificate, &other_key, "does not belong to"),
        ] {
            let error = files(dir.path(), certificate, key).read().expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        let gone = TlsFiles {
            certificate: dir.path().join("nothing"),
            key: dir.path().join("key.pem"),
        };
        assert!(matches!(gone.read(), Err(TlsError::Read { .. })));
        let directory = TlsFiles {
            certificate: dir.path().to_owned(),
            ..gone
        };
        assert!(matches!(directory.read(), Err(TlsError::Read { .. })));
    }
}
