//! `POST` and `GET /api/admin/users`, `POST /api/admin/users/{id}/keys`: users, for administrators.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Path, Query},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use wasmwiz_core::{
    Error, Platform,
    error::FieldError,
    principal::{Role, Scopes, User},
};

use super::{
    App,
    auth::{Administer, Caller},
    error::{BODY, CONFLICT, INVALID, NOT_FOUND, Refused},
    keys::{Bounds, CreatedKeyResponse, NewKey, RoleName, store},
    openapi::Group,
    pagination::{PageLimit, Wanted, default_limit},
    payload::Json,
};

/// A user to be added.
#[derive(Debug, Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// Their name, unique on the server: 1 to 64 letters, digits, `.`, `_`, `-`, `@` or `+`.
    name: String,
    /// The tier that their keys get when none is named; by default the lowest.
    tier: Option<String>,
    /// What they may do; by default `user`.
    role: Option<RoleName>,
}

/// A user.
#[derive(Serialize, Object)]
#[oai(rename = "User")]
pub(crate) struct UserOut {
    /// Their id.
    id: Uuid,
    /// Their name.
    name: String,
    /// The tier that their keys get when none is named.
    tier: String,
    /// What they may do.
    role: RoleName,
    /// When they were added.
    created_at: DateTime<Utc>,
}

/// A page of users.
#[derive(Serialize, Object)]
pub(crate) struct UserList {
    /// Newest first.
    items: Vec<UserOut>,
    /// The cursor of the next page; null: this is the last.
    next_cursor: Option<String>,
}

#[derive(ApiResponse)]
enum CreatedUserResponse {
    /// Added.
    #[oai(status = 201)]
    Created(Json<UserOut>),
}

/// The endpoints.
pub(crate) struct Users;

#[OpenApi]
impl Users {
    /// Add a user
    ///
    /// A user needs a key to do anything: make one with `POST /api/admin/users/{id}/keys`. Scope: `admin`, and the
    /// role.
    #[oai(path = "/api/admin/users", method = "post", operation_id = "createUser", tag = "Group::Admin")]
    async fn create(
        &self,
        app: Data<&Arc<App>>,
        _caller: Caller<Administer>,
        body: Json<NewUser>,
    ) -> Result<CreatedUserResponse, Refused<{ INVALID | CONFLICT | BODY }>> {
        let user = check(&app.platform, body.0)?;
        app.platform.storage.create_user(&user).await?;
        tracing::info!(user = %user.id, name = user.name, role = %user.role, "user added");
        Ok(CreatedUserResponse::Created(Json(user.into())))
    }

    /// List users
    ///
    /// Scope: `admin`, and the role.
    #[oai(path = "/api/admin/users", method = "get", operation_id = "listUsers", tag = "Group::Admin")]
    async fn list(
        &self,
        app: Data<&Arc<App>>,
        _caller: Caller<Administer>,
        /// At most so many items.
        #[oai(default = "default_limit")]
        limit: Query<PageLimit>,
        /// `next_cursor` of the page before.
        cursor: Query<Option<String>>,
    ) -> Result<Json<UserList>, Refused<INVALID>> {
        let wanted = Wanted::new(limit.0, cursor.0.as_deref())?;
        let users = app.platform.storage.list_users(wanted.page()).await?;
        let (users, next_cursor) = wanted.cut(users, |user| user.id);
        Ok(Json(UserList { items: users.into_iter().map(UserOut::from).collect(), next_cursor }))
    }

    /// Make a key for a user
    ///
    /// Any tier; no more than the user's own role. The answer has the secret, this once. Scope: `admin`, and the role.
    #[oai(path = "/api/admin/users/:id/keys", method = "post", operation_id = "createUserKey", tag = "Group::Admin")]
    async fn create_key(
        &self,
        app: Data<&Arc<App>>,
        _caller: Caller<Administer>,
        /// The user's id.
        id: Path<String>,
        body: Json<NewKey>,
    ) -> Result<CreatedKeyResponse, Refused<{ NOT_FOUND | INVALID | BODY }>> {
        let platform = &app.platform;
        let id = super::parse_id("id", &id)?;
        let user = platform.storage.user(id).await?.ok_or_else(|| Error::NotFound(format!("user {id}")))?;
        let bounds = Bounds { tier: &user.tier, any_tier: true, role: user.role, scopes: &Scopes::all() };
        let key = bounds.check(&platform.policy.tiers(), platform.system.clock.now(), body.0)?;
        Ok(store(platform, user.id, key).await?)
    }
}

fn check(platform: &Platform, user: NewUser) -> Result<User, Error> {
    let tiers: Vec<String> = platform.policy.tiers().into_iter().map(|tier| tier.name).collect();
    let mut errors = Vec::new();
    if let Err(message) = User::check_name(&user.name) {
        errors.push(FieldError::new("name", message));
    }
    let tier = user.tier.or_else(|| tiers.first().cloned()).unwrap_or_default();
    if !tiers.contains(&tier) {
        errors.push(FieldError::new("tier", format!("is no tier; the tiers are: {}", tiers.join(", "))));
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    Ok(User {
        id: platform.system.new_id(),
        name: user.name,
        tier,
        role: user.role.map_or(Role::User, Role::from),
        created_at: platform.system.clock.now(),
    })
}

impl From<User> for UserOut {
    fn from(user: User) -> Self {
        Self { id: user.id, name: user.name, tier: user.tier, role: user.role.into(), created_at: user.created_at }
    }
}
