//! Links the plugins that come with WasmWiz.
//!
//! To add one: write its crate in a folder beside the others (any of them is a pattern to follow, and
//! `wasmwiz_core::plugin` says what it states about itself), and name it with one line
//! under `[dependencies]` of this crate's `Cargo.toml`. Nothing else lists plugins: each registers itself, `wasmwiz plugins`
//! shows it, and the configuration chooses it by name.
//!
//! A third party's plugin needs no place here: a program of theirs that depends on `wasmwiz` and on their crate, and names
//! both, has all of these plugins and their own.

include!(concat!(env!("OUT_DIR"), "/linked.rs"));
