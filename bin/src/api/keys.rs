//! `POST` and `GET /api/auth/keys`, `DELETE /api/auth/keys/{id}`: one's own API keys.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasmwiz_core::{
    Error, Platform,
    api_key::{ApiKey, KeySecret},
    error::FieldError,
    policy::Tier,
    principal::{Principal, Role, Scope, Scopes},
};

use super::{
    App,
    auth::{Caller, ManageKeys},
    error::{BODY, INVALID, NOT_FOUND, Refused},
    openapi::Group,
    pagination::{PageLimit, Wanted, default_limit},
    payload::Json,
};

/// What somebody may do beyond their own things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[serde(rename_all = "snake_case")]
#[oai(rename_all = "snake_case", rename = "Role", remote = "Role")]
pub(crate) enum RoleName {
    /// Their own modules, executions and keys.
    User,
    /// Everybody's.
    Admin,
}

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Enum)]
#[oai(rename = "Scope", remote = "Scope")]
pub(crate) enum ScopeName {
    /// List and read modules.
    #[serde(rename = "modules:read")]
    #[oai(rename = "modules:read")]
    ModulesRead,
    /// Upload and delete modules.
    #[serde(rename = "modules:write")]
    #[oai(rename = "modules:write")]
    ModulesWrite,
    /// Run modules and read executions.
    #[serde(rename = "execute")]
    #[oai(rename = "execute")]
    Execute,
    /// Create, list and revoke keys.
    #[serde(rename = "keys")]
    #[oai(rename = "keys")]
    Keys,
    /// Administer the server; asks for the role `admin` too.
    #[serde(rename = "admin")]
    #[oai(rename = "admin")]
    Admin,
}

/// A key to be made.
#[derive(Clone, Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What its owner calls it, at most 100 characters.
    name: String,
    /// The tier whose quotas and limits hold: one's own (the default) or a lower one; admins may name any.
    tier: Option<String>,
    /// `user` (the default), or `admin` for those who are.
    role: Option<RoleName>,
    /// What it may be used for; by default all that the key in use may be used for, and `admin` only with that role.
    scopes: Option<Vec<ScopeName>>,
    /// When it ends by itself; by default never.
    expires_at: Option<DateTime<Utc>>,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Object)]
#[oai(rename = "Key")]
pub(crate) struct KeyOut {
    /// Its id.
    id: Uuid,
    /// What its owner calls it.
    name: String,
    /// The first characters of the secret, by which its owner knows it.
    prefix: String,
    /// The tier whose quotas and limits hold.
    tier: String,
    /// What it may do.
    role: RoleName,
    /// What it may be used for.
    scopes: Vec<ScopeName>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends by itself; null: never.
    expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute; null: never.
    last_used_at: Option<DateTime<Utc>>,
    /// When it was revoked; null: it was not.
    revoked_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
#[derive(Clone, Debug, Serialize, Object)]
pub(crate) struct CreatedKey {
    /// Its id.
    id: Uuid,
    /// The key itself. It is shown this once; the server keeps only its SHA-256.
    secret: String,
    /// What its owner calls it.
    name: String,
    /// The first characters of the secret, by which its owner knows it.
    prefix: String,
    /// The tier whose quotas and limits hold.
    tier: String,
    /// What it may do.
    role: RoleName,
    /// What it may be used for.
    scopes: Vec<ScopeName>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When it ends by itself; null: never.
    expires_at: Option<DateTime<Utc>>,
}

/// A page of keys.
#[derive(Serialize, Object)]
pub(crate) struct KeyList {
    /// Newest first.
    items: Vec<KeyOut>,
    /// The cursor of the next page; null: this is the last.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
pub(crate) enum CreatedKeyResponse {
    /// Made. Keep the secret: it is not shown again.
    #[oai(status = 201)]
    Created(Json<CreatedKey>, #[oai(header = "Cache-Control")] String),
}

#[derive(ApiResponse)]
enum RevokedResponse {
    /// Revoked. Requests with it are refused from now on.
    #[oai(status = 204)]
    Revoked,
}

/// The endpoints.
pub(crate) struct Keys;

#[OpenApi]
impl Keys {
    /// Make a key
    ///
    /// The answer has the secret, this once. Scope: `keys`.
    #[oai(path = "/api/auth/keys", method = "post", operation_id = "createKey", tag = "Group::Auth")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ManageKeys>,
        body: Json<NewKey>,
    ) -> Result<CreatedKeyResponse, Refused<{ INVALID | BODY }>> {
        let wanted = check(&app.platform, &caller, body.0)?;
        Ok(store(&app.platform, caller.user_id, wanted).await?)
    }

    /// List one's keys
    ///
    /// Revoked and expired ones too, without their secrets. Scope: `keys`.
    #[oai(path = "/api/auth/keys", method = "get", operation_id = "listKeys", tag = "Group::Auth")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ManageKeys>,
        /// At most so many items.
        #[oai(default = "default_limit")]
        limit: Query<PageLimit>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<KeyList>, Refused<INVALID>> {
        let wanted = Wanted::new(limit.0, cursor.0.as_deref())?;
        let keys = app.platform.storage.list_api_keys(caller.user_id, wanted.page()).await?;
        let (keys, next_cursor) = wanted.cut(keys, |key| key.id);
        Ok(Json(KeyList { items: keys.into_iter().map(KeyOut::from).collect(), next_cursor }))
    }

    /// Revoke a key
    ///
    /// Takes effect at once. Revoking twice is the same as once. Scope: `keys`.
    #[oai(path = "/api/auth/keys/:id", method = "delete", operation_id = "revokeKey", tag = "Group::Auth")]
    async fn revoke(
        &self,
        app: Data<&Arc<App>>,
        caller: Caller<ManageKeys>,
        /// The key's id.
        id: Path<String>,
    ) -> Result<RevokedResponse, Refused<{ NOT_FOUND | INVALID }>> {
        app.platform.revoke_key(&caller, super::parse_id("id", &id)?).await?;
        Ok(RevokedResponse::Revoked)
    }
}

/// A key to be made, with what it leaves open decided.
#[derive(Debug)]
pub(crate) struct WantedKey {
    name: String,
    tier: String,
    role: Role,
    scopes: Scopes,
    expires_at: Option<DateTime<Utc>>,
}

/// Check that a principal may make a key like this for themselves.
fn check(platform: &Platform, principal: &Principal, key: NewKey) -> Result<WantedKey, Error> {
    let bounds = Bounds {
        tier: &principal.tier,
        any_tier: principal.role == Role::Admin,
        role: principal.role,
        scopes: &principal.scopes,
    };
    bounds.check(&platform.policy.tiers(), platform.system.clock.now(), key)
}

/// What a key may have at most.
pub(crate) struct Bounds<'a> {
    /// The tier it gets when none is named.
    pub(crate) tier: &'a str,
    /// Whether it may have a tier above that one.
    pub(crate) any_tier: bool,
    /// The highest role.
    pub(crate) role: Role,
    /// All scopes it may have.
    pub(crate) scopes: &'a Scopes,
}

impl Bounds<'_> {
    /// Check a key against the bounds, and decide what it leaves open.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub(crate) fn check(&self, tiers: &[Tier], now: DateTime<Utc>, key: NewKey) -> Result<WantedKey, Error> {
        let mut errors = Vec::new();
        let mut wrong = |location: &str, message: String| errors.push(FieldError::new(location, message));
        let name = key.name.trim();
        if name.is_empty() || name.chars().count() > ApiKey::MAX_NAME || name.contains(char::is_control) {
            wrong("name", format!("must have 1 to {} characters", ApiKey::MAX_NAME));
        }
        let tier = key.tier.unwrap_or_else(|| self.tier.to_owned());
        if let Err(message) = self.check_tier(tiers, &tier) {
            wrong("tier", message);
        }
        let role = key.role.map_or(Role::User, Role::from);
        if role > self.role {
            wrong("role", format!("must be `{}`: nobody makes a key with more than their own role", self.role));
        }
        let scopes = match key.scopes {
            None => self.scopes.0.iter().copied().filter(|s| *s != Scope::Admin || role == Role::Admin).collect(),
            Some(scopes) => {
                let mut scopes: Vec<Scope> = scopes.into_iter().map(Scope::from).collect();
                scopes.sort_unstable();
                scopes.dedup();
                scopes
            }
        };
        if let Some(scope) = scopes.iter().find(|scope| !self.scopes.contains(**scope)) {
            wrong("scopes", format!("`{scope}` is not among those of the key in use: {}", self.scopes));
        }
        if scopes.is_empty() {
            wrong("scopes", "a key without scopes could be used for nothing; leave `scopes` out for all".into());
        }
        if key.expires_at.is_some_and(|end| end <= now) {
            wrong("expires_at", format!("must be in the future; it is {} now", now.to_rfc3339()));
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        Ok(WantedKey { name: name.to_owned(), tier, role, scopes: Scopes(scopes), expires_at: key.expires_at })
    }

    fn check_tier(&self, tiers: &[Tier], wanted: &str) -> Result<(), String> {
        let rank = |name: &str| tiers.iter().find(|tier| tier.name == name).map(|tier| tier.rank);
        let names = |tiers: Vec<&Tier>| tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>().join(", ");
        let Some(wanted_rank) = rank(wanted) else {
            // One's own tier may have gone from the configuration; the policy then gives what the lowest gets.
            if wanted == self.tier {
                return Ok(());
            }
            let known = names(tiers.iter().collect());
            return Err(format!(
                "`{}` is no tier; the tiers are: {known}",
                wanted.chars().take(64).collect::<String>()
            ));
        };
        let own = rank(self.tier).unwrap_or(0);
        if wanted_rank > own && !self.any_tier {
            let allowed = names(tiers.iter().filter(|tier| tier.rank <= own).collect());
            return Err(format!("`{wanted}` is above the tier in use; possible: {allowed}"));
        }
        Ok(())
    }
}

/// Make the key of `user_id`, and tell its secret.
pub(crate) async fn store(platform: &Platform, user_id: Uuid, key: WantedKey) -> Result<CreatedKeyResponse, Error> {
    let secret = KeySecret::generate(&*platform.system.random);
    let key = ApiKey {
        id: platform.system.new_id(),
        user_id,
        name: key.name,
        prefix: secret.prefix().to_owned(),
        hash: secret.hash(),
        tier: key.tier,
        role: key.role,
        scopes: key.scopes,
        created_at: platform.system.clock.now(),
        expires_at: key.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    platform.storage.create_api_key(&key).await?;
    tracing::info!(key = %key.id, user = %user_id, tier = key.tier, role = %key.role, "key made");
    let KeyOut { id, name, prefix, tier, role, scopes, created_at, expires_at, .. } = key.into();
    let secret = secret.expose().to_owned();
    let created = CreatedKey { id, secret, name, prefix, tier, role, scopes, created_at, expires_at };
    Ok(CreatedKeyResponse::Created(Json(created), "no-store".into()))
}

/// Scopes as they are written.
pub(crate) fn scope_names(scopes: &Scopes) -> Vec<ScopeName> {
    scopes.0.iter().copied().map(ScopeName::from).collect()
}

impl From<ApiKey> for KeyOut {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            tier: key.tier,
            role: key.role.into(),
            scopes: scope_names(&key.scopes),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            revoked_at: key.revoked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use wasmwiz_core::{
        execution::{Limit, LimitSource, Limits},
        rate_limit::Quota,
    };

    use super::*;

    fn tiers() -> Vec<Tier> {
        let one = Limit { value: 1, source: LimitSource::Tier };
        let limits = Limits {
            timeout_ms: one,
            memory_bytes: one,
            output_bytes: one,
            file_bytes: one,
            file_entries: one,
            open_files: one,
        };
        let tier = |(rank, name): (usize, &str)| Tier {
            name: name.into(),
            rank,
            quota: Quota { per_minute: 1 },
            limits,
            concurrent_executions: 1,
        };
        ["free", "basic", "pro"].into_iter().enumerate().map(tier).collect()
    }

    fn check(role: Role, key: serde_json::Value) -> Result<WantedKey, String> {
        let scopes = match role {
            Role::User => Scopes(vec![Scope::Execute, Scope::Keys]),
            Role::Admin => Scopes::all(),
        };
        let bounds = Bounds { tier: "basic", any_tier: role == Role::Admin, role, scopes: &scopes };
        let now = Utc.timestamp_opt(1_800_000_000, 0).unwrap();
        bounds.check(&tiers(), now, serde_json::from_value(key).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn what_a_key_leaves_open_comes_from_the_key_in_use() {
        let key = check(Role::User, serde_json::json!({"name": " ci "})).unwrap();
        assert_eq!((key.name.as_str(), key.tier.as_str(), key.role), ("ci", "basic", Role::User));
        assert_eq!(key.scopes, Scopes(vec![Scope::Execute, Scope::Keys]));
        assert!(!check(Role::Admin, serde_json::json!({"name": "x"})).unwrap().scopes.contains(Scope::Admin));
    }

    #[test]
    fn nobody_makes_a_key_that_may_more_than_their_own() {
        let refused = |key| check(Role::User, key).unwrap_err();
        assert!(refused(serde_json::json!({"name": "x", "tier": "pro"})).contains("possible: free, basic"));
        assert!(refused(serde_json::json!({"name": "x", "role": "admin"})).contains("role"));
        assert!(refused(serde_json::json!({"name": "x", "scopes": ["modules:write"]})).contains("modules:write"));
        assert!(check(Role::Admin, serde_json::json!({"name": "x", "tier": "pro", "role": "admin"})).is_ok());
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let error = check(
            Role::Admin,
            serde_json::json!({"name": "", "tier": "gold", "scopes": [], "expires_at": "2020-01-01T00:00:00Z"}),
        );
        let error = error.unwrap_err();
        for part in ["name", "free, basic, pro", "scopes", "expires_at"] {
            assert!(error.contains(part), "{error}");
        }
    }
}
