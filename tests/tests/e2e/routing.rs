//! The method that a request names, and malformed bodies.

use serde_json::{Value, json};
use stowage_tests::host::TestHost;
use stowage_tests::scene::Scene;
use stowage_tests::wire;

async fn code(host: &TestHost, path: &str, body: &str) -> i64 {
    let reply = host.post(path, body.to_owned()).await;
    assert_eq!(reply.status, 200, "{path} {body}");
    assert_eq!(reply.headers["content-type"], "application/json");
    reply.code()
}

#[tokio::test]
async fn path_and_body_route_alike() {
    let scene = Scene::new().await;
    let page = r#""page":1,"pageSize":1"#;
    for (path, fields) in [
        ("/getImFavoriteFolders", ""),
        ("/storageApi/getImFavoriteFolders", ""),
        ("/storage-api/get-im-favorite-folders", ""),
        ("/getImFavoriteFolders/", ""),
        ("/getImFavoriteFolders?x=1", ""),
        ("/get%49mFavoriteFolders", ""),
        ("/", r#""__SERVER_ROUTE_METHOD":"getImFavoriteFolders","#),
        (
            "/",
            r#""__SERVER_ROUTE_MODULE":"storageApi","__SERVER_ROUTE_METHOD":"getImFavoriteFolders","#,
        ),
        (
            "/getImFavoriteFolders",
            r#""__SERVER_ROUTE_METHOD":"getImFavoriteFolders","#,
        ),
        (
            "/getImFavoriteFolders",
            r#""__SERVER_ROUTE_MODULE":null,"__SERVER_ROUTE_METHOD":null,"#,
        ),
        (
            "/storageApi/getImFavoriteFolders",
            r#""__SERVER_ROUTE_MODULE":"storageApi","#,
        ),
    ] {
        assert_eq!(
            code(&scene.host, path, &format!("{{{fields}{page}}}")).await,
            200,
            "{path} {fields}"
        );
    }
    for path in [
        "/initStorage$IMDataFromSdk",
        "/initStorage%24IMDataFromSdk",
        "/storageApi/initStorage%24IMDataFromSdk",
    ] {
        assert_eq!(code(&scene.host, path, "{}").await, 200, "{path}");
    }
}

#[tokio::test]
async fn path_and_body_that_disagree_are_code_600() {
    let scene = Scene::new().await;
    for (path, body) in [
        (
            "/createImFavoriteFolder",
            json!({"__SERVER_ROUTE_METHOD": "deleteImFavoriteFolder", "name": "x", "id": "1"}),
        ),
        (
            "/storageApi/createImFavoriteFolder",
            json!({"__SERVER_ROUTE_MODULE": "other", "name": "x"}),
        ),
        (
            "/createImFavoriteFolder",
            json!({"__SERVER_ROUTE_METHOD": 5, "name": "x"}),
        ),
        ("/", json!({"name": "x"})),
        ("/", json!({"__SERVER_ROUTE_MODULE": "storageApi", "name": "x"})),
    ] {
        assert_eq!(code(&scene.host, path, &body.to_string()).await, 600, "{path} {body}");
    }
    let folders = scene
        .host
        .ok("getImFavoriteFolders", json!({"page": 1, "pageSize": 10}))
        .await;
    assert_eq!(folders.as_array().unwrap().len(), 1, "none of them did anything");
}

#[tokio::test]
async fn an_unknown_method_is_code_300() {
    let scene = Scene::new().await;
    for (path, body) in [
        ("/noSuchMethod", json!({})),
        ("/storageApi/noSuchMethod", json!({})),
        ("/otherApi/createImFavoriteFolder", json!({"name": "x"})),
        (
            "/createImFavoriteFolder",
            json!({"__SERVER_ROUTE_MODULE": "otherApi", "name": "x"}),
        ),
        ("/storageApi/createImFavoriteFolder/x", json!({"name": "x"})),
        // Functions that only the host calls are no methods.
        ("/apply", json!({})),
        ("/space/apply", json!({"upserts": [], "removals": []})),
        ("/host/finished", json!({})),
        ("/../etc/passwd", json!({})),
    ] {
        let reply = scene.host.post(path, body.to_string()).await;
        assert_eq!((reply.status, reply.code()), (200, 300), "{path}");
        assert!(reply.envelope()["message"].is_string());
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_code_600_and_harmless() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let deep = |open: &str, close: &str, times| format!("{}{}", open.repeat(times), close.repeat(times));
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b" ".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"\"x\"".to_vec(),
        b"{".to_vec(),
        b"{}{}".to_vec(),
        b"{\"name\":}".to_vec(),
        b"{'name':'x'}".to_vec(),
        b"{\"name\":\"x\",}".to_vec(),
        b"{\"name\":\"\xff\xfe\"}".to_vec(),
        b"{\"name\":\"\xed\xa0\x80\"}".to_vec(),
        b"{\"name\":\"\\ud800\"}".to_vec(),
        b"{\"name\":1e999999}".to_vec(),
        b"{\"name\":NaN}".to_vec(),
        b"\xef\xbb\xbf{}x".to_vec(),
        deep("[", "]", 200_000).into_bytes(),
        deep("{\"a\":", "}", 100_000).into_bytes(),
        format!("{{\"name\":{}}}", deep("[", "]", 1000)).into_bytes(),
    ];
    for body in bodies {
        let shown: String = String::from_utf8_lossy(&body).chars().take(60).collect();
        let reply = host.post("/createImFavoriteFolder", body).await;
        assert_eq!((reply.status, reply.code()), (200, 600), "{shown}: {:?}", reply.body);
    }
    assert_eq!(
        host.ok("createImFavoriteFolder", json!({"name": "still there"})).await,
        true
    );
}

/// Two readers of one body must not see two requests in it.
#[tokio::test]
async fn a_key_that_comes_twice_is_code_600() {
    let scene = Scene::new().await;
    for body in [
        r#"{"name":"a","name":"b"}"#,
        r#"{"__SERVER_ROUTE_METHOD":"createImFavoriteFolder","__SERVER_ROUTE_METHOD":"deleteImFavoriteFolder","name":"x"}"#,
        r#"{"name":"a","n\u0061me":"b"}"#,
    ] {
        assert_eq!(code(&scene.host, "/createImFavoriteFolder", body).await, 600, "{body}");
    }
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_refused_with_the_envelope() {
    let scene = Scene::new().await;
    let host = &scene.host;
    let body = |len: usize| {
        let mut body = br#"{"page":1,"pageSize":1,"x":""#.to_vec();
        body.resize(len - 2, b'x');
        body.extend_from_slice(b"\"}");
        body
    };
    let reply = host.post("/getImFavoriteFolders", body(1 << 20)).await;
    assert_eq!((reply.status, reply.code()), (200, 200));
    let reply = host.post("/getImFavoriteFolders", body((1 << 20) + 1)).await;
    assert_eq!((reply.status, reply.code()), (413, 700));
    assert_eq!(reply.envelope()["data"], Value::Null);
    // A body without a length is counted as it arrives.
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 16, "x".repeat(1 << 16));
    let head = format!(
        "POST /getImFavoriteFolders HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nConnection: close\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        host.address()
    );
    let answer = wire::raw(host.address(), (head + &chunk.repeat(17) + "0\r\n\r\n").as_bytes()).await;
    assert_eq!(wire::raw_status(&answer), 413, "{answer}");
    assert_eq!(
        host.ok("createImFavoriteFolder", json!({"name": "still there"})).await,
        true
    );
}
