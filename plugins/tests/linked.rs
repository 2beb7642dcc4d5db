//! Every built-in plugin is linked, and explains its keys.

use std::collections::BTreeSet;

use serde_json::Value;
use wasmwiz_core::config::{Linked, linked};
// Names the crate, so that it is linked; it has no items of its own.
use wasmwiz_plugins as _;

fn all() -> Vec<Linked> {
    linked().expect("no two plugins of a kind have one name")
}

#[test]
fn exactly_the_built_in_plugins_are_linked() {
    let found: BTreeSet<_> = all().iter().map(|plugin| (plugin.kind, plugin.name)).collect();
    let expected = BTreeSet::from([
        ("storage", "sqlite"),
        ("blobs", "object_store"),
        ("auth", "api_key"),
        ("auth", "none"),
        ("rate_limit", "memory"),
        ("policy", "tiered"),
        ("executor", "wasmer"),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn every_plugin_says_what_it_does() {
    for plugin in all() {
        assert!(!plugin.summary.is_empty(), "{} {} has no summary", plugin.kind, plugin.name);
        assert!(plugin.defaults.is_object(), "{} {}: the defaults are {}", plugin.kind, plugin.name, plugin.defaults);
    }
}

#[test]
fn keys_are_explained_exactly_where_there_are_values() {
    for plugin in all() {
        let who = format!("{} {}", plugin.kind, plugin.name);
        let mut leaves = BTreeSet::new();
        collect_leaves("", &plugin.defaults, &mut leaves);
        for leaf in &leaves {
            assert!(plugin.keys.iter().any(|key| fits(key.name, leaf)), "{who}: `{leaf}` is not explained");
        }
        for (index, key) in plugin.keys.iter().enumerate() {
            assert!(leaves.iter().any(|leaf| fits(key.name, leaf)), "{who}: there is no `{}`", key.name);
            assert!(plugin.keys[..index].iter().all(|other| other.name != key.name), "{who}: `{}` twice", key.name);
            assert!(
                key.help.len() > 10 && !key.help.ends_with('.'),
                "{who}: `{}` is explained by {:?}",
                key.name,
                key.help
            );
        }
    }
}

/// The dotted names of the values that are no tables.
fn collect_leaves(path: &str, value: &Value, leaves: &mut BTreeSet<String>) {
    match value.as_object() {
        Some(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect_leaves(&path, value, leaves);
            }
        }
        None => {
            leaves.insert(path.to_owned());
        }
    }
}

/// Whether a name, in which a part `*` stands for any, is that of `leaf`.
fn fits(name: &str, leaf: &str) -> bool {
    let (name, leaf): (Vec<_>, Vec<_>) = (name.split('.').collect(), leaf.split('.').collect());
    name.len() == leaf.len() && name.iter().zip(&leaf).all(|(part, found)| *part == "*" || part == found)
}
