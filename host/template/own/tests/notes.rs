//! Tests of the plain functions on a context in memory, without a host and without WebAssembly.

use {{snake}}::{add, list, remove, self_test};
use stowage_sdk::{Context, MemoryContext, Order};

fn texts(ctx: &dyn Context, keyword: Option<&str>, order: Order, page: u32) -> Vec<String> {
    let notes = list(ctx, keyword, Some(order), page, 2).expect("a page");
    notes.into_iter().map(|note| note.text).collect()
}

#[test]
fn notes_come_in_pages_in_the_order_of_their_time() {
    let ctx = MemoryContext::new();
    for (n, text) in ["milk", "bread", "MILK again"].into_iter().enumerate() {
        ctx.set_now_ms(1000 + n as i64);
        ctx.call(|ctx| add(ctx, text)).expect("pinned");
    }
    assert_eq!(texts(&ctx, None, Order::Asc, 1), ["milk", "bread"]);
    assert_eq!(texts(&ctx, None, Order::Asc, 2), ["MILK again"]);
    assert_eq!(texts(&ctx, Some("Milk"), Order::Desc, 1), ["MILK again", "milk"]);
}

#[test]
fn a_note_that_goes_takes_its_index_with_it() {
    let ctx = MemoryContext::new();
    let note = add(&ctx, " milk ").expect("pinned");
    assert_eq!(note.text, "milk");
    assert_eq!(remove(&ctx, &note.id), Ok(true));
    assert_eq!(remove(&ctx, &note.id).map_err(|error| error.code), Err(70001));
    assert!(texts(&ctx, None, Order::Asc, 1).is_empty());
}

#[test]
fn bad_texts_and_pages_name_their_field_and_change_nothing() {
    let ctx = MemoryContext::new();
    for text in ["", "  ", &"a".repeat(1001)] {
        let error = ctx.call(|ctx| add(ctx, text)).expect_err("refused");
        assert_eq!(error.code, 600);
        assert!(error.message.starts_with("text:"), "{}", error.message);
    }
    assert!(list(&ctx, None, None, 0, 10).is_err());
    assert!(ctx.is_empty());
}

#[test]
fn the_self_test_passes_on_an_empty_board() {
    assert_eq!(self_test(&MemoryContext::new()), Ok(()));
}
