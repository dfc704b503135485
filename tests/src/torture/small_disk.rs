//! A small file system in memory, which a test fills.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::statvfs;

/// The file that takes the room.
const BALLAST: &str = "ballast";

/// Pieces in which the disk is filled, the last ones byte by byte of a page.
const PIECES: [usize; 3] = [1 << 20, 64 << 10, 4 << 10];

/// A mounted tmpfs. Dropping it unmounts it.
#[derive(Debug)]
pub struct SmallDisk {
    dir: PathBuf,
}

impl SmallDisk {
    /// Mounts a disk of this size at a directory, which is made.
    ///
    /// # Errors
    /// It cannot be mounted here. The text says why and what to do.
    ///
    /// # Panics
    /// When the directory cannot be made.
    pub fn mount(dir: &Path, len_bytes: u64) -> Result<SmallDisk, String> {
        fs::create_dir_all(dir).expect("a writable directory");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={len_bytes}"), "none"])
            .arg(dir)
            .output();
        let told = match output {
            Ok(output) if output.status.success() => return Ok(SmallDisk { dir: dir.to_owned() }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        Err(format!(
            "a tmpfs cannot be mounted ({told}); run it as root, or in `unshare -Urm`"
        ))
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes all the room but this many bytes.
    ///
    /// # Panics
    /// When a write fails.
    pub fn fill_but(&self, len_bytes: u64) {
        let stat = statvfs(&self.dir).expect("a mounted disk");
        let take = (stat.f_bavail * stat.f_bsize).saturating_sub(len_bytes);
        let mut file = self.ballast();
        io::copy(&mut io::repeat(1).take(take), &mut file).expect("the small disk has that room");
    }

    /// Takes all the room that is left.
    ///
    /// # Panics
    /// When a write fails for another reason.
    pub fn fill(&self) {
        let mut file = self.ballast();
        for len in PIECES {
            let piece = vec![1; len];
            loop {
                match file.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => panic!("the small disk: {error}"),
                }
            }
        }
    }

    /// Gives back what [`SmallDisk::fill`] took.
    ///
    /// # Panics
    /// When nothing was taken.
    pub fn make_room(&self) {
        fs::remove_file(self.dir.join(BALLAST)).expect("the disk was filled");
    }

    fn ballast(&self) -> File {
        let file = File::options().create(true).append(true).open(self.dir.join(BALLAST));
        file.expect("the small disk takes a name")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A server that was just killed may still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
    }
}
