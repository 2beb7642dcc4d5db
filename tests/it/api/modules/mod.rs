//! `/api/wasm/upload` and `/api/wasm/modules`.

mod content;
mod delete;
mod explain;
mod get;
mod list;
mod upload;
