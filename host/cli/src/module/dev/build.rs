//! Builds the crate of a module with cargo.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;
use thiserror::Error;
use tokio::process::Command;

/// The compiler's target for components.
const TARGET: &str = "wasm32-wasip2";

/// Why a directory is not the crate of a module.
#[derive(Debug, Error)]
pub enum CrateError {
    /// There is no cargo.
    #[error("cargo does not start: install Rust with rustup, or put cargo into PATH")]
    NoCargo(#[source] io::Error),
    /// Cargo refuses it.
    #[error("{} is no crate that cargo takes: {reason}", .dir.display())]
    Refused {
        /// The directory.
        dir: PathBuf,
        /// The message of cargo.
        reason: String,
    },
    /// It does not build a component.
    #[error("{} makes no component: expected `crate-type = [\"cdylib\"]` in the [lib] of its Cargo.toml", .dir.display())]
    NoComponent {
        /// The directory.
        dir: PathBuf,
    },
}

/// The crate of a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ModuleCrate {
    dir: PathBuf,
    /// The name of the package. It is the name of the module unless another one is given.
    pub(super) name: String,
    /// The path of the built component.
    pub(super) component: PathBuf,
}

/// The used parts of `cargo metadata`.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl ModuleCrate {
    /// Asks cargo about the crate in a directory.
    ///
    /// # Errors
    /// There is no cargo, or the directory is not the crate of a component.
    pub(super) async fn find(dir: &Path) -> Result<ModuleCrate, CrateError> {
        let refused = |reason: String| CrateError::Refused {
            dir: dir.to_owned(),
            reason,
        };
        let root = dir.canonicalize().map_err(|error| refused(error.to_string()))?;
        let output = Command::new("cargo")
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .current_dir(&root)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(CrateError::NoCargo)?;
        if !output.status.success() {
            return Err(refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|error| refused(error.to_string()))?;
        ModuleCrate::of(root, metadata).ok_or_else(|| CrateError::NoComponent { dir: dir.to_owned() })
    }

    fn of(dir: PathBuf, metadata: Metadata) -> Option<ModuleCrate> {
        let manifest = dir.join("Cargo.toml");
        let package = metadata
            .packages
            .into_iter()
            .find(|package| package.manifest_path == manifest)?;
        let makes_component = |target: &&Target| target.crate_types.iter().any(|kind| kind == "cdylib");
        let target = package.targets.iter().find(makes_component)?;
        let file = format!("{}.wasm", target.name.replace('-', "_"));
        Some(ModuleCrate {
            dir,
            component: metadata.target_directory.join(TARGET).join("release").join(file),
            name: package.name,
        })
    }

    /// The directory of the crate, as cargo names it.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Builds the component, and returns whether that succeeded. The compiler prints to stderr.
    /// Dropping the future ends the build.
    ///
    /// # Errors
    /// There is no cargo.
    pub(super) async fn build(&self) -> Result<bool, CrateError> {
        let status = Command::new("cargo")
            .args(["build", "--release", "--target", TARGET])
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .status()
            .await
            .map_err(CrateError::NoCargo)?;
        Ok(status.success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(crate_type: &str) -> Metadata {
        serde_json::from_value(serde_json::json!({
            "packages": [
                {"name": "other", "manifest_path": "/a/other/Cargo.toml", "targets": []},
                {"name": "pin-board", "manifest_path": "/a/Cargo.toml", "targets": [
                    {"name": "notes", "crate_types": ["bin"]},
                    {"name": "pin-board", "crate_types": [crate_type, "rlib"]},
                ]},
            ],
            "target_directory": "/t",
        }))
        .expect("as cargo writes it")
    }

    #[test]
    fn the_component_lies_where_cargo_puts_it() {
        let found = ModuleCrate::of("/a".into(), metadata("cdylib")).expect("a component");
        assert_eq!(found.name, "pin-board");
        assert_eq!(found.component, Path::new("/t/wasm32-wasip2/release/pin_board.wasm"));
        assert_eq!(ModuleCrate::of("/a".into(), metadata("lib")), None);
        assert_eq!(ModuleCrate::of("/b".into(), metadata("cdylib")), None);
    }

    #[tokio::test]
    async fn a_directory_that_is_no_crate_is_refused_with_what_cargo_says() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = ModuleCrate::find(&dir.path().join("none")).await.expect_err("refused");
        assert!(matches!(error, CrateError::Refused { .. }), "{error}");
        std::fs::write(dir.path().join("Cargo.toml"), "[package").expect("writable");
        let error = ModuleCrate::find(dir.path()).await.expect_err("refused");
        assert!(matches!(error, CrateError::Refused { .. }), "{error}");
    }
}
