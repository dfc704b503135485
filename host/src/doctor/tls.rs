//! The check of the TLS certificate and its key.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use super::subject::Subject;
use super::verdict::{Verdict, because};
use crate::listen::Listen;
use crate::serve::{listen_address, tls_files};
use crate::server::{Pair, TlsFiles};

const ID: &str = "tls";

/// A certificate that ends sooner than this is a warning: it should have been renewed.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);
/// The last second that a certificate can name, in seconds since 1970.
const LAST: u64 = 253_402_300_799;

/// Whether the pair can be used, for how long, and whether others can read the key.
pub(super) fn check(subject: &Subject) -> Verdict {
    let files = match tls_files(&subject.settings) {
        Ok(Some(files)) => files,
        Ok(None) => return without(&listen_address(&subject.settings)),
        Err(error) => return Verdict::error(ID, format!("{error:#}"), "give both files, or none"),
    };
    let pair = match files.read() {
        Ok(pair) => pair,
        Err(error) => {
            return Verdict::error(
                ID,
                because(&error),
                "give a certificate and its key, both in PEM, with --tls-cert FILE and --tls-key FILE",
            );
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    examine(&files, &pair, now)
}

fn without(listen: &Listen) -> Verdict {
    match listen.is_local() {
        true => Verdict::skipped(ID, "no TLS: only this machine can reach the server"),
        false => Verdict::warning(
            ID,
            format!("no TLS on {listen}: others on the network can read the token and all data"),
            "set --tls-cert and --tls-key, or listen on loopback behind a proxy that speaks TLS",
        ),
    }
}

fn examine(files: &TlsFiles, pair: &Pair, now: Duration) -> Verdict {
    let shown = files.certificate.display();
    let Some((from, until)) = pair.chain.first().and_then(validity) else {
        return Verdict::error(
            ID,
            format!("{shown} is no X.509 certificate"),
            "give another one with --tls-cert FILE",
        );
    };
    let renew = "renew the certificate; the running server takes the new files by itself";
    if until < now {
        return Verdict::error(ID, format!("{shown} ended on {}", date(until)), renew);
    }
    if now < from {
        return Verdict::error(
            ID,
            format!("{shown} is valid from {} on only", date(from)),
            "check the clock of this machine, or give another certificate",
        );
    }
    if until - now < SOON {
        return Verdict::warning(ID, format!("{shown} ends soon, on {}", date(until)), renew);
    }
    let key = files.key.display();
    match fs::metadata(&files.key).map(|found| found.mode() & 0o007) {
        Ok(0) => Verdict::ok(
            ID,
            format!("{shown} and its key are a pair, valid until {}", date(until)),
        ),
        Ok(_) => Verdict::warning(
            ID,
            format!("every user of this machine can read the key {key}"),
            format!("chmod o-rwx {key}"),
        ),
        Err(error) => Verdict::error(ID, format!("{key} cannot be looked at: {error}"), "check who owns it"),
    }
}

/// From when to when a certificate is valid, in time since 1970. `None` if it is none.
///
/// The library tells these times when a certificate is used before or after them, and looks at them
/// before it looks at the signature.
fn validity(certificate: &CertificateDer<'static>) -> Option<(Duration, Duration)> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let verifier = verifier.build().ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    let fault = |seconds: u64| {
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        match verifier.verify_server_cert(certificate, &[], &name, &[], time) {
            Err(Error::InvalidCertificate(fault)) => Some(fault),
            Ok(_) | Err(_) => None,
        }
    };
    let seconds = |time: UnixTime| Duration::from_secs(time.as_secs());
    match (fault(0), fault(LAST)) {
        (Some(CertificateError::BadEncoding), _) => None,
        (before, after) => Some((
            match before {
                Some(CertificateError::NotValidYetContext { not_before, .. }) => seconds(not_before),
                _ => Duration::ZERO,
            },
            match after {
                Some(CertificateError::ExpiredContext { not_after, .. }) => seconds(not_after),
                _ => Duration::from_secs(LAST),
            },
        )),
    }
}

/// The day of a time since 1970.
fn date(time: Duration) -> String {
    let time = UNIX_EPOCH + time.min(Duration::from_secs(LAST));
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::verdict::Outcome;
    use super::*;

    /// Seconds of 2026-01-01.
    const NEW_YEAR: u64 = 1_767_225_600;

    fn day(number: u64) -> Duration {
        Duration::from_secs(NEW_YEAR + number * 24 * 3600)
    }

    #[test]
    fn a_certificate_is_good_ends_soon_has_ended_or_is_not_yet_valid() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = TlsFiles {
            certificate: dir.path().join("cert.pem"),
            key: dir.path().join("key.pem"),
        };
        let key = rcgen::KeyPair::generate().expect("made");
        let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        wanted.not_before = rcgen::date_time_ymd(2026, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2026, 4, 1);
        let certificate = wanted.self_signed(&key).expect("signed");
        fs::write(&files.certificate, certificate.pem()).expect("writable");
        fs::write(&files.key, key.serialize_pem()).expect("writable");
        let set_mode = |mode| {
            fs::set_permissions(&files.key, fs::Permissions::from_mode(mode)).expect("ours");
        };
        set_mode(0o600);
        let pair = files.read().expect("a pair");
        for (now, outcome, word) in [
            (day(1), Outcome::Ok, "2026-04-01"),
            (day(80), Outcome::Warning, "ends soon, on 2026-04-01"),
            (day(91), Outcome::Error, "ended on 2026-04-01"),
            (day(0) - Duration::from_secs(1), Outcome::Error, "from 2026-01-01"),
        ] {
            let verdict = examine(&files, &pair, now);
            assert_eq!(verdict.outcome, outcome, "{verdict:?}");
            assert!(verdict.found.contains(word), "{word}: {verdict:?}");
        }
        set_mode(0o644);
        let verdict = examine(&files, &pair, day(1));
        assert_eq!(verdict.outcome, Outcome::Warning, "{verdict:?}");
        assert!(verdict.found.contains("every user"), "{verdict:?}");
    }
}
