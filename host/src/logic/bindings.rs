//! Generated from `wit/`: the traits behind the imports of a module.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "stowage:modules/imports",
    imports: { default: trappable },
    anyhow: false,
});
