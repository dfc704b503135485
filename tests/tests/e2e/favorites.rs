//! Favourites: folders and what is in them.

use serde_json::{Value, json};
use stowage_tests::fixture::{favorite, favorite_folder};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

async fn folders(host: &TestHost) -> Vec<(String, String)> {
    let rows = host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1000}))
        .await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| (text(&row["id"]), text(&row["name"])))
        .collect()
}

async fn create(host: &TestHost, name: &str) -> String {
    assert_eq!(host.ok("createImFavoriteFolder", json!({ "name": name })).await, true);
    let found = folders(host).await.into_iter().find(|(_, n)| n == name.trim());
    found.unwrap_or_else(|| panic!("no folder {name}")).0
}

#[tokio::test]
async fn the_default_folder_is_always_there() {
    let scene = Scene::new().await;
    let host = &scene.host;
    assert_eq!(folders(host).await, [("1".to_owned(), "我的收藏".to_owned())]);
    assert_eq!(host.code("deleteImFavoriteFolder", json!({"id": "1"})).await, 60003);
    assert_eq!(
        host.code("createImFavoriteFolder", json!({"name": "我的收藏"})).await,
        60002
    );
    assert_eq!(
        host.ok(
            "getImFavoriteList",
            json!({"favId": 1, "type": 0, "page": 1, "pageSize": 1})
        )
        .await,
        json!([])
    );
    let first = host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await;
    host.init().await;
    assert_eq!(
        host.ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 1})).await,
        first,
        "its time stays"
    );
}

#[tokio::test]
async fn a_folder_is_made_renamed_and_deleted() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let id = create(host, "图片").await;
    let uuid = uuid::Uuid::parse_str(&id).unwrap();
    assert_eq!(uuid.get_version_num(), 4);
    assert_eq!(
        host.ok("renameImFavoriteFolder", json!({"id": id, "newName": "视频"}))
            .await,
        true
    );
    assert_eq!(folders(host).await[1], (id.clone(), "视频".to_owned()));
    assert_eq!(
        host.ok("renameImFavoriteFolder", json!({"id": id, "newName": "视频"}))
            .await,
        true,
        "the same name again"
    );
    assert_eq!(create(host, "图片").await.len(), 36, "the old name is free");
    assert_eq!(
        host.code("renameImFavoriteFolder", json!({"id": id, "newName": "图片"}))
            .await,
        60002
    );
    assert_eq!(host.ok("deleteImFavoriteFolder", json!({ "id": id })).await, true);
    for (method, params) in [
        ("deleteImFavoriteFolder", json!({ "id": id })),
        ("renameImFavoriteFolder", json!({"id": id, "newName": "x"})),
        ("renameImFavoriteFolder", json!({"id": UNKNOWN, "newName": "x"})),
        (
            "getImFavoriteList",
            json!({"favId": id, "type": 0, "page": 1, "pageSize": 10}),
        ),
    ] {
        assert_eq!(host.code(method, params).await, 60000, "{method}");
    }
    assert_eq!(
        host.ok("createImFavoriteFolder", json!({"name": "视频"})).await,
        true,
        "a deleted folder's name is free"
    );
}

#[tokio::test]
async fn names_are_trimmed_and_bounded() {
    let scene = Scene::new().await;
    let host = &scene.host;
    create(host, "  图片\t").await;
    assert_eq!(
        host.code("createImFavoriteFolder", json!({"name": "图片"})).await,
        60002
    );
    create(host, &"我".repeat(255)).await;
    create(host, "👨‍👩‍👧 \" \\ ' % _ ../.. <b>").await;
    create(host, "5").await;
    assert_eq!(
        host.code("createImFavoriteFolder", json!({"name": 5})).await,
        60002,
        "a number is its digits"
    );
    let id = folders(host).await[1].0.clone();
    for name in [
        json!(""),
        json!("   "),
        json!("我".repeat(256)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!(null),
        json!([]),
        json!(true),
        json!({}),
    ] {
        for (method, params, field) in [
            ("createImFavoriteFolder", json!({ "name": name }), "name"),
            ("renameImFavoriteFolder", json!({"id": id, "newName": name}), "newName"),
        ] {
            let answer = host.call(method, params).await;
            assert_eq!(answer["code"], 600, "{method} {name}: {answer}");
            let message = answer["message"].as_str().unwrap();
            assert!(message.starts_with(&format!("{field}:")), "{message}");
        }
    }
    assert_eq!(folders(host).await.len(), 5);
}

#[tokio::test]
async fn folders_come_oldest_first_after_the_default_one() {
    let scene = Scene::with(|space| {
        for (id, time) in [("b", 3000), ("a", 3000), ("c", 1000), ("1", 9000)] {
            space.row("favorite-folders", &favorite_folder(id, &format!("name {id}"), time));
        }
    })
    .await;
    let ids = async |params: Value| -> Vec<String> {
        let rows = scene.host.ok("getImFavoriteFolders", params).await;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(json!({"page": 1, "pageSize": 10})).await, ["1", "c", "a", "b"]);
    assert_eq!(
        ids(json!({"page": 1, "pageSize": 10, "order": "asc"})).await,
        ["1", "c", "a", "b"]
    );
    let newest_first = ids(json!({"page": 1, "pageSize": 10, "order": "desc"})).await;
    assert_eq!((newest_first[0].as_str(), newest_first[3].as_str()), ("1", "c"));
    assert_eq!(ids(json!({"page": 2, "pageSize": 2})).await, ["a", "b"]);
    assert_eq!(
        scene
            .host
            .code(
                "getImFavoriteFolders",
                json!({"page": 1, "pageSize": 10, "order": "up"})
            )
            .await,
        600
    );
}

#[tokio::test]
async fn a_deleted_folder_deletes_its_favourites() {
    let scene = Scene::with(|space| {
        space.row("favorite-folders", &favorite_folder("f", "folder", 1000));
        for n in 0..30 {
            space.row(
                "favorites",
                &favorite(&format!("u{n}"), "f", &format!("{n}.txt"), "x", 1024, n),
            );
        }
        space.row("favorites", &favorite("kept", "1", "kept.txt", "x", 1024, 1));
    })
    .await;
    let host = &scene.host;
    assert_eq!(host.ok("getStorageSpaceInfo", json!({})).await["collectSize"], "31 KB");
    assert_eq!(host.ok("deleteImFavoriteFolder", json!({"id": "f"})).await, true);
    assert_eq!(host.ok("getStorageSpaceInfo", json!({})).await["collectSize"], "1 KB");
    stowage_tests::wait::until("the space forgets them", || scene.space.read("favorites").len() == 1).await;
    stowage_tests::wait::until("the space forgets the folder", || {
        scene.space.find("favorite-folders", "f").is_none()
    })
    .await;
    host.init().await;
    assert_eq!(folders(host).await.len(), 1, "they do not come back");
}

#[tokio::test]
async fn calls_with_the_same_name_make_one_folder() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let calls = (0..12).map(|_| host.code("createImFavoriteFolder", json!({"name": "one"})));
    let mut codes = futures_util::future::join_all(calls).await;
    codes.sort_unstable();
    assert_eq!(codes[0], 200);
    assert!(codes[1..].iter().all(|code| *code == 60002), "{codes:?}");
    assert_eq!(folders(host).await.len(), 2);
}
