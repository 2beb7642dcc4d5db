//! Files that the program generates are committed; these tests compare them with what it generates now.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{path::Path, process::Command};

/// Run the program in an empty folder, with no settings but its own defaults.
fn generate(args: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_wasmwiz")).args(args).current_dir(&folder).env_clear().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn compare(file: &str, args: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let fresh = generate(args);
    let place = committed.lines().zip(fresh.lines()).position(|(old, new)| old != new);
    let line = place.unwrap_or_else(|| committed.lines().count().min(fresh.lines().count())) + 1;
    assert!(
        committed == fresh,
        "{file} is out of date from line {line} on; write it anew: cargo run --release -- {} > {file}",
        args.join(" ")
    );
}

#[test]
fn the_configuration_reference_is_up_to_date() {
    compare("config/default.toml", &["config", "reference"]);
}

#[test]
fn the_openapi_document_is_up_to_date() {
    compare("openapi/openapi.json", &["openapi"]);
}
