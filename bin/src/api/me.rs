//! `GET /api/auth/me`: who the caller is, and what they may use.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::{Object, OpenApi};
use serde::Serialize;
use uuid::Uuid;

use super::{
    App,
    auth::{Anything, Caller},
    error::{NOTHING, Refused},
    execute::LimitsOut,
    keys::{RoleName, ScopeName, scope_names},
    openapi::Group,
    payload::Json,
};

/// Who the caller is.
#[derive(Serialize, Object)]
#[oai(rename = "Me")]
pub(crate) struct MeOut {
    /// Whose modules, executions and keys the caller sees.
    user_id: Uuid,
    /// The user's name.
    user_name: String,
    /// The key in use; null without login.
    key_id: Option<Uuid>,
    /// The auth provider that recognised the credential.
    provider: String,
    /// What the caller may do.
    role: RoleName,
    /// What the credential may be used for.
    scopes: Vec<ScopeName>,
    /// The tier whose quotas and limits hold.
    tier: String,
    /// Executions that may run at a time.
    concurrent_executions: u64,
    /// What an execution may use, unless the request asks for less.
    limits: LimitsOut,
    /// What is left of the rate limit.
    quota: QuotaOut,
}

/// What is left of the rate limit.
#[derive(Serialize, Object)]
#[oai(rename = "Quota")]
pub(crate) struct QuotaOut {
    /// Requests a minute; 0 means without limit.
    limit: u32,
    /// Requests left at this moment.
    remaining: u32,
    /// Time until the quota is whole again, in milliseconds.
    reset_ms: u64,
}

/// The endpoint.
pub(crate) struct Me;

#[OpenApi]
impl Me {
    /// Say who the caller is
    ///
    /// The principal, the tier with its limits, and what is left of the quota. Any good credential will do.
    #[oai(path = "/api/auth/me", method = "get", operation_id = "me", tag = "Group::Auth")]
    async fn me(&self, app: Data<&Arc<App>>, caller: Caller<Anything>) -> Result<Json<MeOut>, Refused<NOTHING>> {
        let tier = app.platform.policy.tier(&caller);
        let quota = app.platform.rate_limit.peek(caller.bucket(), tier.quota).await?;
        Ok(Json(MeOut {
            user_id: caller.user_id,
            user_name: caller.user_name.clone(),
            key_id: caller.key_id,
            provider: caller.provider.to_owned(),
            role: caller.role.into(),
            scopes: scope_names(&caller.scopes),
            tier: tier.name,
            concurrent_executions: tier.concurrent_executions as u64,
            limits: tier.limits.into(),
            quota: QuotaOut {
                limit: quota.limit,
                remaining: quota.remaining,
                reset_ms: u64::try_from(quota.reset.as_millis()).unwrap_or(u64::MAX),
            },
        }))
    }
}
