//! Tests of the component in wasmtime, as the server runs it, with storage in memory.
//!
//! `make test` builds the component first and sets `WASM` to its file.
#![cfg(test)]

use serde_json::{Value, json};
use stowage_kit::{ApiError, Kit};

/// The component, with a fixed time and fixed random numbers.
async fn kit() -> Kit {
    let file = std::env::var("WASM").unwrap_or_else(|_| {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../target/wasm32-wasip2/release/{{snake}}.wasm").to_owned()
    });
    let kit = Kit::load(file).await.expect("a component: `make build`");
    kit.set_now(1_700_000_000_000).vary_seed([7; 32]);
    kit
}

async fn texts(kit: &Kit, params: Value) -> Vec<String> {
    let notes = kit.data("{{wire}}/listNotes", params).await;
    let notes = notes.as_array().expect("a list");
    notes.iter().map(|note| note["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_note_that_is_pinned_is_listed_and_found() {
    let kit = kit().await;
    let note = kit.data("{{wire}}/addNote", json!({"text": " milk "})).await;
    assert_eq!((&note["text"], &note["time"]), (&json!("milk"), &json!(1_700_000_000_000_u64)));
    kit.data("{{wire}}/addNote", json!({"text": "bread"})).await;
    assert_eq!(texts(&kit, json!({"page": 1, "pageSize": 10})).await.len(), 2);
    assert_eq!(texts(&kit, json!({"keyword": "MILK", "page": 1, "pageSize": 10})).await, ["milk"]);
    assert_eq!(kit.rows("{{name}}-notes").len(), 2);
}

#[tokio::test]
async fn a_note_that_is_not_there_has_a_code_of_its_own() {
    let gone: Result<bool, ApiError> = kit().await.call_typed("remove-note", ("none".to_owned(),)).await.expect("answered");
    assert_eq!(gone.expect_err("refused").code, 70001);
}

#[tokio::test]
async fn bad_parameters_name_their_field() {
    let kit = kit().await;
    for (params, field) in [(json!({"page": 0, "pageSize": 10}), "page"), (json!({"page": 1, "pageSize": "x"}), "pageSize")] {
        let answer = kit.json("{{wire}}/listNotes", params).await;
        assert_eq!(answer["code"], 600);
        assert!(answer["message"].as_str().is_some_and(|message| message.starts_with(field)), "{answer}");
    }
}

#[tokio::test]
async fn a_call_that_fails_anywhere_changes_nothing() {
    let kit = kit().await;
    let host_calls = kit
        .fail_each_host_call(async || {
            kit.json("{{wire}}/addNote", json!({"text": "milk"})).await;
        })
        .await;
    assert!(host_calls > 0);
    assert_eq!(kit.rows("{{name}}-notes").len(), 1, "the run that passed");
}

#[tokio::test]
async fn the_self_test_passes() {
    let tested = kit().await.call_json("self-test/run", json!({})).await.expect("answered");
    assert_eq!(tested, Ok(Value::Null));
}
