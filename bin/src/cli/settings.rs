//! The global options, and the configuration they lead to.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use wasmwiz_core::config::{Config, Profile, Sources};

use super::Failure;

/// The folder that is looked into when none is named.
const FOLDER: &str = "./config";

/// Options that every command knows, and those that need the configuration heed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Configuration")]
pub(super) struct Settings {
    /// Which set of values to start from: development, staging or production.
    ///
    /// development is for one's own machine: no login, readable logs, sample modules. staging and production need a
    /// login, write JSON logs, and change the schema only by `wasmwiz migrate`.
    #[arg(long, global = true, env = "WASMWIZ_PROFILE", default_value = "development", hide_default_value = true)]
    profile: Profile,
    /// A TOML file whose values override the others.
    #[arg(long, global = true, env = "WASMWIZ_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder with default.toml and <profile>.toml [default: ./config, if it is there].
    #[arg(long, global = true, env = "WASMWIZ_CONFIG_DIR", value_name = "DIR")]
    config_dir: Option<PathBuf>,
}

impl Settings {
    /// Read the configuration.
    pub(super) fn load(&self) -> Result<Config, Failure> {
        self.load_with(Vec::new())
    }

    /// Read the configuration, and let `flags` override it.
    pub(super) fn load_with(&self, flags: Vec<(String, Value)>) -> Result<Config, Failure> {
        if let Some(folder) = self.config_dir.as_ref().filter(|folder| !folder.is_dir()) {
            return Err(Failure::new(format!("the configuration folder {} is not there", folder.display())));
        }
        let folder = self.config_dir.clone().unwrap_or_else(|| FOLDER.into());
        let sources = Sources { profile: self.profile, folder, file: self.config.clone(), flags };
        Ok(Config::load(&sources)?)
    }

    /// The same, for one's own machine.
    pub(super) fn in_development(self) -> Self {
        Self { profile: Profile::Development, ..self }
    }
}
