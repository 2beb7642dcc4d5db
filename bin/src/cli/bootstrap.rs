//! The first administrator of an empty store, who could not log in to make themselves.

use wasmwiz_core::{
    Platform,
    api_key::{ApiKey, KeySecret},
    principal::{Role, Scopes, User},
};

use super::Failure;

/// The variable that may bring the first key.
const VARIABLE: &str = "WASMWIZ_BOOTSTRAP_KEY";
/// The name of the first user.
const NAME: &str = "admin";

/// What became of the first administrator.
#[derive(Debug)]
pub(super) enum Bootstrap {
    /// Nothing to do: nobody needs to log in, or there are keys.
    NotNeeded,
    /// Made, with the operator's own key.
    Given,
    /// Made, with a key that is to be shown once.
    Generated(KeySecret),
}

/// Make the user `admin` and their key, if a login is needed and nobody has a key yet.
pub(super) async fn bootstrap(platform: &Platform) -> Result<Bootstrap, Failure> {
    if !platform.needs_login() || platform.storage.has_api_keys().await? {
        return Ok(Bootstrap::NotNeeded);
    }
    let given = given(std::env::var_os(VARIABLE))?;
    let secret = given.clone().unwrap_or_else(|| KeySecret::generate(&*platform.system.random));
    let user = administrator(platform).await?;
    let key = ApiKey {
        id: platform.system.new_id(),
        user_id: user.id,
        name: "bootstrap".into(),
        prefix: secret.prefix().to_owned(),
        hash: secret.hash(),
        tier: user.tier,
        role: Role::Admin,
        scopes: Scopes::all(),
        created_at: platform.system.clock.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    platform.storage.create_api_key(&key).await?;
    tracing::info!(user = NAME, key = %key.id, "made the first administrator");
    Ok(if given.is_some() { Bootstrap::Given } else { Bootstrap::Generated(secret) })
}

/// The user `admin`, who may be there without a key when an earlier start was cut short.
async fn administrator(platform: &Platform) -> Result<User, Failure> {
    if let Some(user) = platform.storage.user_by_name(NAME).await? {
        return Ok(user);
    }
    let tier = platform.policy.tiers().pop().map(|tier| tier.name).unwrap_or_default();
    let (id, created_at) = (platform.system.new_id(), platform.system.clock.now());
    let user = User { id, name: NAME.into(), tier, role: Role::Admin, created_at };
    platform.storage.create_user(&user).await?;
    Ok(user)
}

fn given(variable: Option<std::ffi::OsString>) -> Result<Option<KeySecret>, Failure> {
    let Some(text) = variable else { return Ok(None) };
    // Never the value in the message: it may be a good key with one character missing.
    let key = text.to_str().and_then(KeySecret::parse);
    let key = key.ok_or_else(|| {
        Failure::new(format!(
            "{VARIABLE} is no API key: a key is `ww_`, 32 letters and digits, `_` and a checksum of 6. Unset it to have one made"
        ))
    });
    key.map(Some)
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::system::SystemRandom;

    use super::*;

    #[test]
    fn a_given_key_must_be_one() {
        let key = KeySecret::generate(&SystemRandom);
        assert_eq!(given(Some(key.expose().into())).unwrap(), Some(key));
        assert_eq!(given(None).unwrap(), None);
        for wrong in ["", "secret", "ww_tooshort_000000"] {
            let error = given(Some(wrong.into())).unwrap_err();
            assert!(error.message().starts_with("WASMWIZ_BOOTSTRAP_KEY is no API key"));
            assert!(wrong.is_empty() || !error.message().contains(wrong));
        }
    }
}
