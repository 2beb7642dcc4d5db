use async_trait::async_trait;
use wasmwiz_core::{
    Result,
    auth::{AuthProvider, Credential},
    principal::{Principal, Scopes, User},
};

use crate::config::NoneConfig;

/// Makes the local user of every caller who shows nothing.
///
/// A token is left to other providers. A caller who shows one means to be somebody; when nobody recognises it, they must
/// learn so, and not go on unawares as the local user, who may do everything.
#[derive(Debug)]
pub struct NoLogin {
    local: Principal,
}

impl NoLogin {
    /// Let everybody in, as `config` says.
    pub fn new(config: NoneConfig) -> Self {
        let local = Principal {
            user_id: User::LOCAL,
            user_name: "local".into(),
            key_id: None,
            tier: config.tier,
            role: config.role,
            scopes: Scopes::all(),
            provider: "none",
        };
        Self { local }
    }
}

#[async_trait]
impl AuthProvider for NoLogin {
    async fn authenticate(&self, credential: &Credential) -> Result<Option<Principal>> {
        Ok(match credential {
            Credential::None => Some(self.local.clone()),
            Credential::Token(_) => None,
        })
    }

    fn allows_anonymous(&self) -> bool {
        true
    }
}
