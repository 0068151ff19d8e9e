//! The host side of the contract `offstage:plugin`, generated from `sdk/wit`.
//!
//! Never leaves this crate: `convert` turns its types into those of `offstage-model`.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]

wasmtime::component::bindgen!({
    path: "../../sdk/wit",
    world: "plugin",
    // Host functions may end the run: a limit was passed.
    imports: { default: trappable },
});
