//! `stowage db`: backups under load, restores, checks, rows as text.

mod backup;
mod check;
mod kill;
mod place;
mod schedule;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use http::Method;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::cli::{Cli, CliOutput};
use stowage_tests::fixture::{
    SpaceFixture, backup, backup_folder, favorite, favorite_folder, hash_of, noise, stored_file, temp_file, temp_folder,
};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;
use stowage_tests::wire;

/// A command on a data directory.
fn db<'a>(words: impl IntoIterator<Item = &'a str>, data: &Path) -> Cli {
    Cli::new(["db"]).args(words).data(data)
}

/// A path as an argument.
fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A space with rows of every collection.
fn fill(space: &SpaceFixture) {
    for n in 0..40 {
        let bytes = noise(2000 + n, n as u64);
        let hash = space.blob(&bytes);
        let (id, time) = (format!("{n:02}"), n as i64);
        space.row(
            "favorite-folders",
            &favorite_folder(&format!("f{}", n % 4), &format!("folder {}", n % 4), time),
        );
        space.row(
            "favorites",
            &favorite(&id, &format!("f{}", n % 4), "cat.jpg", &hash, 7, time),
        );
        space.row("temp-folders", &temp_folder(&format!("t{}", n % 3), time));
        space.row(
            "temp-files",
            &temp_file(&id, &format!("t{}", n % 3), "dog.mp4", &hash, 8, time),
        );
        space.row("backup-folders", &backup_folder(&format!("b{}", n % 2), "", time));
        space.row("backups", &backup(&id, &format!("b{}", n % 2), "chat", &hash, 9, time));
        space.row("storage-files", &stored_file(&hash, &format!("{id}.pdf"), 10, time));
    }
}

/// A server that has taken over a space with rows, and has local files too: a temp file, and an
/// upload that waits because the space is away.
async fn busy_scene() -> (Scene, String) {
    let scene = Scene::with(fill).await;
    scene.temp_bytes(&noise(300_000, 77));
    std::fs::rename(scene.space.dir(), scene.dir.path().join("away")).unwrap();
    let bytes = noise(200_000, 78);
    let request = wire::request(Method::PUT, scene.host.address(), "/files?platform=3&name=waits.bin");
    let reply = wire::send(
        scene.host.address(),
        request.body(Full::new(bytes.clone().into())).unwrap(),
    )
    .await;
    assert_eq!(reply.code(), 200, "{:?}", reply.body);
    scene
        .host
        .ok("createImFavoriteFolder", json!({"name": "waits for the space"}))
        .await;
    (scene, hash_of(&bytes))
}

/// Brings the space of [`busy_scene`] back.
fn bring_back(scene: &Scene) {
    // The server may have looked there, but nothing is made.
    std::fs::rename(scene.dir.path().join("away"), scene.space.dir()).unwrap();
}

/// The names of all folders of favourites.
async fn folder_names(host: &TestHost) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for page in 1.. {
        let rows = host
            .ok("getImFavoriteFolders", json!({"page": page, "pageSize": 1000}))
            .await;
        let rows = rows.as_array().unwrap().clone();
        if rows.is_empty() {
            return names;
        }
        names.extend(rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()));
    }
    unreachable!("the pages end")
}

/// All rows as text.
async fn rows(data: &Path) -> Vec<String> {
    let dumped = db(["dump"], data).succeeds().await;
    dumped.stdout.lines().map(str::to_owned).collect()
}

/// Makes a backup of a data directory, which succeeds.
async fn backed_up(data: &Path, to: &Path) -> Value {
    db(["backup", shown(to), "--json"], data).succeeds().await.json()
}

/// Restores the newest backup.
async fn restored(from: &Path, data: &Path) -> CliOutput {
    db(["restore", shown(from)], data).succeeds().await
}

/// A check that finds nothing.
async fn sound(data: &Path) -> Value {
    let checked = db(["check", "--deep", "--json"], data).run().await;
    assert_eq!(checked.status, 0, "{checked}");
    checked.json()
}

/// The files below a folder.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path)
            } else {
                found.push(path)
            }
        }
    }
    found
}
