//! One bit of one file of a stopped server is another one. What it then serves is right, or it says
//! that something is wrong.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};

use super::client::{Answer, Client};
use super::kill;
use super::operation::Blob;
use super::state::World;
use super::writer::Writer;
use crate::admin::Admin;
use crate::changing::{changing, plain};
use crate::fixture::{SpaceFixture, hash_of, hex_of, noise, stored_file};
use crate::host::{Launch, TestHost};
use crate::random::Random;
use crate::wire;

/// Blobs of the space.
const BLOBS: [usize; 4] = [700, 5_000, 40_000, 300_000];
/// Files of temp messages that only this machine has.
const LOCAL_BYTES: usize = 30_000;
/// How long a damaged server may take to listen or to end.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// What a flip did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Flips.
    pub flips: u64,
    /// Flips after which everything was right.
    pub right: u64,
    /// Flips after which the server refused to start, with a reason.
    pub refused: u64,
    /// Flips after which some answers were errors, and the others right.
    pub errors: u64,
}

/// A question, and the answer of a sound server.
#[derive(Clone, Debug)]
enum Question {
    Call(String, Value, Value),
    Bytes(String, Vec<u8>),
}

/// A stopped server whose files are copied for each flip.
#[derive(Debug)]
pub struct Template {
    dir: PathBuf,
    questions: Vec<Question>,
    files: Vec<(PathBuf, u64)>,
}

impl Template {
    /// Makes a server with rows of every kind in `dir`, and kills it, so that its log has batches.
    ///
    /// # Panics
    /// When it does not work.
    pub async fn make(dir: &Path, seed: u64) -> Template {
        let data = dir.join("sound");
        let files = dir.join("files");
        fs::create_dir_all(&files).expect("a writable directory");
        let space = SpaceFixture::create(&data.join("space"));
        let mut blobs = Vec::new();
        for (n, len) in BLOBS.iter().enumerate() {
            let hash = space.blob(&noise(*len, n as u64));
            let len_bytes = *len as u64;
            space.row("dapp-files", &stored_file(&hash, &format!("blob{n}.bin"), len_bytes, 1));
            blobs.push(Blob { hash, len_bytes });
        }
        let roots = ["--upload-root".to_owned(), files.display().to_string()];
        let launch = Launch::new(&data).args(roots);
        let host = launch.start().await;
        host.init().await;
        Admin::of(&host).swap(&[("changing", &changing(plain('a')))]).await;
        let mut client = Client::new(host.address());
        client.ok("tests/fill", json!({"rows": 300})).await;
        let local = noise(LOCAL_BYTES, 77);
        let local_hash = hash_of(&local);
        fs::create_dir_all(data.join("temp")).expect("a writable directory");
        fs::write(data.join("temp").join(hex_of(&local_hash)), &local).expect("a writable directory");
        let world = World::read(&mut client).await;
        let mut writer = Writer::new(0, seed, &files, &blobs, &world);
        for _ in 0..12 {
            writer.write_some(&mut client, 25).await;
            super::invariants::rest(&mut client, &Admin::of(&host)).await;
            let world = World::read(&mut client).await;
            writer.compare(&world).expect("nothing was lost");
        }
        let row = json!({"parent": "w1 conversation", "unique": "w1 local", "msgId": "m", "msgType": 6,
            "hash": local_hash, "name": "local.bin"});
        client.ok("transferApi/addLocalTempFile", row).await;
        let host = host.restart().await;
        // These are in the log, not in the database.
        let mut client = Client::new(host.address());
        let world = World::read(&mut client).await;
        let mut writer = Writer::new(0, seed + 1, &files, &blobs, &world);
        writer.write_some(&mut client, 60).await;
        super::invariants::rest(&mut client, &Admin::of(&host)).await;
        host.kill().await;
        let mut template = Template {
            dir: dir.to_owned(),
            questions: Vec::new(),
            files: Vec::new(),
        };
        template.ask(&local_hash, &local).await;
        template.list_files();
        template
    }

    /// Asks a copy that has no damage everything.
    async fn ask(&mut self, local_hash: &str, local: &[u8]) {
        let host = Launch::new(self.copy()).start().await;
        let mut client = Client::new(host.address());
        let world = World::read(&mut client).await;
        let mut calls = vec![
            ("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000})),
            ("getLocalTempFolderList", json!({"page": 1, "pageSize": 1000})),
            ("getImBackupsFolderList", json!({"page": 1, "pageSize": 1000})),
            ("searchLocalTempFile", json!({"keyword": ""})),
            ("searchImBackupsList", json!({"keyword": ""})),
            ("getStorageSpaceInfo", json!({})),
            ("transferApi/listTasks", json!({"page": 1, "pageSize": 1000})),
            ("transferApi/getLimits", json!({})),
            ("tests/rows", json!({})),
            ("tests/look", json!({})),
        ];
        let page = |field: &str, value: &Value| json!({field: value, "type": 0, "page": 1, "pageSize": 1000});
        calls.push(("getImFavoriteList", page("favId", &json!("1"))));
        for folder in world.of("favorite-folders") {
            calls.push(("getImFavoriteList", page("favId", &folder["id"])));
        }
        for folder in world.of("temp-folders") {
            calls.push(("getLocalTempFileList", page("unique", &folder["unique"])));
        }
        for folder in world.of("backup-folders") {
            calls.push(("getImBackupsFileList", page("parent", &folder["unique"])));
        }
        calls.push(("transferApi/listStorageFiles", page("path", &json!(""))));
        for entry in world.of("storage-folders").iter().chain(world.of("storage-files")) {
            calls.push(("transferApi/getStorageFile", json!({"unique": entry["unique"]})));
        }
        for (method, params) in calls {
            let data = client.ok(method, params.clone()).await;
            self.questions.push(Question::Call(method.to_owned(), params, data));
        }
        for (n, len) in BLOBS.iter().enumerate() {
            let bytes = noise(*len, n as u64);
            self.questions.push(Question::Bytes(hash_of(&bytes), bytes));
        }
        self.questions
            .push(Question::Bytes(local_hash.to_owned(), local.to_owned()));
        let wrong = answers(&host, &self.questions).await.expect("a sound server is right");
        assert_eq!(wrong, 0, "a sound server answers without errors");
        host.kill().await;
    }

    /// The files whose bits are flipped: all but what belongs to others.
    fn list_files(&mut self) {
        let sound = self.dir.join("sound");
        let mut dirs = vec![sound.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(&dir).expect("a readable directory").flatten() {
                let path = entry.path();
                let relative = path.strip_prefix(&sound).expect("a path below").to_owned();
                let text = relative.to_string_lossy().into_owned();
                // Lists of the space have no checksums: any tool may write them.
                let is_of_others = text.starts_with("space/lists") || text == "space/space.json";
                if path.is_dir() {
                    dirs.push(path);
                } else if !is_of_others && text != "admin.token" {
                    let len = used_len(&path);
                    if len > 0 {
                        self.files.push((relative, len));
                    }
                }
            }
        }
        self.files.sort();
    }

    /// The data directory of a copy.
    fn copy(&self) -> PathBuf {
        // Always the same place: some answers have paths.
        let data = self.dir.join("copy");
        let _ = fs::remove_dir_all(&data);
        copy_dir(&self.dir.join("sound"), &data);
        data
    }

    /// Flips one bit, starts and reads everything.
    ///
    /// # Panics
    /// When an answer is wrong, the server panics, hangs, or ends without a reason.
    pub async fn flip(&self, random: &mut Random, tally: &mut Tally) {
        // The database and the log half of the time each, then any file.
        let (file, len) = match random.below(10) {
            0..=3 => self.file("stowage.redb"),
            4..=6 => self.file("stowage.wal"),
            _ => {
                let index = usize::try_from(random.below(self.files.len() as u64)).unwrap_or(0);
                self.files[index].clone()
            }
        };
        let (offset, bit) = (random.below(len), random.below(8));
        let data = self.copy();
        flip_bit(&data.join(&file), offset, bit);
        let what = format!("bit {bit} of byte {offset} of {} is flipped", file.display());
        tally.flips += 1;
        match Launch::new(data).try_start(PATIENCE).await {
            Err(told) => {
                assert!(!told.contains("panicked"), "{what}: {told}");
                assert!(
                    told.lines().any(|line| line.len() > 20),
                    "{what}, and it does not say why: {told}"
                );
                tally.refused += 1;
            }
            Ok(host) => {
                let errors = match answers(&host, &self.questions).await {
                    Ok(errors) => errors,
                    Err(wrong) => panic!("{what}: {wrong}\n{}", host.log()),
                };
                assert!(!host.log().contains("panicked"), "{what}: {}", host.log());
                if errors > 0 {
                    tally.errors += 1;
                } else {
                    tally.right += 1;
                }
                host.kill().await;
            }
        }
    }

    fn file(&self, name: &str) -> (PathBuf, u64) {
        let found = self.files.iter().find(|(path, _)| path == Path::new(name));
        found.unwrap_or_else(|| panic!("{name} has bytes")).clone()
    }
}

/// Asks everything. Returns how many answers were errors.
async fn answers(host: &TestHost, questions: &[Question]) -> Result<u64, String> {
    let mut client = Client::new(host.address());
    let mut errors = 0;
    for question in questions {
        match question {
            Question::Call(method, params, wanted) => match client.call(method, params).await {
                Ok(Answer { code: 200, data, .. }) if data == *wanted => {}
                Ok(Answer { code: 200, data, .. }) => {
                    let (found, right) = first_difference(&data, wanted);
                    return Err(format!("{method} {params} answers {found} where {right} is right"));
                }
                Ok(answer) if answer.message.is_empty() => return Err(format!("{method} {params}: {answer:?}")),
                Ok(_) => errors += 1,
                Err(lost) => return Err(format!("{method} {params}: {lost:?}")),
            },
            Question::Bytes(hash, wanted) => {
                let request = wire::request(Method::GET, host.address(), &format!("/files/{hash}"))
                    .body(Full::default())
                    .map_err(|error| error.to_string())?;
                match wire::try_send(host.address(), request).await {
                    Ok(reply) if reply.status == 200 && reply.body == *wanted => {}
                    Ok(reply) if reply.status == 200 => return Err(format!("other bytes of {hash} are served")),
                    // An error, or the connection ends before the last byte.
                    Ok(_) | Err(_) => errors += 1,
                }
            }
        }
    }
    Ok(errors)
}

/// The smallest parts of two answers that differ.
fn first_difference<'a>(found: &'a Value, right: &'a Value) -> (&'a Value, &'a Value) {
    let different = match (found, right) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a.iter().zip(b).find(|(a, b)| a != b),
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a.values().zip(b.values()).find(|(a, b)| a != b),
        _ => None,
    };
    match different {
        Some((found, right)) => first_difference(found, right),
        None => (found, right),
    }
}

/// The length of a file without the zeros at its end, where a flip would be in no one's bytes.
fn used_len(path: &Path) -> u64 {
    let bytes = fs::read(path).expect("a readable file");
    bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last as u64 + 1)
}

fn flip_bit(path: &Path, offset: u64, bit: u64) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(path)
        .expect("a writable file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("a byte of the file");
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, offset).expect("a writable file");
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a writable directory");
    for entry in fs::read_dir(from).expect("a readable directory").flatten() {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_dir(&path, &to);
        } else if path.is_file() {
            fs::copy(&path, &to).expect("a writable directory");
        }
    }
    // Permissions matter to a server that keeps secrets.
    let permissions = fs::metadata(from).expect("a directory").permissions();
    fs::set_permissions(to, permissions).expect("a directory of ours");
}

/// Flips bits one after another. `done` is told after each.
///
/// # Panics
/// As [`Template::flip`].
pub async fn run(dir: &Path, seed: u64, from: u64, flips: u64, mut done: impl FnMut(&Tally)) -> Tally {
    let template = Template::make(&kill::empty(dir), seed).await;
    let mut tally = Tally::default();
    for n in from..flips {
        template.flip(&mut Random::seeded(seed ^ (n << 20)), &mut tally).await;
        done(&tally);
    }
    tally
}
