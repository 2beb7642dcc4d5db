//! The auth provider `api_key`: API keys, of which only the SHA-256 is stored.

mod cache;
mod config;
mod provider;
mod touches;

use std::sync::Arc;

use wasmwiz_core::{
    auth::AuthProvider,
    plugin::{BuildPlugin, Built, Key, Needs, Plugin},
};

pub use self::{config::ApiKeyConfig, provider::ApiKeyAuth};

impl BuildPlugin<dyn AuthProvider> for ApiKeyAuth {
    const NAME: &'static str = "api_key";
    const SUMMARY: &'static str = "API keys, of which only the SHA-256 is stored";
    const KEYS: &'static [Key] = config::KEYS;
    type Config = ApiKeyConfig;

    async fn build(config: ApiKeyConfig, needs: Needs) -> Built<dyn AuthProvider> {
        Ok(Arc::new(Self::new(&config, needs)))
    }
}

inventory::submit! { Plugin::<dyn AuthProvider>::of::<ApiKeyAuth>() }
