//! The test kit, by the example of the module of favourites.

use std::time::Duration;

use serde_json::{Value, json};
use stowage_kit::{
    ApiError, CloudChange, CloudFailure, Content, DownloadRefusal, HIDDEN, Kit, KitError, Request, SyncCounts,
};
use stowage_tests::fixture::{favorite, favorite_folder, hash_of};

use crate::kits::{builtin, module, probe};

async fn favorites() -> Kit {
    module("favorites").await
}

#[tokio::test]
async fn a_call_is_answered_as_on_the_wire_and_kept() {
    let kit = favorites().await;
    kit.set_now(1_700_000_000_123).set_seed([7; 32]);
    let answer = kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
    assert_eq!(answer, json!({"code": 200, "message": null, "data": true}));
    let rows = kit.rows("favorite-folders");
    let made = rows
        .iter()
        .map(|row| row.json())
        .find(|row| row["name"] == "music")
        .unwrap();
    assert_eq!(made["time"], 1_700_000_000_123_u64);
    assert!(kit.tables().contains(&"favorite-folders".to_owned()));
    assert_eq!(kit.rows("no-such-table"), []);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_identifier() {
    let mut made = Vec::new();
    for seed in [[7; 32], [7; 32], [8; 32]] {
        let kit = favorites().await;
        kit.set_seed(seed);
        kit.data("createImFavoriteFolder", json!({"name": "music"})).await;
        made.push(kit.rows("favorite-folders"));
    }
    assert_eq!(made[0], made[1]);
    assert_ne!(made[0], made[2]);
}

#[tokio::test]
async fn only_calls_that_succeed_have_effects() {
    let kit = favorites().await;
    kit.vary_seed([1; 32]);
    kit.data("createImFavoriteFolder", json!({"name": "music"})).await;
    let taken = kit.take_requests();
    let [Request::Change(CloudChange::PutRow { collection, fields, .. })] = taken.as_slice() else {
        panic!("{taken:?}");
    };
    assert_eq!(collection, "favorite-folders");
    assert_eq!(fields["name"], "music");
    let taken = kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
    assert_eq!(taken["code"], 60002);
    assert_eq!(kit.requests(), []);
}

#[tokio::test]
async fn typed_calls_are_like_other_calls() {
    let kit = favorites().await;
    let create = || kit.call_typed::<_, bool, ApiError>("create-im-favorite-folder", ("music".to_owned(),));
    assert_eq!(create().await.unwrap(), Ok(true));
    assert_eq!(create().await.unwrap().unwrap_err().code, 60002);
    assert_eq!(kit.requests().len(), 1, "the one that failed has no effect");
    let wrong = kit
        .call_typed::<_, bool, ApiError>("create-im-favorite-folder", (7u32,))
        .await;
    assert!(matches!(wrong, Err(KitError::Call(_))), "{wrong:?}");
    let unknown = kit.call_typed::<_, bool, ApiError>("no-such-function", ()).await;
    assert!(matches!(unknown, Err(KitError::NoFunction(_))));

    let kit = probe().build().await.unwrap();
    let (sum,) = kit
        .call_plain::<_, (u64,)>("probe/increment", ("key".to_owned(),))
        .await
        .unwrap();
    assert_eq!(sum, 1);
    assert_eq!(
        kit.rows("probe")[0].content,
        Content::Value(1u64.to_be_bytes().to_vec())
    );
}

#[tokio::test]
async fn nothing_is_kept_of_a_call_whichever_host_call_fails() {
    let kit = favorites().await;
    kit.data("createImFavoriteFolder", json!({"name": "before"})).await;
    let host_calls = kit
        .vary_seed([3; 32])
        .fail_each_host_call(async || {
            kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
        })
        .await;
    assert!(host_calls > 3, "{host_calls}");
    assert!(kit.failure().unwrap().contains("create-im-favorite-folder"));
    let names: Vec<_> = kit
        .rows("favorite-folders")
        .iter()
        .map(|row| row.json()["name"].clone())
        .collect();
    assert!(
        names.contains(&json!("music")),
        "the run that passed is kept: {names:?}"
    );

    let answer = kit
        .fail_host_call(1)
        .json("createImFavoriteFolder", json!({"name": "x"}))
        .await;
    assert_eq!(answer["code"], 500);
    assert_eq!(
        kit.json("createImFavoriteFolder", json!({"name": "x"})).await["code"],
        200
    );
}

#[tokio::test]
#[should_panic(expected = "failed at host call")]
async fn a_failed_call_that_changes_storage_is_reported() {
    let kit = probe().build().await.unwrap();
    kit.fail_each_host_call(async || {
        // As a broken host would do.
        kit.put("probe", b"left", b"behind").await.unwrap();
        kit.json("tests/increment", json!({"key": "k"})).await;
    })
    .await;
}

#[tokio::test]
async fn rows_come_from_the_cloud_at_once_or_with_a_sync() {
    let kit = builtin().await;
    kit.apply("favorite-folders", &[favorite_folder("a", "music", 1)], &[])
        .await
        .unwrap();
    kit.script()
        .sync_brings("favorite-folders", [favorite_folder("b", "art", 2)])
        .sync_brings("favorites", [favorite("f", "b", "f.txt", &hash_of(b"f"), 1, 3)]);
    kit.data("initStorage$IMDataFromSdk", json!({})).await;
    let folders = kit
        .data("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    let names: Vec<_> = folders.as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    assert!(
        names.contains(&json!("music")) && names.contains(&json!("art")),
        "{folders}"
    );
    kit.apply("favorite-folders", &[], &["a"]).await.unwrap();
    assert_eq!(kit.rows("favorites").len(), 1);
    assert!(kit.apply("favorite-folders", &[json!({"id": []})], &[]).await.is_err());
    assert!(matches!(
        kit.apply("nothing", &[], &[]).await,
        Err(KitError::NoFunction(_))
    ));
}

#[tokio::test]
async fn a_sync_fails_when_the_cloud_is_out_of_reach() {
    let kit = module("common").await;
    let unreachable = CloudFailure::Unreachable("no network".into());
    kit.script().sync(Err(unreachable));
    assert_eq!(kit.json("initStorage$IMDataFromSdk", json!({})).await["code"], 500);
    kit.script().sync(Ok(SyncCounts::default()));
    assert_eq!(kit.json("initStorage$IMDataFromSdk", json!({})).await["code"], 200);
}

#[tokio::test]
async fn downloads_are_listed_and_refused_and_passwords_are_checked() {
    let kit = builtin().await;
    let hash = hash_of(b"sealed");
    let mut row = favorite("f", "1", "f.txt", &hash, 6, 1);
    row["protected"] = json!(true);
    kit.apply("favorites", &[row], &[]).await.unwrap();
    let request = |password: Value| json!({"platform": 2, "hash": hash, "filePassword": password});
    kit.script().password(&hash, "open sesame");
    let wrong = kit.json("downloadStorageFileTask", request(json!("wrong"))).await;
    assert_eq!(wrong["code"], 60004, "{wrong}");
    assert_eq!(kit.requests(), []);
    let right = kit.json("downloadStorageFileTask", request(json!("open sesame"))).await;
    assert_eq!(right["code"], 200, "{right}");
    let [Request::Download(download)] = &kit.take_requests()[..] else {
        panic!("no download");
    };
    assert_eq!(download.password.as_deref(), Some(HIDDEN));
    kit.script()
        .refuse_download(DownloadRefusal::Directory("only there".into()));
    let refused = kit.json("downloadStorageFileTask", request(json!("open sesame"))).await;
    assert_ne!(refused["code"], 200, "{refused}");
    assert_eq!(kit.requests(), []);
}

#[tokio::test]
async fn broken_services_end_the_call() {
    let kit = favorites().await;
    kit.script().break_services(Some("disk full"));
    let answer = kit.json("createImFavoriteFolder", json!({"name": "music"})).await;
    assert_eq!(answer["code"], 500);
    assert!(kit.failure().unwrap().contains("disk full"));
    assert_eq!(kit.rows("favorite-folders"), []);
    kit.script().break_services(None);
    kit.advance(Duration::from_secs(1))
        .data("createImFavoriteFolder", json!({"name": "music"}))
        .await;
}

#[tokio::test]
async fn hooks_are_called_with_json() {
    let kit = module("cloud-storage").await;
    kit.script().total_bytes(100);
    let request = |size: u64| {
        json!({"request": {
            "platform": 3, "subject": "",
            "file": {"hash": hash_of(b"x"), "name": "x", "ext": "", "thumb": "", "size": size, "path": "", "protected": false},
        }})
    };
    let refused = kit.call_json("upload-hook/admit", request(1000)).await.unwrap();
    assert!(refused.is_err(), "{refused:?}");
    assert!(matches!(
        kit.call_json("upload-hook/admit", json!({"request": 5})).await,
        Err(KitError::Arguments(_))
    ));
}
