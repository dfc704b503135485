//! The limit of the cache of compiled modules: the files that were used longest ago go.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The most files that are kept. A server has some modules and the versions before them.
const MAX_FILES: usize = 64;
/// The most bytes that are kept.
const MAX_BYTES: u64 = 512 << 20;
/// A temporary file that is older was left by a program that died.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// A file of the cache.
#[derive(Debug)]
struct Cached {
    used: SystemTime,
    bytes: u64,
    path: PathBuf,
}

/// Notes that a file is in use. If that cannot be written, the file may go too early, and is
/// compiled again.
pub(super) fn touch(file: &File) {
    let _ = file.set_modified(SystemTime::now());
}

/// Removes the files that were used longest ago, as far as there are too many. The last one stays,
/// however large it is.
///
/// # Errors
/// When the directory cannot be read, or a file cannot be removed.
pub(super) fn trim(dir: &Path) -> io::Result<()> {
    trim_to(dir, MAX_FILES, MAX_BYTES)
}

fn trim_to(dir: &Path, max_files: usize, max_bytes: u64) -> io::Result<()> {
    let mut cached = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = match entry.metadata() {
            // Another server removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata?,
        };
        let (path, used) = (entry.path(), metadata.modified()?);
        match path.extension().and_then(|end| end.to_str()) {
            Some("cwasm") if metadata.is_file() => cached.push(Cached {
                used,
                bytes: metadata.len(),
                path,
            }),
            Some("tmp") if metadata.is_file() && used.elapsed().is_ok_and(|age| age > ABANDONED) => remove(&path)?,
            _ => {}
        }
    }
    cached.sort_by_key(|cached| std::cmp::Reverse(cached.used));
    let mut bytes = 0;
    for (n, Cached { bytes: len, path, .. }) in cached.iter().enumerate() {
        bytes += len;
        if n > 0 && (n >= max_files || bytes > max_bytes) {
            remove(path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_longest_ago_goes_and_what_is_no_compiled_module_stays() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, seconds: u64, bytes: usize| {
            let path = dir.path().join(name);
            fs::write(&path, vec![0; bytes]).expect("writable");
            let file = File::options().write(true).open(path).expect("it was written");
            file.set_modified(SystemTime::now() - Duration::from_secs(seconds))
                .expect("writable");
        };
        for n in 0..10 {
            write(&format!("{n}.cwasm"), 100 - n, 10);
        }
        write("other", 1000, 10);
        write("a.7.tmp", 10, 10);
        write("b.7.tmp", 100_000, 10);
        let kept = || {
            let mut names: Vec<_> = fs::read_dir(dir.path())
                .expect("readable")
                .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
                .collect();
            names.sort();
            names.join(" ")
        };
        trim_to(dir.path(), 4, 1000).expect("removable");
        assert_eq!(kept(), "6.cwasm 7.cwasm 8.cwasm 9.cwasm a.7.tmp other");
        touch(
            &File::options()
                .write(true)
                .open(dir.path().join("6.cwasm"))
                .expect("it is kept"),
        );
        trim_to(dir.path(), 4, 25).expect("removable");
        assert_eq!(kept(), "6.cwasm 9.cwasm a.7.tmp other");
        trim_to(dir.path(), 4, 5).expect("removable");
        assert_eq!(kept(), "6.cwasm a.7.tmp other");
    }
}
