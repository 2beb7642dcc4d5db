//! The auth provider `none`: whoever shows nothing is the local user.

mod config;
mod provider;

use std::sync::Arc;

use wasmwiz_core::{
    auth::AuthProvider,
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
};

pub use self::{config::NoneConfig, provider::NoLogin};

impl BuildPlugin<dyn AuthProvider> for NoLogin {
    const NAME: &'static str = "none";
    const SUMMARY: &'static str = "no login: whoever shows no credential is the local user";
    const KEYS: &'static [Key] = config::KEYS;
    type Config = NoneConfig;

    async fn build(config: NoneConfig, _: Needs) -> Built<dyn AuthProvider> {
        Ok(Arc::new(Self::new(config)))
    }
}

inventory::submit! { Plugin::<dyn AuthProvider>::of::<NoLogin>() }
