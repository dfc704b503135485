//! What fuzzers call in this crate: names and paths that others choose.
//!
//! Each target takes any bytes. It panics if a property of the code is violated. docs/fuzzing.md
//! lists all targets of the project.

use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::control::Control;
use crate::disk::Roots;
use crate::incoming::Upload;
use crate::name::{numbered, safe, temporary};
use crate::task::Task;

/// The longest name of a file or a directory on common file systems.
const MOST_NAME_BYTES: usize = 255;

/// The name of a file: what is made of it is one name that every file system takes.
pub fn file_name(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    let made = safe(&name, "fallback");
    check_name(&made);
    assert_eq!(safe(&made, "fallback"), made, "a safe name stays as it is");
    for number in [1, 10_000, u32::MAX] {
        check_name(&numbered(&made, number));
    }
    let hidden = temporary(&made, "task", "stowage-part");
    check_name(&hidden);
    assert!(hidden.starts_with('.') && hidden != temporary(&made, "other", "stowage-part"));
}

/// Checks that a name is one component, and that no file system gives it another meaning.
fn check_name(name: &str) {
    assert!(!name.is_empty() && name.len() <= MOST_NAME_BYTES, "{name:?}");
    let components: Vec<_> = Path::new(name).components().collect();
    assert!(
        matches!(components[..], [Component::Normal(one)] if one == name),
        "{name:?}"
    );
    let refused = |c: char| c.is_control() || "/\\<>:\"|?*".contains(c);
    assert!(!name.contains(refused), "{name:?}");
    assert!(!name.ends_with(['.', ' ']) && !name.starts_with(' '), "{name:?}");
    let stem: String = name.split('.').next().unwrap_or_default().to_lowercase();
    let devices = [
        "con", "prn", "aux", "nul", "com1", "com¹", "lpt9", "lpt³", "conin$", "conout$",
    ];
    assert!(!devices.contains(&stem.trim_end()), "{name:?} is a device of Windows");
}

/// The directory of a download: what is taken lies in a root, by plain names.
pub fn directory(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let root = PathBuf::from("/srv/stowage/downloads");
    let extra = PathBuf::from("/srv/stowage/downloads/inner");
    let roots = Roots::of(root.clone(), vec![extra.clone()]);
    for directory in [
        text.clone().into_owned(),
        format!("{}/{text}", root.display()),
        format!("/{text}"),
    ] {
        let Ok(target) = roots.resolve(3, Some(&directory)) else {
            continue;
        };
        assert!(target.root == root || target.root == extra);
        assert!(target.below.len() <= 65, "{directory:?}");
        for name in &target.below {
            let components: Vec<_> = Path::new(name).components().collect();
            assert!(
                matches!(components[..], [Component::Normal(one)] if one == name.as_str()),
                "{directory:?}"
            );
            assert!(
                name.len() <= MOST_NAME_BYTES && !name.contains(char::is_control),
                "{directory:?}"
            );
        }
        assert!(target.path().starts_with(&root), "{directory:?}");
    }
}

/// The rows of tasks and of uploads in the database: any bytes are read or refused, and what was
/// read can be written and read again.
pub fn stored_tasks(data: &[u8]) {
    read_again::<Task>(data);
    read_again::<Control>(data);
    read_again::<Upload>(data);
}

fn read_again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(data: &[u8]) {
    if let Ok(read) = rmp_serde::from_slice::<T>(data) {
        let bytes = rmp_serde::to_vec_named(&read).expect("memory takes it");
        let again: T = rmp_serde::from_slice(&bytes).expect("what was written is read");
        assert_eq!(again, read);
    }
}
