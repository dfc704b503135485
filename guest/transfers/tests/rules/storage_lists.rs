//! Lists of a folder of the cloud storage.

use stowage_sdk::{MemoryContext, Order};
use stowage_transfers::{StorageList, list_files};

use crate::scene::{because, folder, refused, storage, stored, wrong};

const ALL: StorageList<'static> = StorageList {
    path: None,
    keyword: None,
    kind: None,
    order: None,
    page: 1,
    page_size: 1000,
};

fn names(ctx: &MemoryContext, list: StorageList<'_>) -> Vec<String> {
    let entries = list_files(ctx, &list).expect("a list");
    entries.into_iter().map(|entry| entry.name).collect()
}

/// Three folders and five files in the folder `top`, and others around it.
fn filled() -> MemoryContext {
    let mut folders = vec![folder("top", ""), folder("Inner", "top/b")];
    for (time, id) in [(3, "a"), (1, "b"), (2, "c")] {
        let mut folder = folder(id, "top");
        folder.time = time;
        folders.push(folder);
    }
    let files = [
        stored("one.jpg", "top", 2, 1),
        stored("two.txt", "top", 1, 1),
        stored("THREE.png", "top", 4, 1),
        stored("four.amr", "top", 3, 1),
        stored("a five.txt", "/top/", 5, 1),
        stored("root.txt", "", 1, 1),
        stored("inner.txt", "top/b", 1, 1),
    ];
    storage(folders, files)
}

const IN_TOP: StorageList<'static> = StorageList {
    path: Some("top"),
    ..ALL
};

#[test]
fn folders_come_before_files_and_each_is_oldest_first() {
    let ctx = filled();
    let all = [
        "b",
        "c",
        "a",
        "two.txt",
        "one.jpg",
        "four.amr",
        "THREE.png",
        "a five.txt",
    ];
    assert_eq!(names(&ctx, IN_TOP), all);
    let newest = StorageList {
        order: Some(Order::Desc),
        ..IN_TOP
    };
    let reversed = [
        "a",
        "c",
        "b",
        "a five.txt",
        "THREE.png",
        "four.amr",
        "one.jpg",
        "two.txt",
    ];
    assert_eq!(names(&ctx, newest), reversed);
    assert_eq!(names(&ctx, ALL), ["top", "root.txt"]);
    let empty = StorageList {
        path: Some("top/b/Inner"),
        ..ALL
    };
    assert_eq!(names(&ctx, empty), [""; 0]);
}

#[test]
fn pages_across_the_border_neither_overlap_nor_skip() {
    let ctx = filled();
    for order in [Order::Asc, Order::Desc] {
        for keyword in [None, Some("o"), Some("a")] {
            let list = StorageList {
                order: Some(order),
                keyword,
                ..IN_TOP
            };
            let all = names(&ctx, list.clone());
            for page_size in 1..=9 {
                let pages = (1..=10).map(|page| {
                    let list = StorageList {
                        page,
                        page_size,
                        ..list.clone()
                    };
                    names(&ctx, list)
                });
                let pages: Vec<_> = pages.collect();
                assert!(pages.iter().all(|page| page.len() <= page_size as usize));
                assert_eq!(pages.concat(), all, "{order:?} {keyword:?} {page_size}");
            }
        }
    }
    let far = StorageList {
        page: u32::MAX,
        ..IN_TOP
    };
    assert_eq!(names(&ctx, far), [""; 0]);
}

#[test]
fn a_keyword_matches_names_of_both_and_ignores_case() {
    let ctx = filled();
    let with = |keyword| StorageList {
        keyword: Some(keyword),
        ..IN_TOP
    };
    assert_eq!(names(&ctx, with("three")), ["THREE.png"]);
    assert_eq!(names(&ctx, with("A")), ["a", "four.amr", "a five.txt"]);
    assert_eq!(names(&ctx, with("")).len(), 8);
    assert_eq!(
        names(&ctx, with("inner")),
        [""; 0],
        "only what is directly in the folder"
    );
}

#[test]
fn a_type_lists_files_only() {
    let ctx = filled();
    let of = |kind| StorageList {
        kind: Some(kind),
        ..IN_TOP
    };
    assert_eq!(names(&ctx, of(1)), ["one.jpg", "THREE.png"]);
    assert_eq!(names(&ctx, of(2)), ["two.txt", "a five.txt"]);
    assert_eq!(names(&ctx, of(3)), [""; 0]);
    assert_eq!(names(&ctx, of(4)), ["four.amr"]);
    assert_eq!(names(&ctx, of(0)).len(), 8);
    let filtered = StorageList {
        keyword: Some("FIVE"),
        order: Some(Order::Desc),
        ..of(2)
    };
    assert_eq!(names(&ctx, filtered), ["a five.txt"]);
    assert_eq!(
        names(
            &ctx,
            StorageList {
                page: 2,
                page_size: 1,
                ..of(1)
            }
        ),
        ["THREE.png"]
    );
}

#[test]
fn wrong_parameters_are_named() {
    let ctx = filled();
    let list = |list: StorageList<'_>| refused(list_files(&ctx, &list));
    assert_eq!(list(StorageList { kind: Some(5), ..ALL }), wrong("type"));
    assert_eq!(list(StorageList { page: 0, ..ALL }), wrong("page"));
    assert_eq!(list(StorageList { page_size: 0, ..ALL }), wrong("pageSize"));
    assert_eq!(list(StorageList { page_size: 1001, ..ALL }), wrong("pageSize"));
    for path in ["unknown", "b", "top//b", "top/"] {
        let at = StorageList {
            path: Some(path),
            ..ALL
        };
        if path == "top/" {
            assert_eq!(names(&ctx, at).len(), 8, "a slash at the end does not count");
        } else {
            assert_eq!(list(at), because(60000), "{path}");
        }
    }
}

#[test]
fn the_rows_of_a_page_cost_the_same_however_many_there_are() {
    let cost = |files: u32| {
        let ctx = storage(
            [folder("top", "")],
            (0..files).map(|n| stored(&format!("{n}.txt"), "top", i64::from(n), 1)),
        );
        ctx.take_costs();
        let list = StorageList {
            page_size: 10,
            ..IN_TOP
        };
        assert_eq!(names(&ctx, list).len(), 10);
        ctx.take_costs()
    };
    assert_eq!(cost(20), cost(2000));
}
