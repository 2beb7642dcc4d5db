//! The guests, committed as WebAssembly beside their sources in `tests/guests`.

use std::path::{Path, PathBuf};

/// Read the guest at `path` below `tests/guests`: `hostile/busy_loop`, `samples/echo`.
pub(crate) fn guest(path: &str) -> Vec<u8> {
    let file = guest_file(path);
    std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The file of the guest at `path` below `tests/guests`.
pub(crate) fn guest_file(path: &str) -> PathBuf {
    let name = path.rsplit('/').next().unwrap_or(path);
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../tests/guests/{path}/{name}.wasm"))
}
