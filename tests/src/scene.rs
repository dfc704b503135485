//! A server with a space, for tests of one server or of several on one space.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::fixture::{SpaceFixture, hash_of, hex_of};
use crate::host::{Launch, TestHost};

/// A server with a space of its own, both in a temporary directory.
#[derive(Debug)]
pub struct Scene {
    /// The server.
    pub host: TestHost,
    /// Its space.
    pub space: SpaceFixture,
    /// What holds both.
    pub dir: TempDir,
}

impl Scene {
    /// A server on an empty space.
    pub async fn new() -> Scene {
        Scene::with(|_| {}).await
    }

    /// A server that has taken over a space.
    pub async fn with(space: impl FnOnce(&SpaceFixture)) -> Scene {
        Scene::launched(space, |launch| launch).await
    }

    /// A server started in a special way that has taken over a space.
    pub async fn launched(fill: impl FnOnce(&SpaceFixture), how: impl FnOnce(Launch) -> Launch) -> Scene {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let space = SpaceFixture::create(&dir.path().join("space"));
        fill(&space);
        let launch = Launch::new(dir.path().join("data")).space(space.url());
        let host = how(launch).start().await;
        host.init().await;
        Scene { host, space, dir }
    }

    /// A second server on the same space, with data of its own.
    pub async fn another(&self, name: &str) -> TestHost {
        Launch::new(self.dir.path().join(name))
            .space(self.space.url())
            .start()
            .await
    }

    /// Puts bytes among the local temp files, as a client does, and returns their hash.
    ///
    /// # Panics
    /// When the directory cannot be written.
    pub fn temp_bytes(&self, bytes: &[u8]) -> String {
        let hash = hash_of(bytes);
        let dir = self.host.data().join("temp");
        fs::create_dir_all(&dir).expect("a writable directory");
        fs::write(dir.join(hex_of(&hash)), bytes).expect("a writable directory");
        hash
    }

    /// The folder that a platform's downloads go to.
    pub fn downloads(&self, platform: u8) -> PathBuf {
        self.host.data().join("downloads").join(platform.to_string())
    }
}
