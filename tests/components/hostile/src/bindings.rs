//! The world `module`, generated from `wit/`.
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: ["../../../wit/deps/host", "wit"],
    world: "hostile:tests/module",
    generate_all,
});
