//! The response cache: a response is served again only while it is valid, and only of calls that
//! only read.

use std::sync::Arc;

use serde_json::{Value, json};
use stowage_logic::{Config, Function, Generation, Observation, Observer, Summary};
use stowage_tests::modules::module;

use crate::world::{World, config};

async fn probe_with(config: Config) -> World {
    World::with(config, vec![("probe".into(), module("probe"))], |_| {}).await
}

async fn probe() -> World {
    probe_with(config()).await
}

async fn data(world: &World, method: &str, body: Value) -> Value {
    let mut answer = world.answer(&format!("/tests/{method}"), &body).await;
    assert_eq!(answer["code"], 200, "{method}: {answer}");
    answer["data"].take()
}

fn summary(world: &World) -> Summary {
    world.logic.generation().modules()[0].summary()
}

/// The number of calls that ran, and of responses that came from the cache.
fn ran_and_cached(world: &World) -> (u64, u64) {
    let Summary { calls, remembered, .. } = summary(world);
    (calls, remembered)
}

#[tokio::test]
async fn a_response_is_cached_until_a_table_it_read_is_written() {
    let world = probe().await;
    for _ in 0..3 {
        assert_eq!(data(&world, "read", json!({"key": "a"})).await, 0);
    }
    assert_eq!(ran_and_cached(&world), (1, 2));
    assert_eq!(data(&world, "increment", json!({"key": "a"})).await, 1);
    for _ in 0..3 {
        assert_eq!(data(&world, "read", json!({"key": "a"})).await, 1);
    }
    assert_eq!(ran_and_cached(&world), (3, 4), "the write, and one read after it");
    assert_eq!(
        data(&world, "read", json!({"key": "b"})).await,
        0,
        "another key is another request"
    );
    assert_eq!(ran_and_cached(&world), (4, 4));
}

#[tokio::test]
async fn calls_that_depend_on_more_than_the_store_are_not_cached() {
    let world = probe().await;
    let methods = [
        ("increment", json!({"key": "a"})),
        // It looks at the clock and at randomness; it prints; it reads nothing.
        ("look-around", json!({})),
        ("print", json!({"text": "x"})),
        ("mutter", json!({"text": "x"})),
        ("count-calls", json!({})),
    ];
    for (method, body) in &methods {
        let first = data(&world, method, body.clone()).await;
        let second = data(&world, method, body.clone()).await;
        assert!(
            first != second || *method == "print" || *method == "mutter",
            "{method}: {first}"
        );
    }
    assert_eq!(ran_and_cached(&world), (2 * methods.len() as u64, 0));
}

#[tokio::test]
async fn errors_are_not_cached() {
    let world = World::builtin(|_| {}).await;
    let body = json!({"favId": "none", "type": 0, "page": 1, "pageSize": 10});
    for _ in 0..2 {
        assert_eq!(world.answer("/getImFavoriteList", &body).await["code"], 60000);
    }
    assert_eq!(ran_and_cached(&world), (2, 0));
}

#[tokio::test]
async fn a_new_generation_starts_with_an_empty_cache() {
    let world = probe().await;
    data(&world, "read", json!({"key": "a"})).await;
    data(&world, "read", json!({"key": "a"})).await;
    let modules = world.logic.generation().modules().to_vec();
    world.logic.serve(Generation::new(modules));
    data(&world, "read", json!({"key": "a"})).await;
    assert_eq!(ran_and_cached(&world), (2, 1));
}

/// An observer that wants to see every call.
struct Everything;

impl Observer for Everything {
    fn wants(&self, _: &Function) -> bool {
        true
    }

    fn observed(&self, _: Observation) {}
}

#[tokio::test]
async fn observed_calls_are_not_cached() {
    let world = probe().await;
    data(&world, "read", json!({"key": "a"})).await;
    let observer: Arc<dyn Observer> = Arc::new(Everything);
    let generation = Generation::clone(&world.logic.generation());
    world.logic.serve(generation.observed_by(&observer, |_| true));
    for _ in 0..3 {
        data(&world, "read", json!({"key": "a"})).await;
    }
    assert_eq!(ran_and_cached(&world), (4, 0));
}

#[tokio::test]
async fn a_cache_of_size_0_caches_nothing() {
    let world = probe_with(Config {
        response_cache_bytes: 0,
        ..config()
    })
    .await;
    for _ in 0..3 {
        data(&world, "read", json!({"key": "a"})).await;
    }
    assert_eq!(ran_and_cached(&world), (3, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_response_is_never_older_than_an_acknowledged_write() {
    const WRITES: u64 = 2000;
    const READERS: usize = 4;
    let world = Arc::new(probe().await);
    let (acknowledged, latest) = tokio::sync::watch::channel(0);
    let readers: Vec<_> = (0..READERS)
        .map(|_| {
            let (world, latest) = (Arc::clone(&world), latest.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while last < WRITES {
                    let at_least = *latest.borrow();
                    let found = data(&world, "read", json!({"key": "a"})).await.as_u64().unwrap();
                    assert!(
                        found >= at_least && found >= last,
                        "{found} after {at_least} and {last}"
                    );
                    last = found;
                }
            })
        })
        .collect();
    for n in 1..=WRITES {
        assert_eq!(data(&world, "increment", json!({"key": "a"})).await, n);
        acknowledged.send(n).unwrap();
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(summary(&world).remembered > 0);
}
