//! WasmWiz with a plugin more.

// Links the plugin: a crate that is never named is not linked, and its registration would not be found.
use third_party_plugin as _;

fn main() -> std::process::ExitCode {
    wasmwiz::run()
}
