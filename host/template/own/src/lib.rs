//! Notes that a person pins to a board.
//!
//! The exports below only call plain functions, which take a `Context`. In the component the
//! context is the host; in unit tests it is memory.

pub mod bindings;
mod notes;

pub use notes::{add, list, remove, self_test};

#[cfg(target_arch = "wasm32")]
mod module {
    //! The exports.

    use stowage_sdk::{Error, HostContext, Order};

    use crate::bindings::{api, self_test};

    struct Module;

    impl api::Guest for Module {
        fn add_note(text: String) -> Result<api::Note, Error> {
            crate::add(&HostContext, &text)
        }

        fn remove_note(id: String) -> Result<bool, Error> {
            crate::remove(&HostContext, &id)
        }

        fn list_notes(
            keyword: Option<String>,
            order: Option<Order>,
            page: u32,
            page_size: u32,
        ) -> Result<Vec<api::Note>, Error> {
            crate::list(&HostContext, keyword.as_deref(), order, page, page_size)
        }
    }

    impl self_test::Guest for Module {
        fn run() -> Result<(), String> {
            crate::self_test(&HostContext)
        }
    }

    crate::bindings::export!(Module with_types_in crate::bindings);
}

stowage_sdk::embed_wit!(in "wit"; "world.wit", "deps/storage-api/package.wit", "deps/storage-api/types.wit");
