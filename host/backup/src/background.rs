//! Threads that stand back behind those that answer calls.

use std::io;
use std::thread;

/// How far such a thread stands back.
const NICE: i32 = 10;

/// Runs `work` on a thread of its own with a low priority. It does not block for long what others
/// need, and the thread is not used for anything else.
///
/// # Errors
/// The system cannot start a thread.
pub fn in_background(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // On Linux, only this thread gets slower. If the system does not allow it, the work is
            // done all the same.
            let _ = rustix::process::nice(NICE);
            work();
        })
        .map(drop)
}
