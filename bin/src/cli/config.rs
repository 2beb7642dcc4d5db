//! `wasmwiz config`.

use std::{collections::BTreeSet, process::ExitCode};

use clap::Subcommand;
use wasmwiz_core::config::{Explained, reference};

use super::{
    Ending, Failure, output,
    settings::Settings,
    text::{self, count},
};

/// Check and show the configuration.
#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Check every value of every section; the exit code is 1 when one is wrong.
    Check,
    /// Show every value, where it came from and what it does. Secrets are hidden.
    Show {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the reference of every key with its default: the content of config/default.toml.
    Reference,
}

impl Config {
    pub(super) fn run(&self, settings: &Settings) -> Ending {
        match self {
            Self::Reference => output::bytes(reference()?.as_bytes())?,
            Self::Check => {
                let config = settings.load()?;
                crate::logging::filter(&config).map_err(Failure::new)?;
                let rows = config.explain()?;
                let sources: BTreeSet<&str> = rows.iter().map(|row| row.source.as_str()).collect();
                let sources = sources.into_iter().collect::<Vec<_>>().join(", ");
                let values = count(rows.len() as u64, "value");
                output::line(&format!(
                    "the configuration is right: profile {}, {values} from {sources}",
                    config.profile
                ))?;
            }
            Self::Show { json } => {
                let rows = settings.load()?.explain()?;
                if *json { output::json(&rows)? } else { output::bytes(aligned(&rows).as_bytes())? }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The widest value that others are aligned with.
const WIDEST: usize = 32;

fn aligned(rows: &[Explained]) -> String {
    let values: Vec<String> = rows.iter().map(|row| text::value(&row.value)).collect();
    let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let key_width = widest(&mut rows.iter().map(|row| row.key.as_str()));
    let value_width = widest(&mut values.iter().map(String::as_str)).min(WIDEST);
    let source_width = widest(&mut rows.iter().map(|row| row.source.as_str()));
    let lines = rows.iter().zip(&values).map(|(Explained { key, source, help, .. }, value)| {
        let line = format!("{key:key_width$} = {value:value_width$}  {source:source_width$}  {help}");
        format!("{}\n", line.trim_end())
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_below_each_other() {
        let row = |key: &str, value: serde_json::Value, source: &str, help: &str| Explained {
            key: key.into(),
            value,
            source: source.into(),
            help: help.into(),
        };
        let rows = [
            row("server.port", 8080.into(), "default", "port to listen at"),
            row("a", "x".repeat(40).into(), "WASMWIZ_A__B", ""),
        ];
        let expected = format!(
            "server.port = {:32}  default       port to listen at\na           = \"{}\"  WASMWIZ_A__B\n",
            "8080",
            "x".repeat(40)
        );
        assert_eq!(aligned(&rows), expected);
    }
}
