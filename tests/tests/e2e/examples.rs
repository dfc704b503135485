//! Every documented example, on the program.

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use stowage_tests::examples::{self, Documented};
use stowage_tests::scene::Scene;

async fn check(example: Documented) {
    let scene = Scene::with(example.space).await;
    let mut answer = scene
        .host
        .post(&format!("/{}", example.method()), example.request.to_string())
        .await
        .envelope();
    if example.answer.get("message").is_none() {
        answer.as_object_mut().unwrap().remove("message");
    }
    assert_eq!(answer, example.answer, "{}", example.name);
}

#[tokio::test]
async fn every_documented_example_gets_its_documented_answer() {
    let checks = examples::all().into_iter().map(check);
    stream::iter(checks).buffer_unordered(2).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn the_feed_is_followed_under_a_key() {
    let scene = Scene::new().await;
    let answer = scene
        .host
        .post("/", examples::feed_request("k").to_string())
        .await
        .envelope();
    assert_eq!(answer, json!({"code": 200, "message": null, "data": null}));
    // The documented request has no key. The message names what is missing.
    let request = examples::document("getAllDownloadOrUploadFileProgress")["request"].clone();
    let answer = scene.host.post("/", request.to_string()).await.envelope();
    assert_eq!((&answer["code"], &answer["data"]), (&json!(600), &Value::Null));
    assert!(answer["message"].as_str().unwrap().starts_with("key:"), "{answer}");
}
