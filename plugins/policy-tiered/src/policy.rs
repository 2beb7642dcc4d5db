use async_trait::async_trait;
use wasmwiz_core::{
    Error, Result,
    error::FieldError,
    execution::{Limit, LimitKind, LimitSource, Limits, RequestedLimits},
    module::Inspection,
    policy::{Admission, ExecutionPolicy, Tier},
    principal::Principal,
    rate_limit::Quota,
};

use crate::{
    config::{TierConfig, TieredConfig},
    places::Places,
};

/// Gives every principal what its tier has; a tier's limit is at once what holds and the most a request may ask for.
#[derive(Debug)]
pub struct TieredPolicy {
    /// Lowest first, never empty.
    tiers: Vec<Tier>,
    places: Places,
}

impl TieredPolicy {
    /// Start with nothing running.
    pub fn new(config: &TieredConfig) -> Self {
        let tiers = config.tiers().enumerate().map(|(rank, (name, tier))| named(name, rank, tier)).collect();
        Self { tiers, places: Places::default() }
    }

    fn tier_of(&self, principal: &Principal) -> &Tier {
        // The configuration was refused if it named no tier, and a handful of names is searched faster than hashed.
        self.tiers.iter().find(|tier| tier.name == principal.tier).unwrap_or(&self.tiers[0])
    }
}

fn named(name: &str, rank: usize, tier: &TierConfig) -> Tier {
    let limit = |value| Limit { value, source: LimitSource::Tier };
    Tier {
        name: name.to_owned(),
        rank,
        quota: Quota { per_minute: tier.requests_per_minute },
        limits: Limits {
            timeout_ms: limit(tier.timeout_ms),
            memory_bytes: limit(tier.memory_bytes),
            output_bytes: limit(tier.output_bytes),
            file_bytes: limit(tier.file_bytes),
            file_entries: limit(tier.file_entries),
            open_files: limit(tier.open_files),
        },
        concurrent_executions: tier.concurrent_executions,
    }
}

/// Lower the tier's limits to what was asked for.
fn lower(tier: &Tier, asked: &RequestedLimits) -> Result<Limits> {
    let mut limits = tier.limits;
    let mut wrong = Vec::new();
    for (kind, limit, asked) in [
        (LimitKind::TimeoutMs, &mut limits.timeout_ms, asked.timeout_ms),
        (LimitKind::MemoryBytes, &mut limits.memory_bytes, asked.memory_bytes),
        (LimitKind::OutputBytes, &mut limits.output_bytes, asked.output_bytes),
        (LimitKind::FileBytes, &mut limits.file_bytes, asked.file_bytes),
    ] {
        let Some(asked) = asked else { continue };
        let ceiling = limit.value;
        if asked == 0 || asked > ceiling {
            let message = format!("must be 1 to {ceiling}, the ceiling of tier `{}`; {asked} was asked for", tier.name);
            wrong.push(FieldError::new(format!("limits.{kind}"), message));
        } else if asked < ceiling {
            *limit = Limit { value: asked, source: LimitSource::Request };
        }
    }
    if wrong.is_empty() { Ok(limits) } else { Err(Error::Invalid(wrong)) }
}

#[async_trait]
impl ExecutionPolicy for TieredPolicy {
    fn tiers(&self) -> Vec<Tier> {
        self.tiers.clone()
    }

    fn tier(&self, principal: &Principal) -> Tier {
        self.tier_of(principal).clone()
    }

    async fn limits(&self, principal: &Principal, asked: &RequestedLimits, _: &Inspection) -> Result<Limits> {
        lower(self.tier_of(principal), asked)
    }

    async fn admit(&self, principal: &Principal, asked: &RequestedLimits, _: &Inspection) -> Result<Admission> {
        let tier = self.tier_of(principal);
        let limits = lower(tier, asked)?;
        let place = self
            .places
            .take(principal.user_id, tier.concurrent_executions)
            .map_err(|running| Error::TooManyExecutions { tier: tier.name.clone(), running })?;
        Ok(Admission { limits, permit: Some(Box::new(place)) })
    }
}

#[cfg(test)]
mod tests {
    use wasmwiz_core::{
        module::Abi,
        principal::{Role, Scopes, User},
    };

    use super::*;

    fn principal(tier: &str) -> Principal {
        Principal {
            user_id: User::LOCAL,
            user_name: "local".into(),
            key_id: None,
            tier: tier.into(),
            role: Role::User,
            scopes: Scopes::all(),
            provider: "test",
        }
    }

    const MODULE: Inspection =
        Inspection { abi: Abi::None, imports: Vec::new(), exports: Vec::new(), memory_min_bytes: 0 };

    #[tokio::test]
    async fn every_limit_that_is_wrong_is_reported_with_ceiling_and_tier() {
        let policy = TieredPolicy::new(&TieredConfig::default());
        let asked = RequestedLimits { timeout_ms: Some(6_000), memory_bytes: Some(0), ..Default::default() };
        let error = policy.limits(&principal("basic"), &asked, &MODULE).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid input: limits.timeout_ms: must be 1 to 5000, the ceiling of tier `basic`; 6000 was asked for; \
             limits.memory_bytes: must be 1 to 134217728, the ceiling of tier `basic`; 0 was asked for"
        );
    }

    #[tokio::test]
    async fn users_with_nothing_running_are_not_remembered() {
        let policy = TieredPolicy::new(&TieredConfig::default());
        let mut admitted = Vec::new();
        for number in 0..1_000 {
            let principal = Principal { user_id: uuid::Uuid::from_u128(number), ..principal("free") };
            admitted.push(policy.admit(&principal, &RequestedLimits::default(), &MODULE).await.unwrap());
        }
        assert_eq!(policy.places.users(), 1_000);
        drop(admitted);
        assert_eq!(policy.places.users(), 0);
    }

    #[tokio::test]
    async fn a_key_of_a_low_tier_counts_what_a_higher_one_runs() {
        let policy = TieredPolicy::new(&TieredConfig::default());
        let mut admitted = Vec::new();
        for _ in 0..2 {
            admitted.push(policy.admit(&principal("pro"), &RequestedLimits::default(), &MODULE).await.unwrap());
        }
        let refused = policy.admit(&principal("free"), &RequestedLimits::default(), &MODULE).await;
        assert_eq!(
            refused.unwrap_err().to_string(),
            "2 executions are running, as many as tier `free` allows at a time"
        );
        policy.admit(&principal("pro"), &RequestedLimits::default(), &MODULE).await.unwrap();
    }
}
