//! The migration of favourites that an earlier version stored.

use stowage_favorites::{List, VERSION, list, migrate};
use stowage_sdk::rows::{FAVORITES, Favorite};
use stowage_sdk::{Collection, MemoryContext, Step};

/// Favourites as version 0 stored them: the text in simple case folding.
const OLD: Collection<Favorite> = Collection {
    text: |favorite| favorite.name.to_lowercase().into_bytes(),
    ..FAVORITES
};

fn found(ctx: &MemoryContext, keyword: &str) -> usize {
    let wanted = List {
        keyword: Some(keyword),
        page: 1,
        page_size: 10,
        ..List::default()
    };
    list(ctx, "1", &wanted).expect("a page").len()
}

#[test]
fn keywords_find_what_an_earlier_version_stored() {
    let ctx = MemoryContext::new();
    let favorite = Favorite {
        unique: "a".to_owned(),
        folder: "1".to_owned(),
        name: "Straße ＡＢＣ Cafe\u{301}.txt".to_owned(),
        ..Favorite::default()
    };
    OLD.apply(&ctx, [favorite], &[]);
    for keyword in ["strasse", "abc", "café"] {
        assert_eq!(found(&ctx, keyword), 0, "{keyword}");
    }
    assert_eq!(VERSION, 1);
    assert_eq!(migrate(&ctx, None), Ok(Step { cursor: None, rows: 1 }));
    for keyword in ["strasse", "STRAẞE", "abc", "café", "CAFE\u{301}", ""] {
        assert_eq!(found(&ctx, keyword), 1, "{keyword}");
    }
    assert_eq!(found(&ctx, "cafe.txt"), 0, "accents count");
}
