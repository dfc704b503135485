//! A cloud space in a directory. The tests write it as its format says, without code of the host.

use std::fs;
use std::io::Write as _;
use std::iter;
use std::path::{Path, PathBuf};

use age::secrecy::SecretString;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The default size of a space in bytes: 10 GiB.
pub const TOTAL_BYTES: u64 = 10 << 30;

/// The work factor of sealed fixtures: the least possible, because they protect nothing.
const WORK_FACTOR: u8 = 2;

/// Base58 of the SHA-256 of some bytes: a hash as the API writes it.
pub fn hash_of(bytes: &[u8]) -> String {
    bs58::encode(Sha256::digest(bytes)).into_string()
}

/// The lower-case hex of a hash in base58: a hash as the space writes it.
///
/// # Panics
/// When it is not base58.
pub fn hex_of(hash: &str) -> String {
    let bytes = bs58::decode(hash).into_vec().expect("a hash in base58");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that look random and are the same for one seed.
pub fn noise(len_bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut bytes = Vec::with_capacity(len_bytes + 8);
    while bytes.len() < len_bytes {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(len_bytes);
    bytes
}

/// A new file with these bytes.
///
/// # Panics
/// When the directory cannot be written.
pub fn file(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, bytes).expect("a writable directory");
    path
}

/// An `age` file that a password opens.
///
/// # Panics
/// Writing to memory does not fail.
pub fn seal(plaintext: &[u8], password: &str) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(password.to_owned()));
    recipient.set_work_factor(WORK_FACTOR);
    let encryptor =
        age::Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient)).expect("there is one recipient");
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).expect("memory takes it");
    writer.write_all(plaintext).expect("memory takes it");
    writer.finish().expect("memory takes it");
    sealed
}

/// The field that is the identity of a collection's rows.
///
/// # Panics
/// For a collection the format does not know.
pub fn identity_field(collection: &str) -> &'static str {
    match collection {
        "favorite-folders" | "storage-folders" => "id",
        "favorites" | "temp-folders" | "temp-files" | "backup-folders" | "backups" => "unique",
        "storage-files" | "dapp-files" => "hash",
        other => panic!("{other} is no collection"),
    }
}

/// A space in a directory.
#[derive(Clone, Debug)]
pub struct SpaceFixture {
    dir: PathBuf,
}

impl SpaceFixture {
    /// An empty space of [`TOTAL_BYTES`] in `dir`, which is created.
    pub fn create(dir: &Path) -> SpaceFixture {
        SpaceFixture::sized(dir, TOTAL_BYTES)
    }

    /// An empty space of this size in bytes.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn sized(dir: &Path, total_bytes: u64) -> SpaceFixture {
        fs::create_dir_all(dir).expect("a directory for the space");
        let space = json!({"format": 1, "totalBytes": total_bytes});
        fs::write(dir.join("space.json"), space.to_string()).expect("a writable directory");
        SpaceFixture { dir: dir.to_owned() }
    }

    /// The space that is in `dir` already.
    pub fn existing(dir: &Path) -> SpaceFixture {
        SpaceFixture { dir: dir.to_owned() }
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("file://{}", self.dir.display())
    }

    /// Adds a row to the segment that the host would choose.
    ///
    /// # Panics
    /// When the row lacks its identity or the directory cannot be written.
    pub fn row(&self, collection: &str, row: &Value) -> &SpaceFixture {
        let identity = row[identity_field(collection)].as_str().expect("the row's identity");
        let segment = hex_of(&hash_of(identity.as_bytes()))[..2].to_owned();
        self.line(collection, &segment, &row.to_string())
    }

    /// Adds rows.
    pub fn rows<'a>(&self, collection: &str, rows: impl IntoIterator<Item = &'a Value>) -> &SpaceFixture {
        for row in rows {
            self.row(collection, row);
        }
        self
    }

    /// Adds a line to a segment. It may be malformed.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn line(&self, collection: &str, segment: &str, line: &str) -> &SpaceFixture {
        let path = self.segment(collection, segment);
        fs::create_dir_all(path.parent().expect("a segment is in a folder")).expect("a writable directory");
        // As the format says, a new file replaces the segment in one step: a host that reads
        // meanwhile sees one or the other.
        let mut text = fs::read(&path).unwrap_or_default();
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        let new = path.with_extension("new");
        fs::write(&new, text).expect("a writable directory");
        fs::rename(&new, &path).expect("a writable directory");
        self
    }

    /// Removes a row.
    ///
    /// # Panics
    /// When no segment has it.
    pub fn remove(&self, collection: &str, identity: &str) -> &SpaceFixture {
        let field = identity_field(collection);
        for path in self.segments(collection) {
            let text = fs::read_to_string(&path).expect("a segment is text");
            let kept: Vec<_> = text
                .lines()
                .filter(|line| {
                    serde_json::from_str::<Value>(line).map_or(true, |row| row[field].as_str() != Some(identity))
                })
                .collect();
            if kept.len() < text.lines().count() {
                let mut text = kept.join("\n");
                text.push('\n');
                let new = path.with_extension("new");
                fs::write(&new, text).expect("a writable directory");
                fs::rename(&new, &path).expect("a writable directory");
                return self;
            }
        }
        panic!("{collection} has no {identity}");
    }

    /// Adds a blob and returns its hash in base58.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn blob(&self, bytes: &[u8]) -> String {
        let hash = hash_of(bytes);
        let path = self.blob_path(&hash);
        fs::create_dir_all(path.parent().expect("a blob is in a folder")).expect("a writable directory");
        fs::write(path, bytes).expect("a writable directory");
        hash
    }

    /// Adds a blob that a password opens. Returns the hash and the length of what is stored.
    pub fn sealed_blob(&self, plaintext: &[u8], password: &str) -> (String, u64) {
        let sealed = seal(plaintext, password);
        (self.blob(&sealed), sealed.len() as u64)
    }

    /// The path of a blob, whether or not it exists.
    pub fn blob_path(&self, hash: &str) -> PathBuf {
        let hex = hex_of(hash);
        self.dir.join("blobs").join(&hex[..2]).join(hex)
    }

    /// The bytes of a blob, if it is there.
    pub fn read_blob(&self, hash: &str) -> Option<Vec<u8>> {
        fs::read(self.blob_path(hash)).ok()
    }

    /// Every row of a collection, by identity.
    ///
    /// # Panics
    /// When a line is malformed, which a host must never write.
    pub fn read(&self, collection: &str) -> Vec<Value> {
        let field = identity_field(collection);
        let mut rows: Vec<Value> = self
            .segments(collection)
            .iter()
            .flat_map(|path| {
                let text = fs::read_to_string(path).expect("a segment is text");
                text.lines()
                    .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
                    .collect::<Vec<Value>>()
            })
            .collect();
        rows.sort_by_key(|row| row[field].as_str().unwrap_or_default().to_owned());
        rows
    }

    /// The row of a collection with this identity.
    ///
    /// # Panics
    /// When more than one segment has it.
    pub fn find(&self, collection: &str, identity: &str) -> Option<Value> {
        let field = identity_field(collection);
        let mut found = self
            .read(collection)
            .into_iter()
            .filter(|row| row[field].as_str() == Some(identity));
        let row = found.next();
        assert!(found.next().is_none(), "{collection} has {identity} twice");
        row
    }

    fn segment(&self, collection: &str, segment: &str) -> PathBuf {
        self.dir
            .join("lists")
            .join(collection)
            .join(format!("{segment}.ndjson"))
    }

    fn segments(&self, collection: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.dir.join("lists").join(collection)) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.expect("a readable directory").path())
            .filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
            .collect()
    }
}

/// A row of `favorite-folders`.
pub fn favorite_folder(id: &str, name: &str, time_ms: i64) -> Value {
    json!({"id": id, "name": name, "time": time_ms})
}

/// A row of `favorites` that is a file.
pub fn favorite(unique: &str, folder: &str, name: &str, hash: &str, size_bytes: u64, time_s: i64) -> Value {
    json!({
        "unique": unique, "folder": folder, "msgId": format!("msg-{unique}"), "msgContent": "", "msgType": 6,
        "hash": hash, "name": name, "size": size_bytes, "time": time_s, "nodeAddress": "node", "originNickname": "nick",
    })
}

/// A row of `temp-folders`.
pub fn temp_folder(unique: &str, time_ms: i64) -> Value {
    json!({"unique": unique, "nodeAddress": unique, "type": 1, "time": time_ms})
}

/// A row of `temp-files`.
pub fn temp_file(unique: &str, parent: &str, name: &str, hash: &str, size_bytes: u64, time_ms: i64) -> Value {
    json!({
        "unique": unique, "parent": parent, "hash": hash, "msgId": format!("msg-{unique}"), "msgContent": "",
        "msgType": 6, "ext": ".other", "size": size_bytes, "name": name, "time": time_ms,
    })
}

/// A row of `backup-folders`.
pub fn backup_folder(unique: &str, parent: &str, time_s: i64) -> Value {
    json!({"unique": unique, "parent": parent, "name": unique, "time": time_s})
}

/// A row of `backups` of single chats.
pub fn backup(unique: &str, parent: &str, name: &str, hash: &str, size_bytes: u64, time_s: i64) -> Value {
    json!({
        "unique": unique, "hash": hash, "parent": parent, "nodeId": "node", "type": 1, "name": name, "time": time_s,
        "size": size_bytes, "messageNum": 3, "nickname": "nick", "domainName": "",
    })
}

/// A row of `storage-files` or `dapp-files`.
pub fn stored_file(hash: &str, name: &str, size_bytes: u64, time_ms: i64) -> Value {
    json!({"hash": hash, "name": name, "size": size_bytes, "time": time_ms, "path": "", "ext": ".bin", "thumb": ""})
}
