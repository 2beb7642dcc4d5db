//! Rate limiters: token buckets.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;
use uuid::Uuid;

use crate::{Result, plugin::plugin_kind, system::System};

plugin_kind!(dyn RateLimiter, "rate_limit", System);

/// The size of a bucket and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Tokens a minute; also the most the bucket holds. 0 means without limit.
    pub per_minute: u32,
}

/// What a limiter decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the token was there.
    pub allowed: bool,
    /// The most the bucket holds.
    pub limit: u32,
    /// Whole tokens left.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
    /// Until a token is there; zero when one was.
    pub retry_after: Duration,
}

impl Decision {
    /// What a quota without limit comes to; told by its `limit` of 0.
    pub const UNLIMITED: Self =
        Self { allowed: true, limit: 0, remaining: u32::MAX, reset: Duration::ZERO, retry_after: Duration::ZERO };
}

/// Counts requests.
///
/// # Behavior
/// - A new bucket is full. It fills evenly: one token every `60 s / per_minute`.
/// - Of any number of simultaneous calls on a bucket with n tokens, n are allowed.
/// - A refused call takes nothing, nor does a look.
/// - A quota without limit gives [`Decision::UNLIMITED`] and needs no bucket.
/// - When a bucket's quota changes, the tokens taken stay taken, at most as many as it now holds.
/// - A bucket is forgotten only once it is full, and so indistinguishable from a new one. Where there is
///   no room for another, newcomers share one: nobody is turned away for want of room, nobody gets tokens twice.
#[async_trait]
pub trait RateLimiter: Debug + Send + Sync + 'static {
    /// Take a token from the bucket named `bucket`.
    async fn take(&self, bucket: Uuid, quota: Quota) -> Result<Decision>;

    /// Look at a bucket without taking from it.
    async fn peek(&self, bucket: Uuid, quota: Quota) -> Result<Decision>;

    /// Check that the limiter works.
    async fn ping(&self) -> Result<()>;
}
