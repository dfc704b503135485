//! Finds the files to import.

use std::path::PathBuf;

use super::report::Failure;
use crate::Error;

/// How deep folders are walked.
const DEPTH_LIMIT: usize = 128;

/// All regular files in the paths, and the failures.
pub(super) async fn files(paths: Vec<PathBuf>) -> Result<(Vec<PathBuf>, Vec<Failure>), Error> {
    let walked = tokio::task::spawn_blocking(move || {
        let mut walk = Walk::default();
        for path in paths {
            walk.visit(path, 0, true);
        }
        (walk.files, walk.failures)
    });
    walked
        .await
        .map_err(|error| Error::local("walking folders", std::io::Error::other(error)))
}

#[derive(Default)]
struct Walk {
    files: Vec<PathBuf>,
    failures: Vec<Failure>,
}

impl Walk {
    fn visit(&mut self, path: PathBuf, depth: usize, named: bool) {
        let kind = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) => return self.fail(path, error),
        };
        if kind.is_file() {
            self.files.push(path);
        } else if kind.is_dir() {
            self.descend(path, depth);
        } else if named {
            self.fail(path, "neither a file nor a folder; links are not followed");
        }
    }

    fn descend(&mut self, path: PathBuf, depth: usize) {
        if depth >= DEPTH_LIMIT {
            return self.fail(path, "too many folders in folders");
        }
        let mut inside = Vec::new();
        match std::fs::read_dir(&path) {
            Ok(entries) => {
                for entry in entries {
                    match entry {
                        Ok(entry) => inside.push(entry.path()),
                        Err(error) => self.fail(path.clone(), error),
                    }
                }
            }
            Err(error) => return self.fail(path, error),
        }
        inside.sort();
        for path in inside {
            self.visit(path, depth + 1, false);
        }
    }

    fn fail(&mut self, path: PathBuf, reason: impl ToString) {
        self.failures.push(Failure {
            path,
            reason: reason.to_string(),
        });
    }
}
