//! Where values come from, merged so that each knows its source.

use std::{collections::BTreeMap, ffi::OsString, fs, path::Path};

use figment::{
    Figment, Metadata, Provider,
    providers::{Format, Serialized, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{AUTH, ConfigError, KINDS, LogConfig, ServerConfig, Sources, check_sections, linked};
use crate::plugin::PluginError;

/// The prefix of environment variables.
const PREFIX: &str = "WASMWIZ_";
/// Variables with the prefix that are no settings of the server.
const OTHER_VARIABLES: [&str; 6] = ["PROFILE", "CONFIG", "CONFIG_DIR", "API_KEY", "BOOTSTRAP_KEY", "SERVER"];

/// Merge all sources.
pub(super) fn collect(
    sources: &Sources,
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Figment, ConfigError> {
    let linked = linked()?;
    // Checked source by source: a value where a section should be would be covered up by the next source.
    let merge = |figment: Figment, from: Named<Values>| {
        let merged = figment.merge(from);
        check_sections(&merged, &linked).map(|()| merged)
    };
    let defaults = Serialized::defaults(defaults()?);
    let mut figment = Figment::from(Named { name: "default".into(), inner: defaults });
    let in_folder = |name: String| Some(sources.folder.join(name)).filter(|path| path.exists());
    if let Some(path) = in_folder("default.toml".into()) {
        figment = merge(figment, file(&path)?)?;
    }
    let name = format!("built-in {} profile", sources.profile);
    figment = figment.merge(Named { name, inner: Toml::string(sources.profile.built_in()) });
    if let Some(path) = in_folder(format!("{}.toml", sources.profile)) {
        figment = merge(figment, file(&path)?)?;
    }
    if let Some(path) = &sources.file {
        figment = merge(figment, file(path)?)?;
    }
    for (name, key, text) in settings(variables)? {
        let value = read_as(figment.find_value(&key).ok(), &text);
        let values = nest(&key, value).into_dict().unwrap_or_default();
        figment = merge(figment, Named { name, inner: Values(values) })?;
    }
    for (key, value) in &sources.flags {
        let name = format!("--{}", key.rsplit('.').next().unwrap_or(key).replace('_', "-"));
        figment = figment.merge(Named { name, inner: Serialized::default(key, value) });
    }
    Ok(figment)
}

/// The values that hold when nobody sets any.
pub(super) fn defaults() -> Result<serde_json::Value, PluginError> {
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

/// Read a file, and refuse one that is no TOML here, where its name is at hand.
fn file(path: &Path) -> Result<Named<Values>, ConfigError> {
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => ConfigError::Value(format!("the configuration file {name} is not there")),
        _ => ConfigError::Value(format!("the configuration file {name} cannot be read: {error}")),
    })?;
    let dict = toml::from_str::<Dict>(&text).map_err(|error| {
        ConfigError::Value(format!("the configuration file {name} is not valid TOML: {}", error.to_string().trim_end()))
    })?;
    Ok(Named { name, inner: Values(dict) })
}

/// The variables that are settings, as name, dotted key and value; sorted, so that the result is the same each time.
fn settings(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<impl Iterator<Item = (String, String, String)>, ConfigError> {
    let mut found = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let rest = &name[PREFIX.len()..];
        if OTHER_VARIABLES.contains(&rest) {
            continue;
        }
        let key = rest.to_lowercase().replace("__", ".");
        if !key.contains('.') || key.split('.').any(str::is_empty) {
            return Err(ConfigError::Value(format!(
                "unknown environment variable {name}; a setting is written {PREFIX}SECTION__KEY, such as {PREFIX}SERVER__PORT"
            )));
        }
        let text = value.into_string();
        let text =
            text.map_err(|_| ConfigError::Value(format!("the environment variable {name} is not UTF-8 text")))?;
        found.insert(name.to_owned(), (key, text));
    }
    Ok(found.into_iter().map(|(name, (key, text))| (name, key, text)))
}

/// Read a variable as what it replaces: a text stays one, also where it looks like a number; a list may be written with
/// commas. What replaces nothing is read as TOML would.
fn read_as(replaced: Option<Value>, text: &str) -> Value {
    match replaced {
        Some(Value::String(..)) => Value::from(text),
        Some(Value::Array(..)) if !text.trim_start().starts_with('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::from(parts.map(Value::from).collect::<Vec<_>>())
        }
        _ => match text.parse() {
            Ok(value) => value,
            Err(never) => match never {},
        },
    }
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

/// Values at hand.
struct Values(Dict);

impl Provider for Values {
    fn metadata(&self) -> Metadata {
        Metadata::default()
    }
    fn data(&self) -> figment::error::Result<Map<figment::Profile, Dict>> {
        Ok(figment::Profile::Default.collect(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_as_what_it_replaces() {
        assert_eq!(read_as(Some(Value::from("x")), "12345"), Value::from("12345"));
        assert_eq!(read_as(Some(Value::from("x")), "[::1]"), Value::from("[::1]"));
        assert_eq!(read_as(Some(Value::from(1)), "12345").to_u128(), Some(12345));
        let list = Some(Value::from(vec![Value::from("x")]));
        assert_eq!(
            read_as(list.clone(), "api_key, none"),
            Value::from(vec![Value::from("api_key"), Value::from("none")])
        );
        assert_eq!(read_as(list, "[a, b]").into_array().map(|items| items.len()), Some(2));
    }
}
