//! What lists have in common: pages, keywords, kinds, times and orders.

use serde_json::{Value, json};
use stowage_tests::fixture::{SpaceFixture, backup, backup_folder, favorite, temp_file, temp_folder};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap())
        .collect()
}

/// Adds favourites that are files with these names.
fn named(space: &SpaceFixture, names: &[&str]) {
    for (n, name) in names.iter().enumerate() {
        space.row("favorites", &favorite(&format!("u{n:02}"), "1", name, "x", 1, n as i64));
    }
}

async fn favorites(host: &TestHost, mut filter: Value) -> Value {
    let defaults = json!({"favId": "1", "type": 0, "page": 1, "pageSize": 100});
    for (name, value) in defaults.as_object().unwrap() {
        if filter.get(name).is_none() {
            filter[name] = value.clone();
        }
    }
    host.ok("getImFavoriteList", filter).await
}

#[tokio::test]
async fn pages_neither_overlap_nor_skip() {
    let scene = Scene::with(|space| {
        space
            .row("temp-folders", &temp_folder("t", 1000))
            .row("backup-folders", &backup_folder("b", "", 1));
        for n in 0..25 {
            // Two rows each have the same time: the identity decides the order.
            let (unique, name, time) = (format!("u{n:02}"), format!("{n:02}"), n / 2);
            space.row("favorites", &favorite(&unique, "1", &name, "x", 1, time));
            space.row("temp-files", &temp_file(&unique, "t", &name, "x", 1, time));
            space.row("backups", &backup(&unique, "b", &name, "x", 1, time));
        }
    })
    .await;
    let lists = [
        ("getImFavoriteList", json!({"favId": "1", "type": 0}), false),
        ("getLocalTempFileList", json!({"unique": "t", "type": 0}), true),
        ("getImBackupsFileList", json!({"parent": "b"}), false),
    ];
    for (method, params, newest_first) in lists {
        for order in [None, Some("asc"), Some("desc")] {
            for size in [1, 5, 7, 24, 25, 26] {
                let mut all = Vec::new();
                for page in 1.. {
                    let mut params = params.clone();
                    params["page"] = json!(page);
                    params["pageSize"] = json!(size);
                    params["order"] = json!(order);
                    let rows = scene.host.ok(method, params).await;
                    if rows == json!([]) {
                        break;
                    }
                    assert!(rows.as_array().unwrap().len() <= size);
                    all.extend(names(&rows).into_iter().map(|name| name.parse::<u32>().unwrap()));
                }
                let mut sorted = all.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, (0..25).collect::<Vec<_>>(), "{method} {order:?} {size}");
                let desc = order.map_or(newest_first, |order| order == "desc");
                let times: Vec<_> = all.iter().map(|n| n / 2).collect();
                assert!(
                    times.is_sorted_by(|a, b| if desc { a >= b } else { a <= b }),
                    "{method} {order:?}: {all:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn a_page_beyond_the_last_is_empty() {
    let scene = Scene::with(|space| named(space, &["only"])).await;
    let host = &scene.host;
    assert_eq!(names(&favorites(host, json!({"pageSize": 1})).await), ["only"]);
    assert_eq!(favorites(host, json!({"page": 2, "pageSize": 1})).await, json!([]));
    assert_eq!(
        favorites(host, json!({"page": 4_294_967_295u32, "pageSize": 1000})).await,
        json!([])
    );
    assert_eq!(
        host.ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 10}))
            .await,
        json!([])
    );
    assert_eq!(host.ok("getImBackupsFolderList", json!({})).await, json!([]));
}

#[tokio::test]
async fn without_paging_the_first_thousand_are_returned() {
    let scene = Scene::with(|space| {
        space.row("backup-folders", &backup_folder("b", "", 1));
        let mut lines = String::new();
        for n in 0..1001 {
            let row = backup(&format!("u{n:04}"), "b", &format!("{n:04}"), "x", 1, n);
            lines.push_str(&format!("{row}\n"));
        }
        space.line("backups", "00", lines.trim_end());
    })
    .await;
    let host = &scene.host;
    let first = host.ok("getImBackupsFileList", json!({"parent": "b"})).await;
    assert_eq!(first.as_array().unwrap().len(), 1000);
    assert_eq!(first[999]["name"], "0999");
    let second = host.ok("getImBackupsFileList", json!({"parent": "b", "page": 2})).await;
    assert_eq!(names(&second), ["1000"]);
    let found = host.ok("searchImBackupsList", json!({"keyword": ""})).await;
    assert_eq!(
        found["files"].as_array().unwrap().len(),
        1000,
        "a search returns the first thousand files"
    );
    assert_eq!(found["folders"][0]["singleChatNum"], 3003);
}

#[tokio::test]
async fn keywords_match_whatever_their_case_width_and_composition() {
    let files = [
        "Straße.txt",
        "ŞİŞLİ İstanbul.txt",
        "Σίσυφος.txt",
        "我的图片.txt",
        "ПРИВЕТ.txt",
        "plain ascii.TXT",
        "cafe\u{301} ＡＢＣ１２３.txt",
    ];
    let scene = Scene::with(|space| named(space, &files)).await;
    for (keyword, found) in [
        ("straße", &files[0..1]),
        ("STRAẞE", &files[0..1]),
        ("strasse", &files[0..1]),
        ("İSTANBUL", &files[1..2]),
        ("istanbul", &[]),
        ("ΣΊΣΥΦΟΣ", &files[2..3]),
        ("σίσυφοσ", &files[2..3]),
        ("σίσυφος", &files[2..3]),
        ("我", &files[3..4]),
        ("привет", &files[4..5]),
        ("ASCII", &files[5..6]),
        (".txt", &files[..]),
        ("café", &files[6..7]),
        ("cafe", &[]),
        ("abc123", &files[6..7]),
        (" ascii ", &files[5..6]),
        (" ", &files[..]),
        ("%", &[]),
        ("_", &[]),
        ("\u{0}", &[]),
    ] {
        assert_eq!(
            names(&favorites(&scene.host, json!({ "keyword": keyword })).await),
            found,
            "{keyword:?}"
        );
    }
    for everything in [json!(""), json!(null)] {
        assert_eq!(
            names(&favorites(&scene.host, json!({ "keyword": everything })).await).len(),
            files.len()
        );
    }
}

#[tokio::test]
async fn keywords_match_the_visible_text() {
    let scene = Scene::with(|space| {
        let mut text = favorite("u0", "1", "", "x", 0, 1);
        text["msgContent"] = json!(r#"{"text":"Hello 世界","uuid":"5e8c7c50"}"#);
        text["originNickname"] = json!("Alice");
        space.row("favorites", &text);
        let mut image = favorite("u1", "1", "holiday.jpg", "x", 9, 2);
        image["msgContent"] = json!(r#"{"imageInfoArray":[{"fileName":"other.jpg"}],"uuid":"5e8c7c50"}"#);
        image["originNickname"] = json!("Bob");
        space.row("favorites", &image);
        // Nothing matches across two texts.
        let mut split = favorite("u2", "1", "ab", "x", 9, 3);
        split["originNickname"] = json!("cd");
        space.row("favorites", &split);
    })
    .await;
    let found = async |keyword: &str| -> Vec<String> {
        let rows = favorites(&scene.host, json!({ "keyword": keyword })).await;
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| row["unique"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(found("世界").await, ["u0"]);
    assert_eq!(found("hello").await, ["u0"]);
    assert_eq!(found("alice").await, ["u0"]);
    assert_eq!(found("HOLIDAY").await, ["u1"]);
    for raw in ["uuid", "5e8c7c50", "imageInfoArray", "text", "\"", "abcd", "bc"] {
        assert_eq!(found(raw).await, Vec::<String>::new(), "{raw}");
    }
}

#[tokio::test]
async fn kinds_come_from_the_message_and_then_the_name() {
    let scene = Scene::with(|space| {
        for (n, (name, content)) in [
            ("photo.bin", r#"{"imageInfoArray":[{"type":1}]}"#),
            ("photo.JPG", ""),
            ("clip.mp4", "{}"),
            ("notes.txt", ""),
            ("", r#"{"text":"a.jpg"}"#),
            ("voice.amr", ""),
            ("noextension", "not json"),
        ]
        .into_iter()
        .enumerate()
        {
            let mut row = favorite(&format!("u{n}"), "1", name, "x", 1, n as i64);
            row["msgContent"] = json!(content);
            space.row("favorites", &row);
        }
    })
    .await;
    for (kind, found) in [
        (json!(1), vec!["photo.bin", "photo.JPG", "clip.mp4"]),
        (json!("2"), vec!["notes.txt", "noextension"]),
        (json!(3), vec![""]),
        (json!(4.0), vec!["voice.amr"]),
    ] {
        assert_eq!(
            names(&favorites(&scene.host, json!({ "type": kind })).await),
            found,
            "{kind}"
        );
    }
    assert_eq!(
        names(&favorites(&scene.host, json!({"type": 1, "keyword": "PHOTO"})).await),
        ["photo.bin", "photo.JPG"]
    );
}

#[tokio::test]
async fn times_are_inclusive_in_seconds_and_in_milliseconds() {
    let scene = Scene::with(|space| {
        for (n, time) in [1_744_106_170, 1_744_106_171, 1_744_161_323, 1_744_161_324]
            .into_iter()
            .enumerate()
        {
            space.row(
                "favorites",
                &favorite(&format!("u{n}"), "1", &n.to_string(), "x", 1, time),
            );
            space.row("backup-folders", &backup_folder(&n.to_string(), "", time));
        }
    })
    .await;
    for (start, end, found) in [
        (json!(1_744_106_171), json!(1_744_161_323), vec!["1", "2"]),
        (json!("1744106171"), json!("1744161323"), vec!["1", "2"]),
        (json!(1_744_106_171_000i64), json!(1_744_161_323_000i64), vec!["1", "2"]),
        (json!(1_744_106_171_001i64), json!(1_744_161_323_999i64), vec!["2"]),
        (json!(1_744_161_323), json!(null), vec!["2", "3"]),
        (json!(null), json!(1_744_106_170), vec!["0"]),
        (json!(5), json!(4), vec![]),
    ] {
        let filter = json!({"startTime": start, "endTime": end});
        assert_eq!(names(&favorites(&scene.host, filter.clone()).await), found, "{filter}");
        let folders = scene.host.ok("getImBackupsFolderList", filter.clone()).await;
        assert_eq!(names(&folders), found, "{filter}");
    }
}

/// Identifiers come from other programs: any text is possible.
#[tokio::test]
async fn identifiers_may_be_any_text() {
    let strange = [
        "a",
        "a\u{1}",
        "a\u{1}b",
        "ab",
        "A",
        " a ",
        "我/../x",
        "a\n",
        "\u{10ffff}",
    ];
    let scene = Scene::with(|space| {
        for (n, unique) in strange.iter().enumerate() {
            space.row("temp-folders", &temp_folder(unique, n as i64));
            space.row("temp-files", &temp_file(unique, unique, &n.to_string(), "x", 1, 5));
        }
    })
    .await;
    for (n, unique) in strange.iter().enumerate() {
        let params = json!({"unique": unique, "type": 0, "page": 1, "pageSize": 10});
        assert_eq!(
            names(&scene.host.ok("getLocalTempFileList", params).await),
            [n.to_string()],
            "{unique:?}"
        );
    }
    let folders = scene
        .host
        .ok("getLocalTempFolderList", json!({"page": 1, "pageSize": 100}))
        .await;
    assert!(
        folders.as_array().unwrap().iter().all(|row| row["fileNum"] == 1),
        "{folders}"
    );
    let unknown = json!({"unique": "a".repeat(5000), "type": 0, "page": 1, "pageSize": 10});
    assert_eq!(scene.host.code("getLocalTempFileList", unknown).await, 60000);
}
