//! A place, data directories, and what is done with them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use stowage_backup::{
    ContentHash, DATABASE, Error, Host, Made, Manifest, Options, Progress, Pruned, Source, TableSummary, Target,
    back_up, choose, list, prune, restore, summaries,
};
use stowage_storage::{Config, Error as StorageError, Store};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A place, and directories for data.
pub struct Scene {
    dir: TempDir,
}

impl Scene {
    pub fn new() -> Scene {
        Scene {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn target(&self) -> Target {
        Target::open(&format!("file://{}", self.path("place").display()), true).unwrap()
    }

    /// A data directory with files.
    pub fn source(&self, name: &str) -> Source {
        let data = self.path(name);
        for folder in ["modules", "temp", "staging"] {
            fs::create_dir_all(data.join(folder)).unwrap();
        }
        Source {
            store: Store::open(&data.join(DATABASE), Config::default()).unwrap(),
            data,
        }
    }

    /// The names of all objects in a folder of the place.
    pub fn objects(&self, folder: &str) -> Vec<String> {
        fn walk(dir: &Path, found: &mut Vec<String>) {
            for entry in fs::read_dir(dir).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, found),
                    false => found.push(path.display().to_string()),
                }
            }
        }
        let mut found = Vec::new();
        walk(&self.path("place").join(folder), &mut found);
        found.sort();
        found
    }
}

pub async fn backed_up(source: &Source, target: &Target) -> Made {
    try_back_up(source, target, Options::default()).await.unwrap()
}

pub async fn try_back_up(source: &Source, target: &Target, options: Options) -> Result<Made, Error> {
    back_up(source, target, options, &Arc::default(), &CancellationToken::new()).await
}

pub async fn put(store: &Store, table: &str, rows: std::ops::Range<u32>, seed: u8) {
    store
        .update::<_, StorageError>(|tx| {
            for n in rows.clone() {
                // Bytes that do not compress.
                let value = ContentHash::of(&[&n.to_be_bytes()[..], &[seed]].concat())
                    .to_string()
                    .repeat(3);
                tx.put(table, &n.to_be_bytes(), value.into_bytes())?;
                tx.add("totals", table.as_bytes(), 1)?;
            }
            Ok(())
        })
        .await
        .unwrap();
}

pub async fn swept(scene: &Scene, by: &Host, keep: usize, grace: Duration) -> Result<Pruned, Error> {
    prune(&scene.target(), by, keep, None, grace, &CancellationToken::new()).await
}

pub fn named(folder: &str, end: &str, bytes: &[u8]) -> String {
    format!("{folder}/{}{end}", ContentHash::of(bytes))
}

pub async fn restored(target: &Target, id: Option<&str>, data: &Path) -> Vec<TableSummary> {
    let manifest = choose(target, id).await.unwrap();
    restore(target, &manifest, data, &Arc::new(Progress::default()))
        .await
        .unwrap();
    let store = Store::open(&data.join(DATABASE), Config::default()).unwrap();
    let found = summaries(&store).unwrap();
    store.close().await;
    found
}

/// Makes the newest backup one of another time, as a wrong clock does.
pub fn set_time(scene: &Scene, manifest: &Manifest, to: SystemTime) -> String {
    let backups = scene.path("place/backups");
    let at = u64::try_from(to.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    let time = humantime::format_rfc3339_seconds(to).to_string();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let moved = Manifest {
        id: format!("{time}-000-00000000"),
        at,
        finished: at,
        ..manifest.clone()
    };
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    serde_json::to_writer(&mut encoder, &moved).unwrap();
    fs::write(backups.join(&moved.id), encoder.finish().unwrap()).unwrap();
    fs::remove_file(backups.join(&manifest.id)).unwrap();
    moved.id
}

pub async fn ids(scene: &Scene) -> Vec<String> {
    let listed = list(&scene.target()).await.unwrap();
    assert_eq!(listed.unreadable, []);
    listed.backups.into_iter().map(|backup| backup.id).collect()
}
