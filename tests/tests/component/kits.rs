//! Kits with the modules of this repository.

use stowage_kit::{Kit, KitBuilder};
use stowage_tests::program::target_dir;

/// The built-in modules, in the order they are loaded.
pub const MODULES: [&str; 6] = [
    "favorites",
    "temp-files",
    "backups",
    "cloud-storage",
    "common",
    "transfers",
];

/// A kit with all built-in modules.
pub async fn builtin() -> Kit {
    let builder = MODULES.iter().fold(Kit::builder(), |builder, name| {
        builder.file(target_dir().join(format!("modules/{name}.wasm")))
    });
    builder.build().await.unwrap()
}

/// A kit with one of them.
pub async fn module(name: &str) -> Kit {
    Kit::load(target_dir().join(format!("modules/{name}.wasm")))
        .await
        .unwrap()
}

/// The settings of a kit with the module that misbehaves on request. Its wire module is `tests`.
pub fn probe() -> KitBuilder {
    Kit::builder().file(target_dir().join("modules-test/probe.wasm"))
}

/// The settings of a kit with the module that attacks the host. Its wire module is `tests`.
pub fn hostile() -> KitBuilder {
    Kit::builder().file(target_dir().join("modules-test/hostile.wasm"))
}
