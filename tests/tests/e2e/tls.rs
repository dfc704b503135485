//! TLS: the certificate, its replacement, and the commands that talk to such a server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{Method, Request};
use http_body_util::Full;
use serde_json::Value;
use stowage_tests::cli::Cli;
use stowage_tests::feed::handshake;
use stowage_tests::host::{Launch, TestHost};
use stowage_tests::wait::{eventually, within};
use stowage_tests::wire::{self, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ProtocolVersion, RootCertStore, SupportedProtocolVersion, version};
use tokio_tungstenite::client_async;

/// A certificate of its own authority, in a directory.
struct Certificate {
    dir: PathBuf,
    own: CertificateDer<'static>,
}

impl Certificate {
    /// Makes a certificate for loopback.
    fn make(dir: &Path) -> Certificate {
        fs::create_dir_all(dir).unwrap();
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Certificate {
            dir: dir.to_owned(),
            own: made.cert.der().clone(),
        }
    }

    fn args(&self) -> [String; 4] {
        let file = |name: &str| self.dir.join(name).display().to_string();
        [
            "--tls-cert".into(),
            file("cert.pem"),
            "--tls-key".into(),
            file("key.pem"),
        ]
    }

    /// A connection that trusts this certificate only.
    async fn connect(
        &self,
        host: &TestHost,
        versions: &[&'static SupportedProtocolVersion],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.own.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TcpStream::connect(host.address()).await?;
        within(
            "the TLS handshake",
            TlsConnector::from(Arc::new(config)).connect(name, stream),
        )
        .await
    }

    async fn send(&self, host: &TestHost, request: Request<Full<bytes::Bytes>>) -> Reply {
        let stream = self.connect(host, &[&version::TLS13]).await.unwrap();
        within("an answer", wire::exchange(stream, request)).await.unwrap()
    }
}

async fn launched(certificate: &Certificate, data: &Path) -> TestHost {
    Launch::new(data).args(certificate.args()).start().await
}

fn call(host: &TestHost, headers: &[(&str, &str)]) -> Request<Full<bytes::Bytes>> {
    let mut request =
        wire::request(Method::POST, host.address(), "/getStorageSpaceInfo").header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from("{}")).unwrap()
}

#[tokio::test]
async fn calls_pages_and_the_feed_work_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(&dir.path().join("tls"));
    let host = launched(&certificate, &dir.path().join("data")).await;
    assert_eq!(host.url(), format!("https://{}", host.address()));
    for (supported, expected) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let stream = certificate.connect(&host, &[supported]).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(expected));
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
        let reply = wire::exchange(stream, call(&host, &[])).await.unwrap();
        assert_eq!((reply.status, reply.code()), (200, 200));
    }
    // The server's own pages are those of https.
    let own = host.address();
    for (origin, status) in [
        (format!("https://{own}"), 200),
        (format!("http://{own}"), 403),
        ("https://evil.example".into(), 403),
    ] {
        let reply = certificate
            .send(&host, call(&host, &[(ORIGIN.as_str(), &origin)]))
            .await;
        assert_eq!(reply.status, status, "{origin}");
    }
    let page = wire::request(Method::GET, own, "/").body(Full::default()).unwrap();
    let page = certificate.send(&host, page).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains(&format!("connect-src 'self' wss://{own};")), "{policy}");
    assert!(host.console_link().await.starts_with(&format!("https://{own}/#key=")));

    let stream = certificate.connect(&host, &[&version::TLS13]).await.unwrap();
    let request = handshake(own, &[]).body(()).unwrap();
    within("the websocket", client_async(request, stream)).await.unwrap();
}

/// The certificate is made by nobody the system knows. The commands on the machine know it.
#[tokio::test]
async fn commands_trust_the_server_of_their_data_directory_and_the_file_they_are_given() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(&dir.path().join("tls"));
    let host = launched(&certificate, &dir.path().join("data")).await;
    for args in [
        &["call", "getStorageSpaceInfo"][..],
        &["module", "list"],
        &["console", "--json"],
        &["doctor", "--listen", "127.0.0.1:0"],
    ] {
        let output = host.cli(args).run().await;
        assert_eq!(output.status, 0, "{output}");
    }
    let server = ["call", "getStorageSpaceInfo", "--server", host.url()];
    let unknown = Cli::new(server).run().await;
    assert!(unknown.status == 2 && unknown.stderr.contains("--ca FILE"), "{unknown}");
    let file = certificate.dir.join("cert.pem");
    let known = Cli::new(server).args(["--ca".as_ref(), file.as_os_str()]).run().await;
    assert_eq!(known.status, 0, "{known}");
    let other = Certificate::make(&dir.path().join("other"));
    let file = other.dir.join("cert.pem");
    let wrong = Cli::new(server).args(["--ca".as_ref(), file.as_os_str()]).run().await;
    assert!(wrong.status == 2 && wrong.stderr.contains("not trusted"), "{wrong}");
    let plain = format!("http://{}", host.address());
    let plain = Cli::new(["call", "getStorageSpaceInfo", "--server", &plain])
        .run()
        .await;
    assert_eq!(plain.status, 2, "{plain}");
}

/// certbot and cert-manager change a name that leads to a directory.
#[tokio::test]
async fn a_new_certificate_is_taken_at_once_and_a_broken_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let live = dir.path().join("live");
    let first = Certificate::make(&dir.path().join("1"));
    let second = Certificate::make(&dir.path().join("2"));
    symlink(&first.dir, &live).unwrap();
    let named = Certificate {
        dir: live.clone(),
        own: first.own.clone(),
    };
    let host = launched(&named, &dir.path().join("data")).await;
    let mut open = first.connect(&host, &[&version::TLS13]).await.unwrap();

    let next = dir.path().join("next");
    symlink(&second.dir, &next).unwrap();
    fs::rename(&next, &live).unwrap();
    eventually("the new certificate is used", || async {
        second.connect(&host, &[&version::TLS13]).await.ok()
    })
    .await;
    assert!(first.connect(&host, &[&version::TLS13]).await.is_err());
    // A connection that is open goes on.
    let body = "{}";
    let request = format!(
        "POST /getStorageSpaceInfo HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        host.address(),
        body.len()
    );
    open.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    within("an answer", open.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    // The commands on the machine know the new one.
    eventually("the new certificate is announced", || async {
        (host.cli(["call", "getStorageSpaceInfo"]).run().await.status == 0).then_some(())
    })
    .await;

    let (good, bad) = (second.dir.join("cert.pem"), second.dir.join("bad.pem"));
    for (broken, said) in [
        ("no PEM".to_owned(), "has no certificate"),
        (
            fs::read_to_string(first.dir.join("cert.pem")).unwrap(),
            "does not belong to",
        ),
    ] {
        fs::write(&bad, broken).unwrap();
        fs::rename(&bad, &good).unwrap();
        eventually(said, || async { host.log().contains(said).then_some(()) }).await;
        assert!(host.log().contains("the old one stays"), "{}", host.log());
        let reply = second.send(&host, call(&host, &[])).await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn a_client_without_tls_is_closed_and_the_log_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(&dir.path().join("tls"));
    let host = launched(&certificate, &dir.path().join("data")).await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        b"SSH-2.0-x\r\n",
        &[0; 64],
    ] {
        let answer = wire::raw(host.address(), bytes).await;
        assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    }
    eventually("the log says why", || async {
        host.log().contains("spoke no TLS").then_some(())
    })
    .await;
    assert_eq!(
        host.log().matches("spoke no TLS").count(),
        1,
        "once a minute: {}",
        host.log()
    );
    let reply = certificate.send(&host, call(&host, &[])).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_server_does_not_start_without_a_good_pair() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(&dir.path().join("tls"));
    let other = Certificate::make(&dir.path().join("other"));
    let [cert_flag, cert, key_flag, key] = certificate.args();
    let other_key = other.args()[3].clone();
    for (args, said) in [
        (vec![cert_flag.clone(), cert.clone()], "--tls-key"),
        (vec![key_flag.clone(), key.clone()], "--tls-cert"),
        (
            vec![
                cert_flag.clone(),
                "/nowhere/cert.pem".into(),
                key_flag.clone(),
                key.clone(),
            ],
            "/nowhere/cert.pem",
        ),
        (
            vec![cert_flag.clone(), key.clone(), key_flag.clone(), key.clone()],
            "has no certificate",
        ),
        (
            vec![cert_flag.clone(), cert.clone(), key_flag.clone(), other_key.clone()],
            "does not belong to",
        ),
    ] {
        let refused = Launch::new(dir.path().join("data")).args(args).refused().await;
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }
    let doctor = Cli::new(["doctor", "--json", "--listen", "127.0.0.1:0"])
        .args([&cert_flag, &cert, &key_flag, &other_key])
        .data(&dir.path().join("data"))
        .run()
        .await;
    assert_eq!(doctor.status, 1, "{doctor}");
    let found: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let checks = found["checks"].as_array().unwrap();
    let tls = checks.iter().find(|check| check["id"] == "tls").unwrap();
    assert_eq!(tls["outcome"], "error", "{tls}");
    assert!(tls["found"].as_str().unwrap().contains("does not belong to"), "{tls}");
}

#[tokio::test]
async fn a_host_that_is_allowed_has_its_own_pages_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = Certificate::make(&dir.path().join("tls"));
    let launch = Launch::new(dir.path().join("data")).args(certificate.args());
    let host = launch.args(["--allow-host", "stowage.test"]).start().await;
    let request = |origin: &str| {
        Request::post("/getStorageSpaceInfo")
            .header(HOST, "stowage.test")
            .header(ORIGIN, origin)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from("{}"))
            .unwrap()
    };
    for (origin, status) in [("https://stowage.test", 200), ("http://stowage.test", 403)] {
        let reply = certificate.send(&host, request(origin)).await;
        assert_eq!(reply.status, status, "{origin}");
    }
}
