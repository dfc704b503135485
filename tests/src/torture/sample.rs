//! What a process uses, looked at from time to time.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::usage::resident_bytes;

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Seconds since the first look.
    pub at: f64,
    /// Resident memory in bytes.
    pub resident: u64,
    /// Open files and sockets.
    pub files: u64,
    /// Threads.
    pub threads: u64,
    /// Bytes of the data directory on the disk.
    pub data: u64,
    /// Calls so far, of all clients.
    pub calls: u64,
    /// Calls so far that failed and should not have.
    pub failures: u64,
}

/// All looks, and the file that has them.
#[derive(Debug)]
pub struct Samples {
    begun: Instant,
    all: Vec<Sample>,
    csv: PathBuf,
}

impl Samples {
    /// No looks yet; they go to a file of comma-separated values.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn to(csv: &Path) -> Samples {
        fs::write(csv, "seconds,resident_kib,files,threads,data_kib,calls,failures\n").expect("a writable directory");
        Samples {
            begun: Instant::now(),
            all: Vec::new(),
            csv: csv.to_owned(),
        }
    }

    /// Looks at a process.
    ///
    /// # Panics
    /// When it does not run, or the file cannot be written.
    pub fn look(&mut self, pid: u32, data: &Path, calls: u64, failures: u64) {
        let count = |dir: &str| fs::read_dir(format!("/proc/{pid}/{dir}")).map_or(0, |entries| entries.count() as u64);
        let sample = Sample {
            at: self.begun.elapsed().as_secs_f64(),
            resident: resident_bytes(pid),
            files: count("fd"),
            threads: count("task"),
            data: disk_bytes(data),
            calls,
            failures,
        };
        let line = format!(
            "{:.1},{},{},{},{},{calls},{failures}\n",
            sample.at,
            sample.resident / 1024,
            sample.files,
            sample.threads,
            sample.data / 1024
        );
        let mut file = fs::File::options()
            .append(true)
            .open(&self.csv)
            .expect("the file was made");
        file.write_all(line.as_bytes()).expect("a writable file");
        self.all.push(sample);
    }

    /// The median of a figure between two shares of the time, for example in the last sixth.
    pub fn median(&self, from: f64, to: f64, figure: impl Fn(&Sample) -> u64) -> u64 {
        let end = self.all.last().map_or(0.0, |sample| sample.at);
        let mut figures: Vec<u64> = self
            .all
            .iter()
            .filter(|sample| sample.at >= end * from && sample.at <= end * to)
            .map(figure)
            .collect();
        figures.sort_unstable();
        figures.get(figures.len() / 2).copied().unwrap_or(0)
    }
}

/// The bytes that the files of a directory take on the disk.
fn disk_bytes(dir: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let Ok(entries) = fs::read_dir(dir) else {
        return 0;
    };
    // A file may go away meanwhile.
    let each = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => disk_bytes(&entry.path()),
        Ok(data) => data.blocks() * 512,
        Err(_) => 0,
    });
    each.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_of_a_part_of_the_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut samples = Samples::to(&dir.path().join("samples.csv"));
        for n in 0..=10 {
            samples.look(std::process::id(), dir.path(), n, 0);
            if let Some(last) = samples.all.last_mut() {
                last.at = n as f64;
            }
        }
        assert_eq!(samples.median(0.0, 0.4, |sample| sample.calls), 2);
        assert_eq!(samples.median(0.6, 1.0, |sample| sample.calls), 8);
        assert!(samples.median(0.0, 1.0, |sample| sample.files) > 2);
        assert!(samples.median(0.0, 1.0, |sample| sample.data) > 0);
    }
}
