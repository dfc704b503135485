//! The module of `transferApi`, as clients call it.

use serde_json::{Value, json};
use stowage_kit::{CloudChange, Kit, Request};
use stowage_logic::wit::files::{PrepareError, Prepared};
use stowage_logic::wit::tasks::{Filter, Limits, Task, TaskChange};
use stowage_logic::wit::transfer::Direction;
use stowage_tests::document::{blocks, document};
use stowage_tests::fixture::{favorite, favorite_folder, hash_of, stored_file};

use crate::kits::builtin;

const NOW_MS: u64 = 1_744_200_000_000;
const FOLDER: &str = "66053280-446f-488e-82f3-95884938a30c";
const FAVORITES: &str = "3f0d0c52-8a57-4f0e-9d0b-6a1f5c2b7e41";
const PATH: &str = "/home/me/照片.jpg";

fn prepared(name: &str, of: &[u8], size: u64, protected: bool) -> Prepared {
    Prepared {
        id: format!("prepared {name}"),
        name: name.to_owned(),
        hash: hash_of(of),
        size,
        protected,
    }
}

fn task(id: u64, task_id: &str, direction: Direction) -> Task {
    Task {
        id,
        task_id: task_id.to_owned(),
        direction,
        platform: 3,
        name: "照片.jpg".to_owned(),
        thumb: String::new(),
        hash: hash_of(b"photo"),
        protected: false,
        size: 4246,
        time: 1_744_199_999_000,
        path: FOLDER.to_owned(),
        folder_path: String::new(),
        source_path: PATH.to_owned(),
        ext: ".jpg".to_owned(),
        progress: 50,
        viewed: false,
        status: 2,
        code: 0,
        speed: 2123,
        remaining: 1,
        priority: 5,
    }
}

/// A kit with a folder and a file of the cloud storage, a folder of favourites, the blob of a photo
/// in the space, the same photo on this machine, and two tasks.
async fn ready() -> Kit {
    let kit = builtin().await;
    kit.set_now(NOW_MS).vary_seed([1; 32]);
    kit.script()
        .blob(&hash_of(b"photo"), 4246)
        .prepares(PATH, Ok(prepared("照片.jpg", b"photo", 4246, false)))
        .prepares(&hash_of(b"report"), Ok(prepared("", b"sealed report", 7200, true)))
        .task(task(1, "8c1f", Direction::Upload))
        .task(task(2, "9d20", Direction::Download));
    let folder = json!({"id": FOLDER, "name": "旅行", "time": 1_744_161_200_000_u64, "path": ""});
    kit.apply("storage-folders", &[folder], &[]).await.unwrap();
    let mut report = stored_file(&hash_of(b"report"), "报告.pdf", 7000, 1_744_161_300_000);
    report["ext"] = json!(".pdf");
    kit.apply("storage-files", &[report], &[]).await.unwrap();
    let folder = favorite_folder(FAVORITES, "工作资料", 1_744_164_900_000);
    kit.apply("favorite-folders", &[folder], &[]).await.unwrap();
    kit
}

async fn call(kit: &Kit, method: &str, params: Value) -> Value {
    kit.json(&format!("transferApi/{method}"), params).await
}

/// Calls a method that succeeds, and returns its data.
async fn data(kit: &Kit, method: &str, params: Value) -> Value {
    kit.data(&format!("transferApi/{method}"), params).await
}

/// The code of an error, and the field that a parameter error names.
async fn refused(kit: &Kit, method: &str, params: Value) -> (u64, String) {
    let answer = call(kit, method, params).await;
    assert_eq!(answer["data"], Value::Null, "{answer}");
    let message = answer["message"].as_str().unwrap();
    let field = message.split_once(": expected ").map_or("", |(field, _)| field);
    (answer["code"].as_u64().unwrap(), field.to_owned())
}

/// The changes of the space as short texts.
fn changes(kit: &Kit) -> Vec<String> {
    let short = |request: Request| match request {
        Request::Change(CloudChange::PutRow {
            collection, identity, ..
        }) => format!("put {collection}/{identity}"),
        Request::Change(CloudChange::DeleteRow { collection, identity }) => format!("delete {collection}/{identity}"),
        Request::Change(CloudChange::DeleteBlob { hash }) => format!("blob {hash}"),
        other => format!("{other:?}"),
    };
    kit.take_requests().into_iter().map(short).collect()
}

/// The parameters of a hook for an upload that was asked for.
fn hook_request(kit: &Kit) -> Value {
    let taken = kit.take_requests();
    let [Request::UploadFile(request)] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    let file = &request.file;
    json!({"request": {
        "taskId": request.task_id, "platform": request.platform, "prepared": request.prepared,
        "subject": request.subject,
        "file": {
            "hash": file.hash, "name": file.name, "ext": file.ext, "thumb": file.thumb, "size": file.size,
            "path": file.path, "protected": file.protected,
        },
    }})
}

#[tokio::test]
async fn the_documented_examples_are_answered_as_documented() {
    let kit = ready().await;
    let text = document("docs/transfer-api.md");
    let blocks: Vec<_> = blocks(&text)
        .into_iter()
        .filter(|block| block.language == "json")
        .collect();
    let served = kit.logic().generation();
    let of_this_api = |route: &&stowage_logic::Route| route.export().interface.wire_module() == "transfer-api";
    assert_eq!(
        blocks.len(),
        2 * served.methods().filter(of_this_api).count(),
        "an example a method"
    );
    let mut others = Vec::new();
    for example in blocks.chunks(2) {
        let [request, documented] = example else {
            panic!("a request without its answer");
        };
        assert_eq!(request.heading, documented.heading);
        let request_json = serde_json::from_str(&request.text).unwrap();
        let answer = call(&kit, &request.heading, request_json).await;
        if serde_json::from_str::<Value>(&documented.text).unwrap() != answer {
            others.push(format!("{}\n{answer}", request.heading));
        }
    }
    assert!(others.is_empty(), "other answers:\n{}", others.join("\n"));
}

#[tokio::test]
async fn tasks_are_changed_as_clients_ask() {
    let kit = ready().await;
    for (method, more, change) in [
        ("pauseTask", json!({}), TaskChange::Pause),
        ("resumeTask", json!({}), TaskChange::Resume),
        ("cancelTask", json!({}), TaskChange::Cancel),
        ("retryTask", json!({}), TaskChange::Retry),
        ("removeTask", json!({}), TaskChange::Remove),
        ("markTaskViewed", json!({}), TaskChange::Viewed),
        ("setTaskPriority", json!({"priority": "9"}), TaskChange::Priority(9)),
        (
            "setTaskLimit",
            json!({"bytesPerSecond": "1048576"}),
            TaskChange::BytesPerSecond(1 << 20),
        ),
    ] {
        let with = |name: &str, value: Value| {
            let mut params = more.clone();
            params[name] = value;
            params["later"] = json!({"unknown": true});
            params
        };
        let one = call(&kit, method, with("taskId", json!("8c1f"))).await;
        assert_eq!(one, json!({"code": 200, "message": null, "data": true}));
        let changed = |task_id: &str| Request::ChangeTask {
            task_id: task_id.to_owned(),
            change,
            known: true,
        };
        assert_eq!(kit.take_requests(), [changed("8c1f")]);
        let mut many = with("taskIds", json!(["9d20", "8c1f"]));
        many["taskId"] = Value::Null;
        data(&kit, method, many).await;
        assert_eq!(kit.take_requests(), [changed("9d20"), changed("8c1f")]);
        assert_eq!(refused(&kit, method, with("taskId", json!("unknown"))).await.0, 60001);
        assert_eq!(
            refused(&kit, method, with("taskIds", json!([]))).await,
            (600, "taskIds".into())
        );
        assert_eq!(
            refused(&kit, method, with("taskIds", json!([{}]))).await,
            (600, "taskIds[0]".into())
        );
        assert_eq!(refused(&kit, method, more.clone()).await, (600, "taskId".into()));
        assert_eq!(kit.take_requests(), []);
    }
}

#[tokio::test]
async fn all_tasks_are_paused_and_limits_are_set() {
    let kit = ready().await;
    assert_eq!(data(&kit, "pauseAll", json!({"type": "1", "platform": null})).await, 1);
    let filter = Filter {
        direction: Some(Direction::Download),
        platform: None,
        status: None,
    };
    let changed = Request::ChangeTasks {
        filter,
        change: TaskChange::Pause,
        count: 1,
    };
    assert_eq!(kit.take_requests(), [changed]);
    assert_eq!(data(&kit, "resumeAll", json!({"platform": 3})).await, 2);
    kit.take_requests();
    let limits = data(
        &kit,
        "setLimits",
        json!({"downloadBytesPerSecond": "18446744073709551615"}),
    )
    .await;
    let expected = json!({
        "downloadBytesPerSecond": u64::MAX, "uploadBytesPerSecond": 0, "maxDownloads": 0, "maxUploads": 0,
    });
    assert_eq!(limits, expected);
    let set = Limits {
        download_bytes_per_second: u64::MAX,
        upload_bytes_per_second: 0,
        max_downloads: 0,
        max_uploads: 0,
    };
    assert_eq!(kit.take_requests().last(), Some(&Request::SetLimits(set)));
    assert_eq!(data(&kit, "getLimits", json!({})).await, expected);
}

#[tokio::test]
async fn an_uploaded_file_becomes_a_row() {
    let kit = ready().await;
    let params = json!({
        "path": PATH, "platform": "3", "storagePath": FOLDER, "name": null, "filePassword": "", "time": "5", "later": 1,
    });
    let begun = data(&kit, "uploadFile", params).await;
    assert_eq!(begun["hash"], hash_of(b"photo"));
    let request = hook_request(&kit);
    assert_eq!(begun["taskId"], request["request"]["taskId"]);
    kit.script().total_bytes(11_245);
    let refusal = kit.call_json("files-hook/admit", request.clone()).await.unwrap();
    assert_eq!(refusal, Err(json!("noSpace")));
    kit.script().total_bytes(11_246);
    for hook in ["files-hook/admit", "files-hook/finished"] {
        assert_eq!(kit.call_json(hook, request.clone()).await.unwrap(), Ok(Value::Null));
    }
    assert_eq!(changes(&kit), [format!("put storage-files/{}", hash_of(b"photo"))]);
    assert_eq!(
        kit.call_json("files-hook/finished", request).await.unwrap(),
        Ok(Value::Null)
    );
    assert_eq!(changes(&kit), [""; 0], "being told again changes nothing");
    let entry = data(&kit, "getStorageFile", json!({"unique": hash_of(b"photo")})).await;
    assert_eq!(
        entry,
        json!({
            "unique": hash_of(b"photo"), "isFolder": false, "name": "照片.jpg", "hash": hash_of(b"photo"),
            "path": FOLDER, "ext": ".jpg", "thumb": "", "size": "4.15 KB", "time": 5, "type": 1, "isCrypt": 0,
        })
    );
}

#[tokio::test]
async fn what_the_host_cannot_prepare_has_a_code() {
    let kit = ready().await;
    for (error, code) in [
        (
            PrepareError::Path("expected a path in /uploads".into()),
            (600, "path".into()),
        ),
        (PrepareError::Missing, (60001, String::new())),
        (PrepareError::Password, (60004, String::new())),
        (PrepareError::Failed("the disk is full".into()), (500, String::new())),
    ] {
        kit.script().prepares(PATH, Err(error));
        let params = json!({"path": PATH, "platform": 3, "filePassword": "x"});
        assert_eq!(refused(&kit, "uploadFile", params).await, code);
    }
    assert_eq!(kit.take_requests(), []);
}

#[tokio::test]
async fn a_password_replaces_the_blob_of_a_file() {
    let kit = ready().await;
    let params = json!({"hash": hash_of(b"report"), "platform": 3, "password": "open sesame", "newPassword": null});
    assert_eq!(data(&kit, "setFilePassword", params.clone()).await, true);
    let request = hook_request(&kit);
    assert!(!request.to_string().contains("sesame"));
    assert_eq!(
        kit.call_json("files-hook/finished", request.clone()).await.unwrap(),
        Ok(Value::Null)
    );
    let (old, new) = (hash_of(b"report"), hash_of(b"sealed report"));
    assert_eq!(
        changes(&kit),
        [
            format!("delete storage-files/{old}"),
            format!("put storage-files/{new}"),
            format!("blob {old}")
        ]
    );
    assert_eq!(data(&kit, "getStorageFile", json!({"unique": new})).await["isCrypt"], 1);
    assert_eq!(
        refused(&kit, "setFilePassword", params).await.0,
        60001,
        "the old hash is gone"
    );
    kit.script().prepares(&new, Err(PrepareError::Password));
    let wrong = json!({"hash": new, "platform": 3, "password": "wrong"});
    assert_eq!(refused(&kit, "removeFilePassword", wrong).await.0, 60004);
    let gone = kit.call_json(
        "files-hook/finished",
        json!({"request": {
            "taskId": "t", "platform": 2, "prepared": "", "subject": request["request"]["subject"],
            "file": request["request"]["file"],
        }}),
    );
    assert_eq!(gone.await.unwrap(), Err(json!("gone")), "no favourite names it");
}

#[tokio::test]
async fn a_replaced_favourite_releases_its_blob_after_its_row() {
    let kit = ready().await;
    kit.script().blob(&hash_of(b"other"), 10);
    let add = |of: &[u8]| json!({"unique": "u", "hash": hash_of(of), "favId": FAVORITES, "isCrypt": "0"});
    data(&kit, "addImFavorite", add(b"photo")).await;
    kit.take_requests();
    data(&kit, "addImFavorite", add(b"other")).await;
    assert_eq!(
        changes(&kit),
        ["put favorites/u".to_owned(), format!("blob {}", hash_of(b"photo"))]
    );
    let listed = json!({"favId": FAVORITES, "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(
        kit.data("getImFavoriteList", listed).await[0]["hash"],
        hash_of(b"other")
    );
    let unknown = json!({"uniques": ["u", "unknown"]});
    assert_eq!(refused(&kit, "deleteImFavorites", unknown).await.0, 60001);
    assert_eq!(kit.rows("favorites").len(), 1);
}

#[tokio::test]
async fn the_hooks_of_received_files_take_their_fields() {
    let kit = ready().await;
    let fields = json!([
        {"name": "storagePath", "value": {"text": FOLDER}}, {"name": "time", "value": {"text": "7"}},
        {"name": "unknown", "value": {"boolean": true}},
    ]);
    let sent = |fields: &Value| json!({"platform": 3, "name": "a.txt", "fields": fields});
    assert_eq!(
        kit.call_json("files-hook/check", sent(&fields)).await.unwrap(),
        Ok(Value::Null)
    );
    let wrong = json!([{"name": "time", "value": {"text": "now"}}]);
    let failure = kit
        .call_json("files-hook/check", sent(&wrong))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        failure,
        json!({"code": 600, "message": "time: expected a whole number"})
    );
    let mut store = sent(&fields);
    store["id"] = json!("s");
    store["file"] = json!({"id": "p", "name": "", "hash": hash_of(b"a"), "size": 1, "protected": false});
    let stored = kit.call_json("files-hook/store", store).await.unwrap().unwrap();
    assert_eq!(stored["hash"], hash_of(b"a"));
    let request = hook_request(&kit);
    assert_eq!(
        kit.call_json("files-hook/finished", request).await.unwrap(),
        Ok(Value::Null)
    );
    let find = |of: &[u8], platform: Value| json!({"hash": hash_of(of), "platform": platform});
    let found = kit.call_json("files-hook/find", find(b"a", json!(3))).await.unwrap();
    assert_eq!(found, Ok(json!({"name": "a.txt", "protected": false})));
    let unknown = kit.call_json("files-hook/find", find(b"b", json!(null))).await.unwrap();
    assert_eq!(unknown.unwrap_err()["code"], 60001);
}

#[tokio::test]
async fn a_number_has_one_message_whatever_is_wrong_with_it() {
    let kit = ready().await;
    let list = json!({"page": 1, "pageSize": 10});
    for (method, params, number, wrong) in [
        ("listTasks", &list, "type", 2),
        ("listTasks", &list, "platform", 5),
        ("listTasks", &list, "status", 6),
        ("listTasks", &list, "page", 0),
        ("listTasks", &list, "pageSize", 0),
        ("listStorageFiles", &list, "type", 5),
        ("listStorageFiles", &list, "pageSize", 1001),
        ("pauseAll", &json!({}), "type", 2),
        ("resumeAll", &json!({}), "platform", 5),
        ("setTaskPriority", &json!({"taskId": "8c1f"}), "priority", 10),
        ("uploadFile", &json!({"path": PATH}), "platform", 4),
        ("setFilePassword", &json!({"hash": "h", "password": "p"}), "platform", 4),
        (
            "removeFilePassword",
            &json!({"hash": "h", "password": "p"}),
            "platform",
            4,
        ),
        ("addImFavorite", &json!({"hash": hash_of(b"photo")}), "isCrypt", 2),
    ] {
        let answer = async |value: Value| {
            let mut params = params.clone();
            params[number] = value;
            call(&kit, method, params).await
        };
        let first = answer(json!(wrong)).await;
        let start = format!("{number}: expected a whole number from ");
        assert!(
            first["message"].as_str().unwrap().starts_with(&start),
            "{method}: {first}"
        );
        for value in [json!(-2), json!(1_u64 << 40), json!(1.5), json!("x"), json!([])] {
            assert_eq!(answer(value.clone()).await, first, "{method} {number} {value}");
        }
    }
}

#[tokio::test]
async fn nothing_is_kept_of_a_call_whichever_host_call_fails() {
    let kit = ready().await;
    let inner = json!({"id": "inner", "name": "inner", "time": 1, "path": FOLDER});
    kit.apply("storage-folders", &[inner], &[]).await.unwrap();
    let mut file = stored_file(&hash_of(b"deep"), "deep.bin", 5, 1);
    file["path"] = json!(format!("{FOLDER}/inner"));
    kit.apply("storage-files", &[file], &[]).await.unwrap();
    kit.apply("favorites", &[favorite("u", "1", "a", &hash_of(b"photo"), 5, 1)], &[])
        .await
        .unwrap();
    for (method, params) in [
        ("addLocalTempFile", json!({"parent": "talk", "hash": hash_of(b"photo")})),
        ("moveImFavorites", json!({"uniques": ["u"], "favId": FAVORITES})),
        ("deleteStorageFiles", json!({"uniques": [FOLDER, hash_of(b"report")]})),
        ("uploadFile", json!({"path": PATH, "platform": 2})),
    ] {
        let host_calls = kit
            .fail_each_host_call(async || {
                call(&kit, method, params.clone()).await;
            })
            .await;
        assert!(host_calls > 1, "{method}: {host_calls}");
    }
    assert_eq!(kit.rows("storage-files").len(), 0);
    assert_eq!(kit.rows("temp-files").len(), 1);
}
