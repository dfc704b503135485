//! The files that rows name, and whether files have the bytes that their names say.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use stowage_cloud::Hash;

use super::Depth;
use super::findings::Findings;
use super::tasks::{TASKS, Task};
use crate::error::Error;
use crate::files::{MODULES, NamedFile, STAGING, TEMP, find, module_path, staged_path};
use crate::hash::ContentHash;
use crate::live_modules::{self, HISTORY, ModuleSet};
use crate::rows::{Moment as _, Rows};

/// States of a task that goes on.
const UNFINISHED: [&str; 4] = ["initial", "waiting", "active", "paused"];
/// How an upload says that its bytes are in the staging directory.
const STAGED: &str = "staged:";

/// Checks the files of a data directory. Returns how many there are.
pub(super) fn check(
    rows: &mut Rows,
    data: &Path,
    depth: Depth,
    findings: &mut Findings,
    notes: &mut Vec<String>,
) -> Result<u64, Error> {
    let found = find(data)?;
    let has = |path: &str| found.binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    for (name, version) in live_modules::live(rows)? {
        let path = module_path(version);
        if !has(&path) {
            findings.add(path, format!("it is missing, although the module {name} is live"));
        }
    }
    let mut waiting = Vec::new();
    rows.walk_table(TASKS, |row| {
        if let Ok(task) = rmp_serde::from_slice::<Task>(row.value) {
            let goes_on = UNFINISHED.contains(&&*task.state) && !task.moved;
            if goes_on && task.prepared.starts_with(STAGED) {
                waiting.push((task.task_id, task.file.hash));
            }
        }
        ControlFlow::<()>::Continue(())
    })?;
    for (task_id, hash) in waiting {
        let hash = hash.parse::<Hash>().ok().and_then(|hash| hash.to_hex().parse().ok());
        let path = hash.map(staged_path);
        if !path.as_deref().is_some_and(has) {
            let path = path.unwrap_or_else(|| STAGING.to_owned());
            findings.add(path, format!("it is missing, although the task {task_id:?} uploads it"));
        }
    }
    let missing = missing_of_history(rows, &has)?;
    if missing > 0 {
        notes.push(format!(
            "{missing} earlier versions of modules are not kept any more; a rollback cannot go back to them"
        ));
    }
    for file in &found {
        let must_be_read = depth == Depth::Deep || file.path.starts_with(MODULES);
        if must_be_read && let Some(problem) = damage(data, file)? {
            findings.add(file.path.clone(), problem);
        }
    }
    let temp = found.iter().filter(|file| file.path.starts_with(TEMP)).count();
    if depth == Depth::Quick && temp > 0 {
        notes.push(format!("{temp} temp files were not read; --deep reads them"));
    }
    Ok(found.len() as u64)
}

/// Versions of the history whose bytes are gone.
fn missing_of_history(rows: &mut Rows, has: &dyn Fn(&str) -> bool) -> Result<usize, Error> {
    let mut missing: BTreeSet<ContentHash> = BTreeSet::new();
    rows.walk_table(HISTORY, |row| {
        let modules = rmp_serde::from_slice::<ModuleSet>(row.value).map_or(Vec::new(), |set| set.modules);
        let versions = modules.into_iter().map(|module| module.version);
        missing.extend(versions.filter(|version| !has(&module_path(*version))));
        ControlFlow::<()>::Continue(())
    })?;
    Ok(missing.len())
}

/// What is wrong with the bytes of a file. A file that is gone meanwhile is right.
fn damage(data: &Path, file: &NamedFile) -> Result<Option<String>, Error> {
    let path = data.join(&file.path);
    let hashed = fs::File::open(&path).and_then(|mut opened| ContentHash::of_reader(&mut opened));
    match hashed {
        Ok(hash) if hash == file.hash => Ok(None),
        Ok(_) => Ok(Some("it is damaged: its SHA-256 is not its name".to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Error::file(&path)(error)),
        Err(error) => Ok(Some(format!("it cannot be read: {error}"))),
    }
}
