//! How plugins say what they are, how they are found, and how the configuration chooses them.
//!
//! A plugin implements [`BuildPlugin`] for the kind it is and registers itself with one `inventory::submit!`:
//!
//! ```
//! use std::sync::Arc;
//! use wasmwiz_core::{auth::{AuthProvider, Credential}, plugin::{BuildPlugin, Built, Key, Plugin}};
//!
//! #[derive(Debug)]
//! struct Nobody;
//!
//! #[async_trait::async_trait]
//! impl AuthProvider for Nobody {
//!     async fn authenticate(&self, _: &Credential) -> wasmwiz_core::Result<Option<wasmwiz_core::principal::Principal>> {
//!         Ok(None)
//!     }
//! }
//!
//! #[derive(Default, serde::Serialize, serde::Deserialize)]
//! #[serde(deny_unknown_fields, default)]
//! struct NobodyConfig {}
//!
//! impl BuildPlugin<dyn AuthProvider> for Nobody {
//!     const NAME: &'static str = "nobody";
//!     const SUMMARY: &'static str = "lets nobody in";
//!     const KEYS: &'static [Key] = &[];
//!     type Config = NobodyConfig;
//!     async fn build(_: NobodyConfig, _: wasmwiz_core::plugin::Needs) -> Built<dyn AuthProvider> {
//!         Ok(Arc::new(Nobody))
//!     }
//! }
//!
//! inventory::submit! { Plugin::<dyn AuthProvider>::of::<Nobody>() }
//! ```
//!
//! An operator then writes `use = ["nobody"]` in the section `[auth]`, and the plugin's keys in `[auth.nobody]`.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use figment::Figment;
use futures::future::BoxFuture;
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::BoxError, storage::Storage, system::System};

/// A kind of plugin: a trait, and the section of the configuration that chooses among its implementations.
pub trait PluginKind: Send + Sync + 'static {
    /// The section of the configuration.
    const SECTION: &'static str;
    /// What plugins of this kind are handed.
    type Needs: Send + 'static;

    /// Every plugin of this kind that is linked into the program.
    fn linked() -> Vec<&'static Plugin<Self>>;
}

/// What plugins are handed that look things up in the storage.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Clock, randomness, data folder.
    pub system: System,
    /// The storage.
    pub storage: Arc<dyn Storage>,
}

/// Make a trait a kind of plugin.
macro_rules! plugin_kind {
    ($kind:ty, $section:literal, $needs:ty) => {
        impl $crate::plugin::PluginKind for $kind {
            const SECTION: &'static str = $section;
            type Needs = $needs;
            fn linked() -> Vec<&'static $crate::plugin::Plugin<Self>> {
                inventory::iter::<$crate::plugin::Plugin<$kind>>.into_iter().collect()
            }
        }
        inventory::collect!($crate::plugin::Plugin<$kind>);
    };
}
pub(crate) use plugin_kind;

/// A key of a plugin's section, for people.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Key {
    /// Its name, with dots where it is nested.
    pub name: &'static str,
    /// What it does, its unit and its reason, in a sentence.
    pub help: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
}

impl Key {
    /// Describe a key.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help, secret: false }
    }

    /// Describe a key whose value must never be shown.
    pub const fn secret(name: &'static str, help: &'static str) -> Self {
        Self { name, help, secret: true }
    }
}

/// What building a plugin comes to.
pub type Built<T> = Result<Arc<T>, BoxError>;

/// What a plugin states about itself.
pub trait BuildPlugin<T: PluginKind + ?Sized>: 'static {
    /// The name that the configuration chooses it by, in snake_case.
    const NAME: &'static str;
    /// What it does, in a few words.
    const SUMMARY: &'static str;
    /// The keys of its section.
    const KEYS: &'static [Key];
    /// Its section, with `#[serde(deny_unknown_fields, default)]`.
    type Config: DeserializeOwned + Serialize + Default + Send;

    /// Make it ready for use.
    fn build(config: Self::Config, needs: T::Needs) -> impl Future<Output = Built<T>> + Send;
}

type BuildFn<T> = fn(Figment, <T as PluginKind>::Needs) -> BoxFuture<'static, Result<Arc<T>, PluginError>>;

/// The form of a plugin that `inventory` collects.
pub struct Plugin<T: PluginKind + ?Sized> {
    /// The name that the configuration chooses it by.
    pub name: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// The keys of its section.
    pub keys: &'static [Key],
    /// The values its keys have when nobody sets them.
    pub defaults: fn() -> serde_json::Value,
    check: fn(&Figment) -> Result<(), PluginError>,
    build: BuildFn<T>,
}

impl<T: PluginKind + ?Sized> Plugin<T> {
    /// Collect what `P` states about itself.
    pub const fn of<P: BuildPlugin<T>>() -> Self {
        Self {
            name: P::NAME,
            summary: P::SUMMARY,
            keys: P::KEYS,
            defaults: || serde_json::to_value(P::Config::default()).unwrap_or_default(),
            check: |section| extract::<T, P>(section).map(drop),
            build: |section, needs| {
                Box::pin(async move {
                    let config = extract::<T, P>(&section)?;
                    P::build(config, needs).await.map_err(|source| PluginError::Build {
                        kind: T::SECTION,
                        name: P::NAME,
                        source,
                    })
                })
            },
        }
    }

    /// Check that the plugin's section of `config` can be read.
    ///
    /// # Errors
    /// Which key is wrong, where it was set, and what would be right.
    pub fn check(&self, config: &Figment) -> Result<(), PluginError> {
        (self.check)(&self.section(config))
    }

    /// Build the plugin from its section of `config`.
    ///
    /// # Errors
    /// What is wrong with the section, or why the plugin could not be made ready.
    pub async fn build(&self, config: &Figment, needs: T::Needs) -> Result<Arc<T>, PluginError> {
        (self.build)(self.section(config), needs).await
    }

    fn section(&self, config: &Figment) -> Figment {
        config.focus(&format!("{}.{}", T::SECTION, self.name))
    }
}

fn extract<T: PluginKind + ?Sized, P: BuildPlugin<T>>(section: &Figment) -> Result<P::Config, PluginError> {
    section.extract().map_err(|error| PluginError::Config {
        message: crate::config::explain_section(&error, &format!("{}.{}", T::SECTION, P::NAME), section),
    })
}

/// Why a plugin could not be chosen or built.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No plugin of this name is linked.
    #[error("unknown {kind} plugin `{name}`; available: {available}")]
    Unknown {
        /// The kind's section.
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// The names there are.
        available: String,
    },
    /// Two plugins of one kind have one name.
    #[error("two {kind} plugins are both named `{name}`; each linked plugin needs a name of its own")]
    Duplicate {
        /// The kind's section.
        kind: &'static str,
        /// The name.
        name: &'static str,
    },
    /// The plugin's section is wrong.
    #[error("{message}")]
    Config {
        /// What is wrong, where it was set and what would be right.
        message: String,
    },
    /// The plugin could not be made ready.
    #[error("the {kind} plugin `{name}` could not start")]
    Build {
        /// The kind's section.
        kind: &'static str,
        /// The plugin's name.
        name: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
}

/// The plugins of one kind, by name.
pub struct Registry<T: PluginKind + ?Sized>(BTreeMap<&'static str, &'static Plugin<T>>);

impl<T: PluginKind + ?Sized> Registry<T> {
    /// Collect the plugins that are linked into the program.
    ///
    /// # Errors
    /// [`PluginError::Duplicate`] when two have one name.
    pub fn linked() -> Result<Self, PluginError> {
        Self::new(T::linked())
    }

    fn new(plugins: impl IntoIterator<Item = &'static Plugin<T>>) -> Result<Self, PluginError> {
        let mut by_name = BTreeMap::new();
        for plugin in plugins {
            if by_name.insert(plugin.name, plugin).is_some() {
                return Err(PluginError::Duplicate { kind: T::SECTION, name: plugin.name });
            }
        }
        Ok(Self(by_name))
    }

    /// Find a plugin by name.
    ///
    /// # Errors
    /// [`PluginError::Unknown`] with the names there are.
    pub fn get(&self, name: &str) -> Result<&'static Plugin<T>, PluginError> {
        self.0.get(name).copied().ok_or_else(|| PluginError::Unknown {
            kind: T::SECTION,
            name: name.to_owned(),
            available: self.0.keys().copied().collect::<Vec<_>>().join(", "),
        })
    }

    /// Every plugin, by name.
    pub fn iter(&self) -> impl Iterator<Item = &'static Plugin<T>> {
        self.0.values().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_limit::RateLimiter;

    struct Twin;

    impl BuildPlugin<dyn RateLimiter> for Twin {
        const NAME: &'static str = "twin";
        const SUMMARY: &'static str = "";
        const KEYS: &'static [Key] = &[];
        type Config = serde_json::Map<String, serde_json::Value>;
        async fn build(_: Self::Config, _: System) -> Built<dyn RateLimiter> {
            Err("never built".into())
        }
    }

    static TWIN: Plugin<dyn RateLimiter> = Plugin::of::<Twin>();

    #[test]
    fn two_plugins_of_one_name_are_an_error() {
        let error = Registry::new([&TWIN, &TWIN]).err().unwrap().to_string();
        assert_eq!(error, "two rate_limit plugins are both named `twin`; each linked plugin needs a name of its own");
    }

    #[test]
    fn an_unknown_name_answers_with_what_there_is() {
        let error = Registry::new([&TWIN]).unwrap().get("redsi").err().unwrap().to_string();
        assert_eq!(error, "unknown rate_limit plugin `redsi`; available: twin");
    }
}
