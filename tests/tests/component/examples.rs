//! Every documented example, on the components.

use serde_json::{Value, json};
use stowage::builtin_modules;
use stowage_logic::Reuse;
use stowage_tests::examples::{self, Documented};

use crate::world::{World, config};

async fn sync(world: &World) {
    let answer = world.answer("/initStorage$IMDataFromSdk", &json!({})).await;
    assert_eq!(answer, json!({"code": 200, "message": null, "data": null}));
}

fn check(example: &Documented, mut answer: Value) {
    if example.answer.get("message").is_none() {
        // The message of a parameter error is for people; it names the field.
        assert!(
            answer["message"].as_str().unwrap_or_default().contains("key"),
            "{}: {answer}",
            example.name
        );
        answer.as_object_mut().unwrap().remove("message");
    }
    assert_eq!(answer, example.answer, "{}", example.name);
}

#[tokio::test]
async fn every_documented_example_gets_its_documented_answer() {
    for example in examples::all() {
        let world = World::builtin(example.space).await;
        sync(&world).await;
        check(&example, world.answer("/", &example.request).await);
    }
}

#[tokio::test]
async fn the_feed_is_followed_under_a_key() {
    let world = World::builtin(|_| {}).await;
    let answer = world.answer("/", &examples::feed_request("k")).await;
    assert_eq!(answer, json!({"code": 200, "message": null, "data": null}));
}

#[tokio::test]
async fn fresh_and_reused_instances_answer_alike() {
    let mut fresh = config();
    fresh.reuse = Reuse {
        calls: 1,
        ..fresh.reuse
    };
    let fill = |space: &stowage_tests::fixture::SpaceFixture| {
        for example in examples::all() {
            if example.name.starts_with("get") || example.name.starts_with("search") {
                (example.space)(space);
            }
        }
    };
    let fresh = World::with(fresh, builtin_modules(), fill).await;
    let reused = World::with(config(), builtin_modules(), fill).await;
    sync(&fresh).await;
    sync(&reused).await;
    for _ in 0..3 {
        for example in examples::all() {
            if example.method().starts_with("get") || example.method().starts_with("search") {
                let expected = fresh.answer("/", &example.request).await;
                assert_eq!(reused.answer("/", &example.request).await, expected, "{}", example.name);
            }
        }
    }
}
