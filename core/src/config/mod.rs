//! The configuration: where it comes from, and what is wrong with it.
//!
//! Sources, the later wins: the plugins' and the server's own defaults, `config/default.toml`, the profile built into
//! the program, `config/<profile>.toml`, the file named by `--config`, the environment
//! (`WASMWIZ_RATE_LIMIT__MEMORY__MAX_BUCKETS=1000`), and the command line.

mod reference;
mod server;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Provider,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
    value::{Dict, Map, Value},
};
use serde::{Deserialize, Serialize};

pub use self::{
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

/// The prefix of environment variables.
const PREFIX: &str = "WASMWIZ_";
/// Variables with the prefix that are no settings of the server.
const OTHER_VARIABLES: [&str; 5] = ["PROFILE", "CONFIG", "API_KEY", "BOOTSTRAP_KEY", "SERVER"];

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
        let figment = collect(sources)?;
        let linked = linked()?;
        check_sections(&figment, &linked)?;
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
            source: self.figment.find_metadata(path).map_or_else(|| "unknown".into(), |from| origin(from, path)),
            help: key.map(|key| key.help.to_owned()).unwrap_or_default(),
        });
    }

    fn check(&self, linked: &[Linked]) -> Result<(), ConfigError> {
        for plugin in linked {
            (plugin.check)(&self.figment, plugin.name)?;
        }
        let chosen = &self.selection;
        Registry::<dyn Storage>::linked()?.get(&chosen.storage)?;
        Registry::<dyn BlobStore>::linked()?.get(&chosen.blobs)?;
        Registry::<dyn RateLimiter>::linked()?.get(&chosen.rate_limit)?;
        Registry::<dyn ExecutionPolicy>::linked()?.get(&chosen.policy)?;
        Registry::<dyn Executor>::linked()?.get(&chosen.executor)?;
        for name in &chosen.auth {
            Registry::<dyn AuthProvider>::linked()?.get(name)?;
        }
        if chosen.auth.is_empty() {
            return Err(ConfigError::Value("auth.use names no provider, so nobody could use the server".into()));
        }
        if self.profile != Profile::Development && chosen.auth.iter().any(|name| name == "none") {
            return Err(ConfigError::Value(format!(
                "auth.use contains `none`, which lets everybody in; the profile {} refuses that. Use `api_key`",
                self.profile
            )));
        }
        self.server.check().map_err(ConfigError::Value)
    }
}

/// Merge all sources.
fn collect(sources: &Sources) -> Result<Figment, ConfigError> {
    let named = |name: &str, text: &str| Named { name: name.to_owned(), inner: Toml::string(text) };
    let file = |path: &Path| Named { name: path.display().to_string(), inner: Toml::file_exact(path) };
    let folder = |name: &str| Some(sources.folder.join(name)).filter(|path| path.is_file());

    let mut figment = Figment::from(Named { name: "default".into(), inner: Serialized::defaults(defaults()?) });
    if let Some(path) = folder("default.toml") {
        figment = figment.merge(file(&path));
    }
    let name = format!("built-in {} profile", sources.profile);
    figment = figment.merge(named(&name, sources.profile.built_in()));
    if let Some(path) = folder(&format!("{}.toml", sources.profile)) {
        figment = figment.merge(file(&path));
    }
    if let Some(path) = &sources.file {
        if !path.is_file() {
            return Err(ConfigError::Value(format!("the configuration file {} is not there", path.display())));
        }
        figment = figment.merge(file(path));
    }
    check_variables(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    figment = figment.merge(Env::prefixed(PREFIX).filter(|key| key.as_str().contains("__")).split("__"));
    for (key, value) in &sources.flags {
        let flag = Named { name: format!("--{}", key.rsplit('.').next().unwrap_or(key)), inner: Serialized::default(key, value) };
        figment = figment.merge(flag);
    }
    Ok(figment)
}

/// The values that hold when nobody sets any.
fn defaults() -> Result<serde_json::Value, PluginError> {
    let mut root = serde_json::Map::new();
    root.insert("server".into(), serde_json::to_value(ServerConfig::default()).unwrap_or_default());
    root.insert("log".into(), serde_json::to_value(LogConfig::default()).unwrap_or_default());
    for (kind, name) in KINDS {
        root.insert(kind.into(), serde_json::json!({ "use": name }));
    }
    root.insert(AUTH.into(), serde_json::json!({ "use": ["api_key"] }));
    for plugin in linked()? {
        root[plugin.kind][plugin.name] = plugin.defaults;
    }
    Ok(root.into())
}

fn section<'a, T: Deserialize<'a>>(figment: &Figment, path: &str) -> Result<T, ConfigError> {
    let focused = figment.focus(path);
    let found = if path.ends_with(".use") { figment.extract_inner(path) } else { focused.extract() };
    found.map_err(|error| {
        // `extract_inner` repeats the whole path in its errors, `focus` leaves it out.
        ConfigError::Value(explain(&error, if path.ends_with(".use") { "" } else { path }))
    })
}

/// Refuse sections and plugins' sections that nothing reads.
fn check_sections(figment: &Figment, linked: &[Linked]) -> Result<(), ConfigError> {
    let root: Dict = figment.extract().map_err(|error| ConfigError::Value(explain(&error, "")))?;
    let kinds: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).chain([AUTH]).collect();
    for (name, value) in &root {
        if !kinds.contains(&name.as_str()) {
            if !["server", "log"].contains(&name.as_str()) {
                let known = ["server", "log"].into_iter().chain(kinds.iter().copied()).collect::<Vec<_>>().join(", ");
                return Err(unknown_key(figment, name, &known));
            }
            continue;
        }
        let Value::Dict(_, section) = value else { continue };
        let plugins: Vec<&str> = linked.iter().filter(|plugin| plugin.kind == name).map(|plugin| plugin.name).collect();
        for key in section.keys() {
            if key != "use" && !plugins.contains(&key.as_str()) {
                return Err(unknown_key(figment, &format!("{name}.{key}"), &format!("use, {}", plugins.join(", "))));
            }
        }
    }
    Ok(())
}

fn unknown_key(figment: &Figment, key: &str, known: &str) -> ConfigError {
    let source = figment.find_metadata(key).map(|from| format!(" (set in {})", origin(from, key))).unwrap_or_default();
    ConfigError::Value(format!("unknown key `{key}`{source}; known here: {known}"))
}

/// Refuse variables that look like settings and would be passed over.
fn check_variables(names: impl Iterator<Item = String>) -> Result<(), ConfigError> {
    for name in names {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        if !rest.contains("__") && !OTHER_VARIABLES.contains(&rest) {
            return Err(ConfigError::Value(format!(
                "unknown environment variable {name}; a setting is written {PREFIX}SECTION__KEY, such as {PREFIX}SERVER__PORT"
            )));
        }
    }
    Ok(())
}

/// A provider under a name that people understand.
struct Named<P> {
    name: String,
    inner: P,
}

impl<P: Provider> Provider for Named<P> {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }
    fn data(&self) -> figment::error::Result<Map<figment::Profile, Dict>> {
        self.inner.data()
    }
}

/// Where a value came from: a file, or the very variable.
fn origin(from: &Metadata, path: &str) -> String {
    if from.name.contains("environment variable") {
        format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
    } else {
        from.name.to_string()
    }
}

/// Say what is wrong with a value below `prefix`: the key, where it was set, and what would be right.
pub(crate) fn explain(error: &figment::Error, prefix: &str) -> String {
    let mut path: Vec<&str> = prefix.split('.').filter(|part| !part.is_empty()).collect();
    path.extend(error.path.iter().map(String::as_str));
    let key = path.join(".");
    let source = error.metadata.as_ref().map(|from| format!(" (set in {})", origin(from, &key))).unwrap_or_default();
    match &error.kind {
        Kind::InvalidType(found, expected) => format!("`{key}`{source} is {found}; it must be {expected}"),
        Kind::InvalidValue(found, expected) => format!("`{key}`{source} is {found}; it must be {expected}"),
        Kind::UnknownField(field, known) => {
            let key = if key.is_empty() || key.ends_with(field) { key } else { format!("{key}.{field}") };
            format!("unknown key `{key}`{source}; known here: {}", known.join(", "))
        }
        Kind::UnknownVariant(found, known) => {
            format!("`{key}`{source} is `{found}`; it must be one of: {}", known.join(", "))
        }
        Kind::MissingField(field) => format!("`{key}.{field}` is missing"),
        other => format!("`{key}`{source}: {other}"),
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.key, self.value)
    }
}
