//! Writes `use the_crate as _;` for every dependency, so that each is linked and its registration is found.
//!
//! A dependency that is listed and never named is not linked, and its plugins would be missing without a word.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=Cargo.toml");
    let manifest = fs::read_to_string("Cargo.toml").expect("Cargo runs this where the manifest is");
    let uses: String = dependencies(&manifest).map(|name| format!("use {} as _;\n", name.replace('-', "_"))).collect();
    let folder = env::var_os("OUT_DIR").expect("Cargo says where generated files go");
    fs::write(Path::new(&folder).join("linked.rs"), uses).expect("the folder for generated files can be written");
}

/// The names in `[dependencies]`, one a line, and of tables such as `[dependencies.name]`.
///
/// Read by hand: a TOML parser would be built a second time, for the build script alone.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().map(str::trim).filter_map(move |line| {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.split(']').next().unwrap_or_default();
            inside = header == "dependencies";
            return header.strip_prefix("dependencies.");
        }
        let name = line.split(['=', '.']).next().unwrap_or_default().trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        (inside && is_name && line.contains('=')).then_some(name)
    })
}
