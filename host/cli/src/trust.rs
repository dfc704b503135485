//! Which certificates of servers a command trusts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{self, CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use crate::reply::ClientError;

/// Most bytes of a file with certificates.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The certificates that a command trusts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Those that the system's authorities signed.
    System,
    /// Those in a PEM file, and those that they signed.
    File(PathBuf),
    /// The one with this SHA-256, in hexadecimal digits: the server of the data directory has it.
    Pinned(String),
}

impl Trust {
    /// What a connection with TLS needs.
    ///
    /// # Errors
    /// [`ClientError::BadCa`] if the file cannot be read or has no certificate.
    pub(crate) fn config(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (pins, roots) = match self {
            Trust::Pinned(digest) => (vec![digest.to_ascii_lowercase()], RootCertStore::empty()),
            Trust::File(path) => of_file(path)?,
            Trust::System => {
                let mut roots = RootCertStore::empty();
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
                (Vec::new(), roots)
            }
        };
        let signed = match roots.is_empty() {
            true => None,
            false => WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .ok(),
        };
        let verifier = Verifier {
            pins,
            signed,
            provider: Arc::clone(&provider),
        };
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::NoTls { source: error.into() })?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

/// The digests of the certificates in a file, and the same as authorities.
fn of_file(path: &Path) -> Result<(Vec<String>, RootCertStore), ClientError> {
    let bad = |source: io::Error| ClientError::BadCa {
        path: path.to_owned(),
        source,
    };
    let found = fs::metadata(path).map_err(bad)?;
    // A pipe would never end, nor would a device.
    if !found.is_file() || found.len() > MAX_FILE_BYTES {
        return Err(bad(io::Error::other("expected a regular file of at most 4 MiB")));
    }
    let text = fs::read(path).map_err(bad)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| bad(io::Error::other(error)))?;
    if certificates.is_empty() {
        return Err(bad(io::Error::other("it has no certificate")));
    }
    let pins = certificates.iter().map(digest).collect();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    Ok((pins, roots))
}

/// SHA-256 of a certificate, in hexadecimal digits.
fn digest(certificate: &CertificateDer<'_>) -> String {
    Sha256::digest(certificate)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Accepts the certificates of a list whatever their names are, and those that an authority signed
/// for the server's name.
#[derive(Debug)]
struct Verifier {
    pins: Vec<String>,
    signed: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pins.contains(&digest(certificate)) {
            return Ok(ServerCertVerified::assertion());
        }
        match &self.signed {
            Some(signed) => signed.verify_server_cert(certificate, others, name, ocsp_response, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused_by_its_name() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("ca.pem");
        for text in ["", "no PEM", "-----BEGIN CERTIFICATE-----\n"] {
            fs::write(&file, text).expect("writable");
            let error = Trust::File(file.clone()).config().expect_err(text);
            assert!(error.to_string().contains("ca.pem"), "{error}");
        }
        for path in [dir.path().join("nothing"), dir.path().to_owned()] {
            assert!(matches!(Trust::File(path).config(), Err(ClientError::BadCa { .. })));
        }
    }
}
