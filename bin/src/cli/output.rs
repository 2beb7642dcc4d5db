//! Writing to the terminal, or to whoever reads instead of one.

use std::io::{self, Write};

use serde::Serialize;

use super::Failure;

/// Write a line to standard output.
pub(super) fn line(text: &str) -> Result<(), Failure> {
    bytes(format!("{text}\n").as_bytes())
}

/// Write text as it is to standard output.
pub(super) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| Failure::stdout(&error))
}

/// Write JSON for a script to standard output.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    line(&text)
}

/// Tell the user something on standard error, after the program's name.
pub(super) fn complain(text: &str) {
    note(&format!("wasmwiz: {text}"));
}

/// Write a line to standard error.
pub(super) fn note(text: &str) {
    // When not even standard error can be written to, there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
