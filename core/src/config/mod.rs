//! The configuration: where it comes from, and what is wrong with it.
//!
//! Sources, the later wins: the plugins' and the server's own defaults, `config/default.toml`, the profile built into
//! the program, `config/<profile>.toml`, the file named by `--config`, the environment
//! (`WASMWIZ_RATE_LIMIT__MEMORY__MAX_BUCKETS=1000`), and the command line.

mod bounds;
mod message;
mod reference;
mod server;
mod sources;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ffi::OsString, fmt, path::PathBuf};

use figment::{
    Figment,
    value::{Dict, Value},
};
use serde::{Deserialize, Serialize};

pub(crate) use self::message::{explain, explain_section};
pub use self::{
    bounds::between,
    reference::reference,
    server::{LogConfig, LogFormat, ServerConfig},
};
use crate::{
    auth::AuthProvider,
    blobs::BlobStore,
    executor::Executor,
    plugin::{Key, PluginError, PluginKind, Registry},
    policy::ExecutionPolicy,
    principal::words,
    rate_limit::RateLimiter,
    storage::Storage,
};

/// A set of values for a purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// One's own machine: no login, embedded plugins.
    #[default]
    Development,
    /// As production, for trying out.
    Staging,
    /// For others to use.
    Production,
}
words!(
    Profile, "profile",
    Profile::Development => "development",
    Profile::Staging => "staging",
    Profile::Production => "production",
);

impl Profile {
    fn built_in(self) -> &'static str {
        match self {
            Self::Development => include_str!("../../../config/development.toml"),
            Self::Staging => include_str!("../../../config/staging.toml"),
            Self::Production => include_str!("../../../config/production.toml"),
        }
    }
}

/// What decides which sources are read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The profile.
    pub profile: Profile,
    /// The folder with `default.toml` and `<profile>.toml`; files that are not there are passed over.
    pub folder: PathBuf,
    /// A file named on the command line; it must be there.
    pub file: Option<PathBuf>,
    /// Single values from the command line, by dotted key.
    pub flags: Vec<(String, serde_json::Value)>,
}

/// The plugins the configuration chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// Where records are kept.
    pub storage: String,
    /// Where modules' bytes are kept.
    pub blobs: String,
    /// Who is asked about a credential, in order.
    pub auth: Vec<String>,
    /// Who counts requests.
    pub rate_limit: String,
    /// Who decides limits.
    pub policy: String,
    /// Who runs modules.
    pub executor: String,
}

/// The configuration, read and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The profile it was made for.
    pub profile: Profile,
    /// The server's own section.
    pub server: ServerConfig,
    /// Logging.
    pub log: LogConfig,
    /// The plugins chosen.
    pub selection: Selection,
    figment: Figment,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is wrong.
    #[error("{0}")]
    Value(String),
    /// A plugin is wrong.
    #[error(transparent)]
    Plugin(#[from] PluginError),
}

/// A value and where it came from.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// Its dotted key.
    pub key: String,
    /// The value; secrets hidden.
    pub value: serde_json::Value,
    /// Where it was set.
    pub source: String,
    /// What it does.
    pub help: String,
}

/// A plugin that is linked into the program, whatever its kind.
#[derive(Clone, Debug, Serialize)]
pub struct Linked {
    /// The section of its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
    /// Its defaults.
    pub defaults: serde_json::Value,
    #[serde(skip)]
    check: fn(&Figment, &str) -> Result<(), PluginError>,
}

/// Every plugin that is linked into the program, by kind and name.
///
/// # Errors
/// When two of one kind have one name.
pub fn linked() -> Result<Vec<Linked>, PluginError> {
    fn of<T: PluginKind + ?Sized>(all: &mut Vec<Linked>) -> Result<(), PluginError> {
        all.extend(Registry::<T>::linked()?.iter().map(|plugin| Linked {
            kind: T::SECTION,
            name: plugin.name,
            summary: plugin.summary,
            keys: plugin.keys,
            defaults: (plugin.defaults)(),
            check: |config, name| Registry::<T>::linked()?.get(name)?.check(config),
        }));
        Ok(())
    }
    let mut all = Vec::new();
    of::<dyn Storage>(&mut all)?;
    of::<dyn BlobStore>(&mut all)?;
    of::<dyn AuthProvider>(&mut all)?;
    of::<dyn RateLimiter>(&mut all)?;
    of::<dyn ExecutionPolicy>(&mut all)?;
    of::<dyn Executor>(&mut all)?;
    Ok(all)
}

/// The sections that choose one plugin, with the embedded default; `auth` chooses several.
const KINDS: [(&str, &str); 5] = [
    (<dyn Storage as PluginKind>::SECTION, "sqlite"),
    (<dyn BlobStore as PluginKind>::SECTION, "object_store"),
    (<dyn RateLimiter as PluginKind>::SECTION, "memory"),
    (<dyn ExecutionPolicy as PluginKind>::SECTION, "tiered"),
    (<dyn Executor as PluginKind>::SECTION, "wasmer"),
];
const AUTH: &str = <dyn AuthProvider as PluginKind>::SECTION;

impl Config {
    /// Read all sources and check every value of every section.
    ///
    /// # Errors
    /// The first thing that is wrong: the key, where it was set, and what would be right.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        Self::load_from(sources, std::env::vars_os())
    }

    fn load_from(
        sources: &Sources,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let figment = sources::collect(sources, variables)?;
        let linked = linked()?;
        let value = |key: &str| -> Result<String, ConfigError> { section(&figment, &format!("{key}.use")) };
        let selection = Selection {
            storage: value("storage")?,
            blobs: value("blobs")?,
            auth: section(&figment, "auth.use")?,
            rate_limit: value("rate_limit")?,
            policy: value("policy")?,
            executor: value("executor")?,
        };
        let config = Self {
            profile: sources.profile,
            server: section(&figment, "server")?,
            log: section(&figment, "log")?,
            selection,
            figment,
        };
        config.check(&linked)?;
        Ok(config)
    }

    /// What the plugins read their sections from.
    pub fn figment(&self) -> &Figment {
        &self.figment
    }

    /// Every value, where it came from and what it does. The values of secret keys are hidden.
    ///
    /// # Errors
    /// When two plugins of one kind have one name.
    pub fn explain(&self) -> Result<Vec<Explained>, ConfigError> {
        let root: Dict = self.figment.extract().map_err(|error| ConfigError::Value(explain(&error, "")))?;
        let known = reference::keys(&linked()?);
        let mut rows = Vec::new();
        for (key, value) in &root {
            self.explain_value(key, value, &known, &mut rows);
        }
        Ok(rows)
    }

    fn explain_value(&self, path: &str, value: &Value, known: &BTreeMap<String, Key>, rows: &mut Vec<Explained>) {
        if let Value::Dict(_, dict) = value
            && !dict.is_empty()
        {
            for (key, value) in dict {
                self.explain_value(&format!("{path}.{key}"), value, known, rows);
            }
            return;
        }
        let key = reference::find(known, path);
        let value = match key {
            Some(key) if key.secret => "(hidden)".into(),
            _ => serde_json::to_value(value).unwrap_or_default(),
        };
        rows.push(Explained {
            key: path.to_owned(),
            value,
            source: self.figment.find_metadata(path).map_or_else(|| "unknown".into(), |from| from.name.to_string()),
            help: key.map(|key| key.help.to_owned()).unwrap_or_default(),
        });
    }

    fn check(&self, linked: &[Linked]) -> Result<(), ConfigError> {
        for plugin in linked {
            (plugin.check)(&self.figment, plugin.name)?;
        }
        let chosen = &self.selection;
        self.check_chosen::<dyn Storage>(&chosen.storage)?;
        self.check_chosen::<dyn BlobStore>(&chosen.blobs)?;
        self.check_chosen::<dyn RateLimiter>(&chosen.rate_limit)?;
        self.check_chosen::<dyn ExecutionPolicy>(&chosen.policy)?;
        self.check_chosen::<dyn Executor>(&chosen.executor)?;
        let source = message::source_of(&self.figment, "auth.use");
        for (index, name) in chosen.auth.iter().enumerate() {
            self.check_chosen::<dyn AuthProvider>(name)?;
            if chosen.auth[..index].contains(name) {
                return Err(ConfigError::Value(format!("`auth.use`{source} names `{name}` twice")));
            }
        }
        if chosen.auth.is_empty() {
            return Err(ConfigError::Value(format!(
                "`auth.use`{source} names no provider, so nobody could use the server"
            )));
        }
        if self.profile != Profile::Development && chosen.auth.iter().any(|name| name == "none") {
            return Err(ConfigError::Value(format!(
                "`auth.use`{source} contains `none`, which lets everybody in; the profile {} refuses that. Use `api_key`",
                self.profile
            )));
        }
        self.server.check().map_err(|(key, wrong)| {
            let source = message::source_of(&self.figment, &format!("server.{key}"));
            ConfigError::Value(format!("`server.{key}`{source} is {wrong}"))
        })
    }

    fn check_chosen<T: PluginKind + ?Sized>(&self, name: &str) -> Result<(), ConfigError> {
        match Registry::<T>::linked()?.get(name) {
            Err(PluginError::Unknown { kind, name, available }) => {
                let source = message::source_of(&self.figment, &format!("{kind}.use"));
                Err(ConfigError::Value(format!("unknown {kind} plugin `{name}`{source}; available: {available}")))
            }
            found => Ok(found.map(drop)?),
        }
    }
}

fn section<'a, T: Deserialize<'a>>(figment: &Figment, path: &str) -> Result<T, ConfigError> {
    let focused = figment.focus(path);
    let found = if path.ends_with(".use") { figment.extract_inner(path) } else { focused.extract() };
    found.map_err(|error| {
        // `extract_inner` repeats the whole path in its errors, `focus` leaves it out.
        ConfigError::Value(explain(&error, if path.ends_with(".use") { "" } else { path }))
    })
}

/// Refuse sections and plugins' sections that nothing reads, and values where a section should be.
fn check_sections(figment: &Figment, linked: &[Linked]) -> Result<(), ConfigError> {
    let root: Dict = figment.extract().map_err(|error| ConfigError::Value(explain(&error, "")))?;
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).chain([AUTH]).collect();
    let unknown = |key: &str, known: &str| {
        ConfigError::Value(message::unknown_key(key, &message::source_of(figment, key), known))
    };
    for (name, value) in &root {
        let is_kind = kinds.contains(&name.as_str());
        if !is_kind && !["server", "log"].contains(&name.as_str()) {
            return Err(unknown(name, &["server", "log"].into_iter().chain(kinds).collect::<Vec<_>>().join(", ")));
        }
        let Value::Dict(_, section) = value else { return Err(message::no_section(figment, name, value)) };
        if !is_kind {
            continue;
        }
        let plugins: Vec<&str> = linked.iter().filter(|plugin| plugin.kind == name).map(|plugin| plugin.name).collect();
        for (key, value) in section.iter().filter(|(key, _)| *key != "use") {
            let path = format!("{name}.{key}");
            if !plugins.contains(&key.as_str()) {
                return Err(unknown(&path, &format!("use, {}", plugins.join(", "))));
            }
            if !matches!(value, Value::Dict(..)) {
                return Err(message::no_section(figment, &path, value));
            }
        }
    }
    Ok(())
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}
