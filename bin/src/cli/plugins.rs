//! `wasmwiz plugins`.

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use wasmwiz_core::config::{Linked, Selection, linked};

use super::{Ending, output, settings::Settings, text};

/// List the plugins that are linked into this program, by kind, with what each key does and its default.
///
/// A star marks those that the configuration chooses. To choose another, set `use` in the section of its kind,
/// for example `[storage] use = "sqlite"`; its keys go into a section of its own, here `[storage.sqlite]`.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Plugins {
    /// Write JSON.
    #[arg(long)]
    json: bool,
}

/// A plugin, and whether the configuration chooses it; unknown when the configuration cannot be read.
#[derive(Serialize)]
struct Row {
    #[serde(flatten)]
    plugin: Linked,
    chosen: Option<bool>,
}

impl Plugins {
    pub(super) fn run(&self, settings: &Settings) -> Ending {
        // Somebody whose configuration names a plugin that is not there asks this command what there is.
        let config = settings.load();
        let selection = config.as_ref().ok().map(|config| &config.selection);
        let rows = linked()?.into_iter().map(|plugin| {
            let chosen = selection.map(|selection| names(selection, plugin.kind).contains(&plugin.name));
            Row { plugin, chosen }
        });
        let rows: Vec<Row> = rows.collect();
        if self.json {
            output::json(&rows)?;
        } else {
            output::bytes(describe(&rows).as_bytes())?;
        }
        if let Err(failure) = config {
            output::note("\nWhich of them are chosen cannot be told:");
            failure.report();
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn names<'a>(selection: &'a Selection, kind: &str) -> Vec<&'a str> {
    match kind {
        "storage" => vec![&selection.storage],
        "blobs" => vec![&selection.blobs],
        "auth" => selection.auth.iter().map(String::as_str).collect(),
        "rate_limit" => vec![&selection.rate_limit],
        "policy" => vec![&selection.policy],
        _ => vec![&selection.executor],
    }
}

fn describe(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut kind = "";
    for Row { plugin, chosen } in rows {
        if plugin.kind != kind {
            kind = plugin.kind;
            text.push_str(&format!("{}{kind}\n", if text.is_empty() { "" } else { "\n" }));
        }
        let mark = if *chosen == Some(true) { '*' } else { ' ' };
        text.push_str(&format!("{mark} {}: {}\n", plugin.name, plugin.summary));
        for key in plugin.keys {
            let default = match default_of(&plugin.defaults, key.name) {
                _ if key.secret => String::new(),
                Some(value) if !value.is_null() => format!(" [default: {}]", text::value(value)),
                _ => String::new(),
            };
            text.push_str(&format!("      {}: {}{default}\n", key.name, key.help));
        }
    }
    text
}

/// Find the default of a key whose name may be dotted. A part `*` stands for any name and has no one default.
fn default_of<'a>(defaults: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(defaults, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_of_a_nested_key_is_found() {
        let defaults = serde_json::json!({ "cache": { "bytes": 7 } });
        assert_eq!(default_of(&defaults, "cache.bytes"), Some(&serde_json::json!(7)));
        assert_eq!(default_of(&defaults, "cache.*"), None);
    }

    #[test]
    fn every_kind_has_plugins_and_the_chosen_ones_are_told() {
        let selection = Selection {
            storage: "a".into(),
            blobs: "b".into(),
            auth: vec!["c".into(), "d".into()],
            rate_limit: "e".into(),
            policy: "f".into(),
            executor: "g".into(),
        };
        let kinds = ["storage", "blobs", "auth", "rate_limit", "policy", "executor"];
        let chosen: Vec<&str> = kinds.iter().flat_map(|kind| names(&selection, kind)).collect();
        assert_eq!(chosen, ["a", "b", "c", "d", "e", "f", "g"]);
        for kind in kinds {
            assert!(linked().unwrap().iter().any(|plugin| plugin.kind == kind), "{kind}");
        }
    }
}
