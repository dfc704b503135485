//! Watches the directory of a crate for saves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// The quiet time that ends a save: editors write a file in several steps.
const SETTLE: Duration = Duration::from_millis(150);

/// The longest time of a save. A file that is written all the time does not prevent builds.
const MOST_SETTLING: Duration = Duration::from_secs(3);

/// Directories and files, at any depth, that no build depends on or that the build itself writes.
fn is_ignored(name: &str) -> bool {
    name == "target" || name == "Cargo.lock" || name.starts_with('.') || name.ends_with('~') || name.ends_with(".swp")
}

/// Watches a directory.
pub(super) struct SourceWatch {
    dir: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    /// The signal that something has changed. The queue holds one signal: a second one has no
    /// meaning.
    changed: mpsc::Receiver<()>,
}

impl SourceWatch {
    /// Watches a directory, without what no build depends on.
    ///
    /// # Errors
    /// The system cannot watch it.
    pub(super) fn of(dir: &Path) -> notify::Result<SourceWatch> {
        let (tell, changed) = mpsc::channel(1);
        let root = dir.to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error means that events were lost. There may have been a save.
            if event.map_or(true, |event| is_save(&root, &event)) {
                // If the queue is full, there is a signal already.
                let _ = tell.try_send(());
            }
        })?;
        let mut changes = SourceWatch {
            dir: dir.to_owned(),
            watcher,
            watched: BTreeSet::new(),
            changed,
        };
        changes.watcher.watch(dir, RecursiveMode::NonRecursive)?;
        changes.watch_below()?;
        Ok(changes)
    }

    /// Waits for a save and for its end.
    ///
    /// # Errors
    /// The system cannot watch a new directory.
    pub(super) async fn next(&mut self) -> notify::Result<()> {
        // The sender lives as long as the watcher, so the channel is never closed here.
        self.changed.recv().await;
        let end = Instant::now() + MOST_SETTLING;
        while timeout_at(end.min(Instant::now() + SETTLE), self.changed.recv())
            .await
            .is_ok()
            && Instant::now() < end
        {}
        self.watch_below()
    }

    /// Watches each directory in the directory with its contents, but none that no build depends
    /// on: `target` may have thousands of directories.
    fn watch_below(&mut self) -> notify::Result<()> {
        let entries = fs::read_dir(&self.dir).map_err(notify::Error::io)?;
        let below: BTreeSet<PathBuf> = entries
            .filter_map(Result::ok)
            .filter(|entry| !is_ignored(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
            .collect();
        for path in below.difference(&self.watched) {
            self.watcher.watch(path, RecursiveMode::Recursive)?;
        }
        self.watched = below;
        Ok(())
    }
}

/// Whether an event may change the result of a build.
fn is_save(dir: &Path, event: &Event) -> bool {
    let changes = match event.kind {
        // A build reads files, and reading may change their metadata.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
        _ => true,
    };
    let matters = |path: &PathBuf| {
        let path = path.strip_prefix(dir).unwrap_or(path);
        !path
            .components()
            .any(|part| is_ignored(&part.as_os_str().to_string_lossy()))
    };
    changes && (event.need_rescan() || event.paths.iter().any(matters))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest time until a save is noticed.
    const PATIENCE: Duration = Duration::from_secs(30);

    async fn noticed(changes: &mut SourceWatch) {
        tokio::time::timeout(PATIENCE, changes.next())
            .await
            .expect("the save is noticed")
            .expect("watched");
    }

    #[tokio::test]
    async fn a_save_is_noticed_once_and_what_a_build_writes_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("a path");
        fs::create_dir_all(root.join("src")).expect("writable");
        fs::create_dir_all(root.join("target/debug")).expect("writable");
        let mut changes = SourceWatch::of(&root).expect("watched");

        fs::write(root.join("target/debug/out"), "built").expect("writable");
        fs::write(root.join("Cargo.lock"), "locked").expect("writable");
        fs::write(root.join("src/.lib.rs.swp"), "swap").expect("writable");
        fs::write(root.join("src/lib.rs"), "one").expect("writable");
        fs::rename(root.join("src/lib.rs"), root.join("src/main.rs")).expect("writable");
        noticed(&mut changes).await;
        assert!(changes.changed.try_recv().is_err(), "one save, however many events");

        // Events are in order. If one of these had counted as a save, it would come before the next
        // one.
        fs::write(root.join("target/debug/out"), "again").expect("writable");
        fs::write(root.join("Cargo.lock"), "again").expect("writable");
        fs::read(root.join("src/main.rs")).expect("readable");
        fs::create_dir(root.join("wit")).expect("writable");
        noticed(&mut changes).await;
        fs::write(root.join("wit/world.wit"), "package a:b;").expect("writable");
        noticed(&mut changes).await;
    }

    #[test]
    fn what_no_build_depends_on_is_ignored_at_any_depth() {
        let event = |path: &str| Event::new(EventKind::Create(notify::event::CreateKind::File)).add_path(path.into());
        let dir = Path::new("/crate");
        for path in [
            "/crate/src/lib.rs",
            "/crate/wit/world.wit",
            "/crate/Cargo.toml",
            "/crate/src/targets/a.rs",
        ] {
            assert!(is_save(dir, &event(path)), "{path}");
        }
        for path in [
            "/crate/target/x",
            "/crate/.git/index",
            "/crate/Cargo.lock",
            "/crate/src/lib.rs~",
            "/crate/a/target/b",
        ] {
            assert!(!is_save(dir, &event(path)), "{path}");
        }
        assert!(
            is_save(Path::new("/a/target/crate"), &event("/a/target/crate/src/lib.rs")),
            "only names inside count"
        );
    }
}
