//! Invariants of the workspace that can be checked: the plugins' shape, and who depends on what.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names in all tables of dependencies of a manifest, `[dev-dependencies]` aside.
fn dependencies(manifest: &Path) -> BTreeSet<String> {
    let manifest: toml::Table =
        read(manifest).parse().unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(toml::Table::values);
    let tables = targets.filter_map(toml::Value::as_table).chain([&manifest]);
    tables
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|name| table.get(name)))
        .flatten()
        .filter_map(toml::Value::as_table)
        .flat_map(|table| table.keys().cloned())
        .collect()
}

/// The folders of plugins: those with a manifest.
fn plugins() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("plugins")).expect("the plugins' folder can be read");
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.join("Cargo.toml").is_file()).collect()
}

#[test]
fn every_plugin_has_the_same_shape() {
    assert!(plugins().len() >= 7);
    for plugin in plugins() {
        for file in ["src/lib.rs", "src/config.rs", "tests/contract.rs", "README.md"] {
            assert!(plugin.join(file).is_file(), "{} has no {file}", plugin.display());
        }
        let lines = read(&plugin.join("src/lib.rs")).lines().count();
        assert!(lines <= 60, "{}: lib.rs is registration only, and has {lines} lines", plugin.display());
        let contract = read(&plugin.join("tests/contract.rs"));
        assert!(contract.contains("suites"), "{}: tests/contract.rs does not run the contract suite", plugin.display());
    }
}

#[test]
fn every_plugin_folder_is_linked() {
    let linked = dependencies(&root().join("plugins/Cargo.toml"));
    for plugin in plugins() {
        let manifest: toml::Table = read(&plugin.join("Cargo.toml")).parse().unwrap();
        let name = manifest["package"]["name"].as_str().unwrap();
        assert!(linked.contains(name), "plugins/Cargo.toml does not name {name}");
    }
    assert_eq!(linked.len(), plugins().len(), "plugins/Cargo.toml names something that is no plugin");
}

#[test]
fn core_knows_no_http_no_database_and_no_engine() {
    let banned =
        ["poem", "hyper", "http", "axum", "reqwest", "sqlx", "rusqlite", "redis", "wasmer", "wasmtime", "wasix"];
    for name in dependencies(&root().join("core/Cargo.toml")) {
        assert!(!banned.iter().any(|banned| name.contains(banned)), "core depends on {name}");
    }
}

#[test]
fn plugins_depend_on_core_and_not_on_each_other() {
    for plugin in plugins() {
        let others = dependencies(&plugin.join("Cargo.toml"));
        let others = others.iter().filter(|name| name.starts_with("wasmwiz")).collect::<Vec<_>>();
        assert_eq!(others, ["wasmwiz-core"], "{}", plugin.display());
    }
}

#[test]
fn only_the_server_knows_its_web_framework() {
    let manifests = plugins().into_iter().chain([root().join("core"), root().join("plugins")]);
    for folder in manifests {
        for name in dependencies(&folder.join("Cargo.toml")) {
            assert!(!name.starts_with("poem"), "{} depends on {name}", folder.display());
        }
    }
    assert!(dependencies(&root().join("bin/Cargo.toml")).contains("poem"));
}
