//! Names and paths that clients and spaces choose: no byte is read or written outside of the
//! directories that are allowed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use http::header::CONTENT_DISPOSITION;
use http_body_util::Full;
use serde_json::{Value, json};
use stowage_tests::fixture::{hash_of, noise, stored_file};
use stowage_tests::host::TestHost;
use stowage_tests::hostile_names::names;
use stowage_tests::scene::Scene;
use stowage_tests::wait::eventually;
use stowage_tests::wire;

const TIME_MS: i64 = 1_744_163_398_055;
/// What must not be read, and must stay as it is.
const CANARY: &[u8] = b"what lies outside of all roots";

/// Everything below a directory that is no directory, and whether it is a plain file.
fn entries_below(dir: &Path) -> Vec<(PathBuf, bool)> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            match kind.is_dir() {
                true => open.push(entry.path()),
                false => found.push((entry.path().strip_prefix(dir).unwrap().to_owned(), kind.is_file())),
            }
        }
    }
    found.sort();
    found
}

/// Waits until no task runs or waits, and returns the tasks.
async fn settled(host: &TestHost) -> Vec<Value> {
    eventually("all tasks have ended", || async {
        let mut tasks = Vec::new();
        for page in 1.. {
            let found = host.ok("listTasks", json!({"page": page, "pageSize": 1000})).await;
            let found = found.as_array().unwrap().clone();
            let is_last = found.len() < 1000;
            tasks.extend(found);
            if is_last {
                break;
            }
        }
        // The states that a task leaves only if it is asked for again, of uploads and of downloads.
        let ended = |task: &Value| if task["type"] == 0 { [1, 3, 5, 5] } else { [0, 3, 4, 5] };
        let has_ended = |task: &Value| ended(task).iter().any(|status| task["status"] == *status);
        tasks.iter().all(has_ended).then_some(tasks)
    })
    .await
}

/// The only files beside the data, the space and the roots are those that were there.
fn assert_untouched(dir: &Path) {
    let outside: Vec<_> = entries_below(dir)
        .into_iter()
        .filter(|(path, _)| !["data", "space", "root"].iter().any(|known| path.starts_with(known)))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(outside, [PathBuf::from("canary"), PathBuf::from("outside/canary")]);
    for file in ["canary", "outside/canary"] {
        assert_eq!(fs::read(dir.join(file)).unwrap(), CANARY, "{file}");
    }
}

/// A server with a root for downloads and uploads. Each of these names is that of a file of the
/// space with the index as its content.
async fn scene(names: &[String]) -> Scene {
    let fill = |space: &stowage_tests::fixture::SpaceFixture| {
        let dir = space.dir().parent().unwrap();
        for folder in ["outside", "root"] {
            fs::create_dir(dir.join(folder)).unwrap();
        }
        for file in ["canary", "outside/canary"] {
            fs::write(dir.join(file), CANARY).unwrap();
        }
        for (index, name) in names.iter().enumerate() {
            let bytes = content(index);
            let hash = space.blob(&bytes);
            space.row("storage-files", &stored_file(&hash, name, bytes.len() as u64, TIME_MS));
        }
    };
    let root = |launch: stowage_tests::host::Launch| {
        let root = launch.data().with_file_name("root").display().to_string();
        launch.args([
            "--download-root",
            &root,
            "--upload-root",
            &root,
            "--max-transfers",
            "16",
        ])
    };
    Scene::launched(fill, root).await
}

fn content(index: usize) -> Vec<u8> {
    noise(50 + index, index as u64)
}

#[tokio::test]
async fn hostile_names_of_downloads_stay_in_their_directory() {
    let names = names();
    let scene = scene(&names).await;
    let host = &scene.host;
    for index in 0..names.len() {
        let params = json!({"hash": hash_of(&content(index)), "platform": 3});
        host.ok("downloadStorageFileTask", params).await;
    }
    let tasks = settled(host).await;
    assert_eq!(tasks.len(), names.len());
    let landed = entries_below(&scene.downloads(3));
    let mut contents = BTreeSet::new();
    for (path, is_file) in &landed {
        assert!(is_file, "{path:?}");
        assert_eq!(path.components().count(), 1, "{path:?}");
        let name = path.as_os_str().as_bytes();
        assert!(!name.iter().any(u8::is_ascii_control) && name.len() <= 255, "{path:?}");
        let bytes = fs::read(scene.downloads(3).join(path)).unwrap();
        contents.insert(hash_of(&bytes));
        // The address of the server's own response has the same content under a name that is one.
        let hash = hash_of(&bytes);
        let request = wire::request(Method::GET, host.address(), &format!("/files/{hash}?platform=3"));
        let reply = wire::send(host.address(), request.body(Full::default()).unwrap()).await;
        assert_eq!((reply.status, &reply.body[..]), (200, &bytes[..]), "{path:?}");
        let header = reply.headers[CONTENT_DISPOSITION].to_str().unwrap();
        assert!(
            header.starts_with("attachment") && !header.contains(['/', '\\']),
            "{header}"
        );
    }
    assert_eq!(contents.len(), names.len(), "each content landed once");
    assert_untouched(scene.dir.path());
    println!(
        "scorecard: H9 {} hostile names downloaded, 0 files outside of the download directory",
        names.len()
    );
}

#[tokio::test]
async fn hostile_paths_of_directories_and_uploads_are_refused_or_lie_in_a_root() {
    let names = names();
    let scene = scene(&["a.bin".to_owned()]).await;
    let (host, dir) = (&scene.host, scene.dir.path());
    symlink(dir.join("outside"), dir.join("root/link")).unwrap();
    symlink(dir.join("canary"), dir.join("root/canary")).unwrap();
    let root = dir.join("root").display().to_string();
    let mut taken = 0;
    for name in &names {
        for path in [name.clone(), format!("{root}/{name}"), format!("{root}/link/{name}")] {
            // A file may be uploaded if it is in the root, and there is none.
            let code = host.code("uploadFile", json!({"path": path, "platform": 3})).await;
            assert!([600, 60001].contains(&code), "{path:?}: {code}");
        }
        for path in [name.clone(), format!("{root}/{name}")] {
            let params = json!({"hash": hash_of(&content(0)), "platform": 3, "downloadPath": path});
            let code = host.code("downloadStorageFileTask", params).await;
            assert!([200, 600].contains(&code), "{path:?}: {code}");
            taken += u32::from(code == 200);
        }
    }
    settled(host).await;
    for (path, is_file) in entries_below(&dir.join("root")) {
        let is_link = path == Path::new("link") || path == Path::new("canary");
        assert!(is_file != is_link, "{path:?}");
    }
    assert_untouched(dir);
    assert_eq!(scene.space.read_blob(&hash_of(CANARY)), None, "the canary was not read");
    println!(
        "scorecard: H9 {} hostile paths, {taken} taken inside of a root, 0 files read or written outside",
        5 * names.len()
    );
}

#[tokio::test]
async fn hostile_names_of_received_files_stay_names() {
    let names = names();
    let scene = scene(&[]).await;
    let host = &scene.host;
    let mut stored = 0;
    for (index, name) in names.iter().enumerate() {
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let path = format!("/files?platform=3&name={encoded}");
        let request = wire::request(Method::PUT, host.address(), &path);
        let request = request.body(Full::from(content(index))).unwrap();
        let reply = wire::send(host.address(), request).await;
        let code = reply.code();
        assert!([200, 600].contains(&code), "{name:?}: {code}");
        stored += u32::from(code == 200);
    }
    settled(host).await;
    for (path, is_file) in entries_below(scene.dir.path()) {
        assert!(is_file, "{path:?}");
    }
    assert_untouched(scene.dir.path());
    println!(
        "scorecard: H9 {} hostile names received, {stored} stored, 0 files outside of data and space",
        names.len()
    );
}

/// A directory that becomes a link to another place between the check and the use.
#[tokio::test]
async fn a_directory_that_becomes_a_link_again_and_again_leads_nowhere() {
    const ROUNDS: usize = 150;
    let names: Vec<String> = (0..ROUNDS).map(|index| format!("{index}.bin")).collect();
    let scene = scene(&names).await;
    let (host, dir) = (&scene.host, scene.dir.path().to_owned());
    let root = dir.join("root");
    fs::create_dir(root.join("real")).unwrap();
    fs::write(root.join("real/file"), b"inside").unwrap();
    symlink(dir.join("outside"), root.join("trap")).unwrap();
    fs::write(dir.join("outside/file"), CANARY).unwrap();
    fs::create_dir(root.join("place")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let (root, stop) = (root.clone(), Arc::clone(&stop));
        move || {
            let mut swaps = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                // Each exchange is one step: `place` always is the directory or the link.
                for other in ["real", "trap"] {
                    let (one, other) = (root.join("place"), root.join(other));
                    let flags = rustix::fs::RenameFlags::EXCHANGE;
                    rustix::fs::renameat_with(rustix::fs::CWD, &one, rustix::fs::CWD, &other, flags).unwrap();
                    swaps += 1;
                }
            }
            swaps
        }
    });
    let place = root.join("place");
    for index in 0..ROUNDS {
        let params =
            json!({"hash": hash_of(&content(index)), "platform": 3, "downloadPath": place.display().to_string()});
        host.call("downloadStorageFileTask", params).await;
        let file = place.join("file").display().to_string();
        host.call("uploadFile", json!({"path": file, "platform": 3})).await;
    }
    settled(host).await;
    stop.store(true, Ordering::Relaxed);
    let swaps = swapping.join().unwrap();
    assert_eq!(
        scene.space.read_blob(&hash_of(CANARY)),
        None,
        "the file outside was not read"
    );
    fs::remove_file(dir.join("outside/file")).unwrap();
    assert_untouched(&dir);
    println!("scorecard: H9 {ROUNDS} downloads and uploads through a path that was swapped {swaps} times, 0 outside");
}
