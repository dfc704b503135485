//! Bytes of connections: what a client might send, damaged.

use std::net::SocketAddr;

use super::json::{self, Example, damage};
use crate::hostile_names;
use crate::random::Random;

/// What a connection carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Random bytes.
    Noise,
    /// A request whose bytes were damaged.
    Damaged,
    /// A body in chunks that do not fit.
    Chunks,
    /// Lengths that do not fit.
    Lengths,
    /// Many headers, or long ones.
    Headers,
    /// A path that leads nowhere, with any method.
    Path,
    /// A websocket with random frames.
    Websocket,
    /// A file, and what is said of it.
    Files,
    /// An upload in several pieces.
    Tus,
    /// The admin API and the console, with and without the token.
    Admin,
}

const KINDS: [Kind; 10] = [
    Kind::Noise,
    Kind::Damaged,
    Kind::Chunks,
    Kind::Lengths,
    Kind::Headers,
    Kind::Path,
    Kind::Websocket,
    Kind::Files,
    Kind::Tus,
    Kind::Admin,
];
const METHODS: [&str; 12] = [
    "GET", "POST", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND", "X",
];
const PLACES: [&str; 14] = [
    "/",
    "/ws",
    "/ws?key=a&key=",
    "/files",
    "/files/uploads",
    "/files/FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz",
    "/openapi.json",
    "/asyncapi.json",
    "/console/",
    "/console/info",
    "/console/session",
    "/admin/modules",
    "/admin/overview",
    "/storageApi/getImFavoriteList",
];
const ADMIN: [&str; 9] = [
    "/admin/modules",
    "/admin/modules/check",
    "/admin/modules/swap?name=favorites&size=4",
    "/admin/modules/canary?name=x&percent=1",
    "/admin/log?module=favorites",
    "/admin/overview",
    "/admin/history",
    "/admin/record",
    "/admin/",
];

/// What is sent on a connection.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Of what kind it is.
    pub kind: Kind,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Makes probes by a seed.
#[derive(Debug)]
pub struct Probes<'e> {
    random: Random,
    address: SocketAddr,
    admin_token: String,
    examples: &'e [Example],
}

impl<'e> Probes<'e> {
    /// Probes for the server at this address. Damaged requests were these examples.
    pub fn new(seed: u64, address: SocketAddr, admin_token: &str, examples: &'e [Example]) -> Probes<'e> {
        Probes {
            random: Random::seeded(seed),
            address,
            admin_token: admin_token.to_owned(),
            examples,
        }
    }

    /// The next one.
    pub fn next_probe(&mut self) -> Probe {
        let kind = KINDS[self.below(KINDS.len())];
        let bytes = match kind {
            Kind::Noise => self.noise(400),
            Kind::Damaged => {
                let mut bytes = self.valid();
                damage(&mut bytes, &mut self.random);
                bytes
            }
            Kind::Chunks => self.chunks(),
            Kind::Lengths => self.lengths(),
            Kind::Headers => self.headers(),
            Kind::Path => self.path(),
            Kind::Websocket => self.websocket(),
            Kind::Files => self.files(),
            Kind::Tus => self.tus(),
            Kind::Admin => self.admin(),
        };
        Probe { kind, bytes }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn noise(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.random.below(256) as u8).collect()
    }

    fn text(&mut self) -> String {
        let names = hostile_names::names();
        let text = &names[self.below(names.len())];
        match self.below(3) {
            0 => text.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            _ => text.chars().filter(|c| !c.is_control() && *c != ' ').collect(),
        }
    }

    fn head(&self, method: &str, path: &str) -> String {
        format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address)
    }

    fn valid(&mut self) -> Vec<u8> {
        let example = &self.examples[self.random.below(self.examples.len() as u64) as usize];
        let body = serde_json::Value::Object(example.params.clone()).to_string();
        let head = self.head("POST", &example.path);
        let length = body.len();
        format!("{head}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    fn chunks(&mut self) -> Vec<u8> {
        let place = self.one(&["/getImFavoriteFolders", "/files?platform=3&name=a", "/files/uploads"]);
        let method = self.one(&["POST", "PUT"]);
        let mut bytes = self.head(method, place).into_bytes();
        bytes.extend_from_slice(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..self.below(5) {
            let size = self.one(&[
                "2",
                "0",
                "00000000000000000002",
                "-1",
                "fffffffffffffffff",
                "2;a=b",
                "0x2",
                "",
                "7fffffff",
                " 2",
            ]);
            let end = self.one(&["\r\n", "\n", "", "\r\r\n"]);
            bytes.extend_from_slice(format!("{size}{end}{{}}{end}").as_bytes());
        }
        let end = self.one(&["0\r\n\r\n", "0\r\nTrailer: x\r\n\r\n", "0\r\n", "", "0\n\n"]);
        bytes.extend_from_slice(end.as_bytes());
        bytes
    }

    fn lengths(&mut self) -> Vec<u8> {
        let lengths = [
            "0",
            "1",
            "3",
            "1048577",
            "18446744073709551616",
            "-1",
            "+2",
            "2, 2",
            "2 ",
            "",
            "0x2",
            "1e1",
            "９",
        ];
        let (one, other) = (self.one(&lengths), self.one(&lengths));
        let more = self.one(&[
            "",
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Expect: 100-continue\r\n",
        ]);
        let second = match self.below(3) {
            0 => format!("Content-Length: {other}\r\n"),
            _ => String::new(),
        };
        let place = self.one(&[
            "/getImFavoriteFolders",
            "/",
            "/files?platform=3&name=a",
            "/console/session",
        ]);
        let head = self.head("POST", place);
        format!("{head}Content-Type: application/json\r\nContent-Length: {one}\r\n{second}{more}\r\n{{}}").into_bytes()
    }

    fn headers(&mut self) -> Vec<u8> {
        let place = self.one(&PLACES);
        let method = self.one(&METHODS);
        let mut bytes = self.head(method, place).into_bytes();
        let long = "x".repeat(self.one(&[10, 9000, 70_000]));
        for _ in 0..self.one(&[0, 3, 63, 65, 300]) {
            let value = self.text();
            let name = self.one(&[
                "Accept",
                "Range",
                "If-Match",
                "If-None-Match",
                "If-Range",
                "Origin",
                "Authorization",
                "Cookie",
                "Host",
                "Connection",
                "Upgrade",
                "Content-Type",
                "X",
                "Bad Name",
                "",
                "Tus-Resumable",
                "Stowage-File-Password",
                "Sec-Fetch-Site",
                "Accept-Encoding",
                "X-HTTP-Method-Override",
            ]);
            let value = match self.below(8) {
                0 => long.clone(),
                1 => "bytes=0-1,5-,-".to_owned(),
                2 => "\"a\", W/\"b\", *".to_owned(),
                _ => value,
            };
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            if bytes.len() > 300_000 {
                break;
            }
        }
        bytes.extend_from_slice(self.one(&[&b"\r\n"[..], b"\n", b"", b" folded\r\n\r\n", b"\xff: \xff\r\n\r\n"]));
        bytes
    }

    fn path(&mut self) -> Vec<u8> {
        let method = self.one(&METHODS);
        let (place, text) = (self.one(&PLACES), self.text());
        let path = match self.below(6) {
            0 => format!("{place}/{text}"),
            1 => format!("/{text}"),
            2 => format!("{place}?{text}={text}"),
            3 => format!("http://evil.example{place}"),
            4 => place.replace('/', "//"),
            _ => place.to_owned(),
        };
        let mut bytes = self.head(method, &path).into_bytes();
        let rest = self.one(&[
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            "Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
            "Origin: null\r\n\r\n",
            "Authorization: Bearer x\r\n\r\n",
            "\r\n",
        ]);
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    fn websocket(&mut self) -> Vec<u8> {
        let key = self.text();
        let head = self.head("GET", &format!("/ws?key={key}"));
        let mut bytes = format!(
            "{head}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes();
        if self.below(6) == 0 {
            damage(&mut bytes, &mut self.random);
        }
        for _ in 0..self.below(12) {
            let payload = self.noise(140);
            let first = self.one(&[0x81, 0x82, 0x01, 0x00, 0x80, 0x88, 0x89, 0x8a, 0x8f, 0xf1, 0x83]);
            let length: Vec<u8> = match self.below(6) {
                0 => [&[0xff][..], &u64::MAX.to_be_bytes()].concat(),
                1 => vec![0xfe, 0x00, 0x01],
                2 => vec![payload.len().min(125) as u8],
                _ => vec![0x80 | payload.len().min(125) as u8],
            };
            bytes.push(first);
            bytes.extend_from_slice(&length);
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&payload[..payload.len().min(125)]);
        }
        bytes
    }

    fn files(&mut self) -> Vec<u8> {
        let text = self.text();
        let body = self.noise(200);
        let platform = self.one(&["3", "0", "5", "-1", "", "999999999999", "3&platform=3", "x"]);
        let hash = self.one(&[
            "FKBgzrvr6wwt853VWW3RgdX4fLoeoDhgyexVbsuPaEhz",
            "0",
            "uploads",
            "FKBg",
            "",
        ]);
        let (head, body) = match self.below(4) {
            0 => (
                self.head("PUT", &format!("/files?platform={platform}&name={text}&x={text}")),
                body,
            ),
            1 => {
                let boundary = self.one(&["b", "", "a b", "\"b\""]);
                let head = self.head("POST", "/files");
                let json = json::body(&self.examples[0], &mut self.random);
                let mut form = b"--b\r\nContent-Disposition: form-data; name=\"fields\"\r\n\r\n".to_vec();
                form.extend_from_slice(self.one(&[
                    &b"{\"platform\":3,\"name\":\"a\"}"[..],
                    b"{}",
                    b"[",
                    b"{\"platform\":9}",
                ]));
                form.extend_from_slice(&json[..json.len().min(100)]);
                form.extend_from_slice(
                    b"\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n",
                );
                form.extend_from_slice(&body);
                form.extend_from_slice(self.one(&[&b"\r\n--b--\r\n"[..], b"\r\n--b\r\n", b"", b"--b--"]));
                (
                    format!("{head}Content-Type: multipart/form-data; boundary={boundary}\r\n"),
                    form,
                )
            }
            2 => {
                let range = self.one(&[
                    "bytes=0-",
                    "bytes=-0",
                    "bytes=5-2",
                    "bytes=18446744073709551615-",
                    "x",
                    "bytes=0-0,1-1",
                ]);
                let head = self.head("GET", &format!("/files/{hash}?platform={platform}"));
                (format!("{head}Range: {range}\r\nIf-Range: \"{text}\"\r\n"), Vec::new())
            }
            _ => (self.head("HEAD", &format!("/files/{hash}?{text}")), Vec::new()),
        };
        let password = match self.below(4) {
            0 => format!("Stowage-File-Password: {text}\r\n"),
            _ => String::new(),
        };
        let mut bytes = format!("{head}{password}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        bytes.extend_from_slice(&body);
        if self.below(4) == 0 {
            damage(&mut bytes, &mut self.random);
        }
        bytes
    }

    fn tus(&mut self) -> Vec<u8> {
        let numbers = [
            "0",
            "5",
            "-1",
            "+1",
            "1099511627777",
            "99999999999999999999",
            "",
            "x",
            "5, 5",
        ];
        let method = self.one(&["POST", "PATCH", "HEAD", "DELETE", "OPTIONS", "GET"]);
        let text = self.text();
        let place = match self.below(3) {
            0 => format!("/files/uploads/{text}"),
            1 => "/files/uploads/00000000-0000-0000-0000-000000000000".to_owned(),
            _ => "/files/uploads".to_owned(),
        };
        let (length, offset) = (self.one(&numbers), self.one(&numbers));
        let version = self.one(&["1.0.0", "0.2.2", "", "1.0.0\r\nTus-Resumable: 1.0.0"]);
        let metadata = self.one(&[
            "filename YQ==,platform Mw==",
            "filename YQ==,platform OQ==",
            "name ***",
            "platform Mw==,filePassword YQ==",
            ",,,,",
            "filename /w==,platform Mw==",
        ]);
        let checksum = self.one(&["sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "md5 x", "sha256", "sha1 *", ""]);
        let override_ = self.one(&[
            "",
            "X-HTTP-Method-Override: PATCH\r\n",
            "X-HTTP-Method-Override: \u{1}\r\n",
        ]);
        let body = self.noise(20);
        let head = self.head(method, &place);
        let mut bytes = format!(
            "{head}Tus-Resumable: {version}\r\nUpload-Length: {length}\r\nUpload-Offset: {offset}\r\n\
             Upload-Metadata: {metadata}\r\nUpload-Checksum: {checksum}\r\n{override_}\
             Content-Type: application/offset+octet-stream\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        if self.below(4) == 0 {
            damage(&mut bytes, &mut self.random);
        }
        bytes
    }

    fn admin(&mut self) -> Vec<u8> {
        let method = self.one(&["GET", "POST", "PUT", "HEAD", "OPTIONS"]);
        let text = self.text();
        let (place, other) = (self.one(&ADMIN), self.one(&PLACES));
        let path = match self.below(4) {
            0 => format!("{place}/{text}"),
            1 => format!("{place}?{text}={text}"),
            2 => other.to_owned(),
            _ => place.to_owned(),
        };
        let body = match self.below(4) {
            0 => b"\0asm\x0d\0\x01\0".to_vec(),
            1 => json::body(&self.examples[0], &mut self.random),
            2 => self.noise(60),
            _ => Vec::new(),
        };
        let token = self.one(&["x", "", "\u{e9}"]).to_owned();
        let token = if self.below(3) > 0 {
            self.admin_token.clone()
        } else {
            token
        };
        let kind = self.one(&["application/wasm", "application/json", "text/plain"]);
        let head = self.head(method, &path);
        let length = body.len();
        let mut bytes =
            format!("{head}Authorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n")
                .into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }
}
