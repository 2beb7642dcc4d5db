//! The contract of [`crate::policy`].

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Error,
    execution::{Limit, LimitKind, LimitSource, Limits, RequestedLimits},
    module::{Abi, Inspection},
    policy::{Admission, ExecutionPolicy, Tier},
    principal::{Principal, Role, Scopes},
};

/// Run every check on a policy with nobody's execution running.
///
/// # Panics
/// At the first promise that is broken.
pub async fn all(policy: Arc<dyn ExecutionPolicy>) {
    tiers_are_in_order_and_have_names_of_their_own(&*policy);
    every_principal_gets_its_tier(&*policy);
    an_unknown_tier_gets_what_the_lowest_gets(&*policy).await;
    limits_are_the_tiers_unless_asked_for_less(&*policy).await;
    a_caller_lowers_limits_one_by_one(&*policy).await;
    asking_for_more_or_nothing_names_the_ceiling(&*policy).await;
    asking_for_limits_takes_no_place(&*policy).await;
    as_many_executions_run_as_the_tier_allows(&*policy).await;
    simultaneous_calls_are_counted_right(policy).await;
}

/// The limits a caller may ask for: how to ask, and how to find what was given.
struct Askable {
    kind: LimitKind,
    ask: fn(u64) -> RequestedLimits,
    of: fn(&Limits) -> Limit,
}

const ASKABLE: [Askable; 4] = [
    Askable {
        kind: LimitKind::TimeoutMs,
        ask: |value| RequestedLimits { timeout_ms: Some(value), ..NOTHING },
        of: |limits| limits.timeout_ms,
    },
    Askable {
        kind: LimitKind::MemoryBytes,
        ask: |value| RequestedLimits { memory_bytes: Some(value), ..NOTHING },
        of: |limits| limits.memory_bytes,
    },
    Askable {
        kind: LimitKind::OutputBytes,
        ask: |value| RequestedLimits { output_bytes: Some(value), ..NOTHING },
        of: |limits| limits.output_bytes,
    },
    Askable {
        kind: LimitKind::FileBytes,
        ask: |value| RequestedLimits { file_bytes: Some(value), ..NOTHING },
        of: |limits| limits.file_bytes,
    },
];
const NOTHING: RequestedLimits =
    RequestedLimits { timeout_ms: None, memory_bytes: None, output_bytes: None, file_bytes: None };

/// Somebody of a tier; another user with every `number`.
fn somebody(tier: &str, number: u128) -> Principal {
    Principal {
        user_id: Uuid::from_u128(number),
        user_name: format!("user-{number}"),
        key_id: Some(Uuid::from_u128(u128::MAX - number)),
        tier: tier.to_owned(),
        role: Role::User,
        scopes: Scopes::all(),
        provider: "suite",
    }
}

fn module() -> Inspection {
    Inspection { abi: Abi::None, imports: Vec::new(), exports: Vec::new(), memory_min_bytes: 65_536 }
}

async fn admit(policy: &dyn ExecutionPolicy, principal: &Principal) -> crate::Result<Admission> {
    policy.admit(principal, &NOTHING, &module()).await
}

/// Admit as many as the tier allows.
async fn fill(policy: &dyn ExecutionPolicy, principal: &Principal, tier: &Tier) -> Vec<Admission> {
    let mut admitted = Vec::new();
    for number in 1..=tier.concurrent_executions {
        let admission = admit(policy, principal).await;
        admitted.push(admission.unwrap_or_else(|error| panic!("execution {number} of tier {}: {error}", tier.name)));
    }
    admitted
}

/// Tiers are given lowest first, and no name stands for two.
pub fn tiers_are_in_order_and_have_names_of_their_own(policy: &dyn ExecutionPolicy) {
    let tiers = policy.tiers();
    assert!(!tiers.is_empty(), "there is no tier");
    assert!(tiers.windows(2).all(|pair| pair[0].rank < pair[1].rank), "lowest first: {tiers:?}");
    for (index, tier) in tiers.iter().enumerate() {
        assert!(tiers[..index].iter().all(|other| other.name != tier.name), "two tiers are named {}", tier.name);
        assert!(tier.concurrent_executions > 0, "nobody of tier {} could run anything", tier.name);
    }
}

/// The tier of a principal is the one it names.
pub fn every_principal_gets_its_tier(policy: &dyn ExecutionPolicy) {
    for tier in policy.tiers() {
        assert_eq!(policy.tier(&somebody(&tier.name, 1)), tier);
    }
}

/// A tier that the configuration no longer names gets what the lowest tier gets.
pub async fn an_unknown_tier_gets_what_the_lowest_gets(policy: &dyn ExecutionPolicy) {
    let (stranger, lowest) = (somebody("a tier that nobody configured", 2), policy.tiers().remove(0));
    assert_eq!(policy.tier(&stranger), lowest);
    let limits = policy.limits(&stranger, &NOTHING, &module()).await.expect("limits of an unknown tier");
    assert_eq!(limits, lowest.limits);
    let admitted = fill(policy, &stranger, &lowest).await;
    assert!(matches!(admit(policy, &stranger).await, Err(Error::TooManyExecutions { .. })), "as many as the lowest");
    drop(admitted);
}

/// Who asks for nothing, or for just what the tier gives, gets what the tier gives.
pub async fn limits_are_the_tiers_unless_asked_for_less(policy: &dyn ExecutionPolicy) {
    for tier in policy.tiers() {
        let principal = somebody(&tier.name, 3);
        let limits = policy.limits(&principal, &NOTHING, &module()).await.expect("the tier's limits");
        assert_eq!(limits, tier.limits, "tier {}", tier.name);
        for askable in &ASKABLE {
            let asked = (askable.ask)((askable.of)(&limits).value);
            let same = policy.limits(&principal, &asked, &module()).await.expect("the ceiling itself");
            assert_eq!(same, limits, "asking for the ceiling of {} itself", askable.kind);
            assert_ne!((askable.of)(&same).source, LimitSource::Request, "asking for less would not help");
        }
    }
}

/// A lowered limit has the value asked for and comes from the request; the others stay.
pub async fn a_caller_lowers_limits_one_by_one(policy: &dyn ExecutionPolicy) {
    for tier in policy.tiers() {
        let principal = somebody(&tier.name, 4);
        for askable in &ASKABLE {
            let value = (askable.of)(&tier.limits).value - 1;
            if value == 0 {
                continue;
            }
            let limits = policy.limits(&principal, &(askable.ask)(value), &module()).await.expect("less is allowed");
            assert_eq!((askable.of)(&limits), Limit { value, source: LimitSource::Request }, "{}", askable.kind);
            for other in ASKABLE.iter().filter(|other| other.kind != askable.kind) {
                assert_eq!((other.of)(&limits), (other.of)(&tier.limits), "{} was not asked for", other.kind);
            }
            let admission = policy.admit(&principal, &(askable.ask)(value), &module()).await.expect("less is allowed");
            assert_eq!(admission.limits, limits, "what `limits` said of {}", askable.kind);
        }
    }
}

/// More than the ceiling is refused with the ceiling, and 0 is refused; both say where.
pub async fn asking_for_more_or_nothing_names_the_ceiling(policy: &dyn ExecutionPolicy) {
    for tier in policy.tiers() {
        let principal = somebody(&tier.name, 5);
        for askable in &ASKABLE {
            let ceiling = (askable.of)(&tier.limits).value;
            for value in [ceiling + 1, u64::MAX, 0] {
                let asked = (askable.ask)(value);
                let refused = policy.limits(&principal, &asked, &module()).await.map(drop);
                let not_admitted = policy.admit(&principal, &asked, &module()).await.map(drop);
                for result in [refused, not_admitted] {
                    let Err(Error::Invalid(wrong)) = result else {
                        panic!("{} = {value} in tier {}: {result:?}", askable.kind, tier.name);
                    };
                    assert_eq!(wrong.len(), 1, "{wrong:?}");
                    assert_eq!(wrong[0].location, format!("limits.{}", askable.kind));
                    assert!(wrong[0].message.contains(&ceiling.to_string()), "the ceiling: {}", wrong[0].message);
                }
            }
        }
        // None of what was refused has taken a place.
        fill(policy, &principal, &tier).await;
    }
}

/// However often limits are asked for, every place is still there.
pub async fn asking_for_limits_takes_no_place(policy: &dyn ExecutionPolicy) {
    let tier = policy.tiers().remove(0);
    let principal = somebody(&tier.name, 6);
    for _ in 0..tier.concurrent_executions + 1 {
        policy.limits(&principal, &NOTHING, &module()).await.expect("limits");
    }
    fill(policy, &principal, &tier).await;
}

/// One more than the tier allows is refused, other users are not, and a place that was given back is there again.
pub async fn as_many_executions_run_as_the_tier_allows(policy: &dyn ExecutionPolicy) {
    for tier in policy.tiers() {
        let (principal, other) = (somebody(&tier.name, 7), somebody(&tier.name, 8));
        let mut admitted = fill(policy, &principal, &tier).await;
        for _ in 0..3 {
            match admit(policy, &principal).await {
                Err(Error::TooManyExecutions { tier: name, running }) => {
                    assert_eq!((name, running), (tier.name.clone(), tier.concurrent_executions));
                }
                other => panic!("one more than tier {} allows: {other:?}", tier.name),
            }
        }
        admit(policy, &other).await.expect("another user is not concerned");

        // Another key of the same user draws on the same places.
        let second_key = Principal { key_id: Some(Uuid::from_u128(1)), ..principal.clone() };
        assert!(admit(policy, &second_key).await.is_err(), "a second key must not double the places");

        drop(admitted.pop());
        let again = admit(policy, &principal).await.expect("the place that was given back");
        assert!(admit(policy, &principal).await.is_err(), "one place was given back, not two");
        drop((again, admitted));
        fill(policy, &principal, &tier).await;
    }
}

/// Of any number of simultaneous calls, as many are admitted as there are places.
pub async fn simultaneous_calls_are_counted_right(policy: Arc<dyn ExecutionPolicy>) {
    let tier = policy.tiers().remove(0);
    let calls = (0..tier.concurrent_executions * 4).map(|_| {
        let (policy, principal) = (policy.clone(), somebody(&tier.name, 9));
        tokio::spawn(async move { admit(&*policy, &principal).await })
    });
    let mut admitted = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        admitted.extend(call.await.expect("no call panics"));
    }
    assert_eq!(admitted.len(), tier.concurrent_executions);
}
