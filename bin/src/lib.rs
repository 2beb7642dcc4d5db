//! The `wasmwiz` program: its HTTP API, its command line and the built-in plugins.
//!
//! Somebody with a plugin of their own makes a program of two lines: it links the plugin's crate and calls [`run`].
//! `tests/third_party_plugin` is one.
//!
//! ```no_run
//! // use my_plugin as _;
//! fn main() -> std::process::ExitCode {
//!     wasmwiz::run()
//! }
//! ```

// Links the built-in plugins: a crate that is never named is not linked, and its plugins would not be found.
use wasmwiz_plugins as _;

mod api;
mod cli;
mod logging;
mod samples;
mod server;

pub use self::api::openapi_document;

/// Run the program: read the command line and do what it says.
pub fn run() -> std::process::ExitCode {
    // Helper processes come first, while there is one thread and nothing was opened.
    wasmwiz_core::helper::dispatch().unwrap_or_else(cli::main)
}
