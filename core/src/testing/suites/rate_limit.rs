//! The contract of [`crate::rate_limit`].
//!
//! Every check names its own buckets, so that they can share a limiter.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use crate::{
    rate_limit::{Decision, Quota, RateLimiter},
    system::{Random, SystemRandom},
};

/// A limiter, and how time passes for it.
#[derive(Debug)]
pub struct Harness<P> {
    /// The limiter.
    pub limiter: Arc<dyn RateLimiter>,
    /// Lets so much time pass: moves a [`crate::testing::ManualClock`], or sleeps.
    pub pass: P,
    /// How much time may pass unasked between two calls; zero with a clock that is set by hand.
    pub slack: Duration,
    /// How many other buckets are used while one must not be forgotten: more than the limiter keeps, if it is bounded.
    pub crowd: usize,
}

/// One token a second, so that a limiter on the real clock is through in seconds.
const QUOTA: Quota = Quota { per_minute: 60 };
const INTERVAL: Duration = Duration::from_secs(1);

/// Run every check.
///
/// # Panics
/// At the first promise that is broken.
pub async fn all<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    a_new_bucket_is_full(harness).await;
    a_bucket_fills_evenly_and_never_over_the_brim(harness).await;
    of_simultaneous_calls_as_many_are_allowed_as_there_are_tokens(harness).await;
    a_refused_call_and_a_look_take_nothing(harness).await;
    buckets_do_not_share_tokens(harness).await;
    a_quota_without_limit_never_refuses(harness).await;
    tokens_taken_stay_taken_when_the_quota_changes(harness).await;
    // Last, for it leaves a bounded limiter without room.
    a_bucket_that_is_not_full_is_not_forgotten(harness).await;
    harness.limiter.ping().await.expect("the limiter works");
}

impl<P: AsyncFn(Duration)> Harness<P> {
    async fn take(&self, bucket: Uuid, quota: Quota) -> Decision {
        self.limiter.take(bucket, quota).await.expect("the limiter answers")
    }

    async fn peek(&self, bucket: Uuid, quota: Quota) -> Decision {
        self.limiter.peek(bucket, quota).await.expect("the limiter answers")
    }

    /// Take until refused, and give the refusal.
    async fn empty(&self, bucket: Uuid, quota: Quota) -> Decision {
        for _ in 0..=quota.per_minute * 2 {
            let decision = self.take(bucket, quota).await;
            if !decision.allowed {
                return decision;
            }
        }
        panic!("a bucket of {} tokens gave more than twice as many", quota.per_minute);
    }

    fn assert_about(&self, found: Duration, expected: Duration, what: &str) {
        // A limiter may round up to whole milliseconds.
        let most = expected + Duration::from_millis(1);
        let least = expected.saturating_sub(self.slack);
        assert!((least..=most).contains(&found), "{what} is {found:?}, expected {expected:?}");
    }
}

fn bucket() -> Uuid {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// A new bucket is full, and says so before anything was taken.
pub async fn a_new_bucket_is_full<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let bucket = bucket();
    let full = Decision {
        allowed: true,
        limit: QUOTA.per_minute,
        remaining: QUOTA.per_minute,
        reset: Duration::ZERO,
        retry_after: Duration::ZERO,
    };
    assert_eq!(harness.peek(bucket, QUOTA).await, full, "a bucket that nobody drew from");

    let taken = harness.take(bucket, QUOTA).await;
    assert!(taken.allowed, "the first token");
    assert_eq!((taken.limit, taken.remaining), (QUOTA.per_minute, QUOTA.per_minute - 1));
    assert_eq!(taken.retry_after, Duration::ZERO);
    harness.assert_about(taken.reset, INTERVAL, "the time until the bucket is full again");
}

/// A token comes every `60 s / per_minute`, and a bucket left alone holds `per_minute` and no more.
pub async fn a_bucket_fills_evenly_and_never_over_the_brim<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let bucket = bucket();
    let refused = harness.empty(bucket, QUOTA).await;
    assert_eq!((refused.limit, refused.remaining), (QUOTA.per_minute, 0), "an empty bucket");
    harness.assert_about(refused.retry_after, INTERVAL, "the time until a token is there");
    harness.assert_about(refused.reset, Duration::from_secs(60), "the time until an empty bucket is full");

    (harness.pass)(refused.retry_after).await;
    assert!(harness.take(bucket, QUOTA).await.allowed, "a token after `retry_after`");
    let early = harness.empty(bucket, QUOTA).await;
    if harness.slack < INTERVAL / 4 {
        (harness.pass)(early.retry_after / 2).await;
        assert!(!harness.take(bucket, QUOTA).await.allowed, "a token before `retry_after`");
    }

    let quick = Quota { per_minute: 600 };
    let filled = self::bucket();
    harness.take(filled, quick).await;
    (harness.pass)(Duration::from_secs(2)).await;
    let full = harness.peek(filled, quick).await;
    assert_eq!((full.remaining, full.reset), (quick.per_minute, Duration::ZERO), "a bucket left alone");
}

/// Of any number of simultaneous calls on a bucket with n tokens, n are allowed.
pub async fn of_simultaneous_calls_as_many_are_allowed_as_there_are_tokens<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let (bucket, quota) = (bucket(), Quota { per_minute: 40 });
    let calls = (0..8).map(|_| {
        let limiter = harness.limiter.clone();
        tokio::spawn(async move {
            let mut allowed = 0;
            for _ in 0..20 {
                allowed += u32::from(limiter.take(bucket, quota).await.expect("the limiter answers").allowed);
            }
            allowed
        })
    });
    let mut allowed = 0;
    for call in calls.collect::<Vec<_>>() {
        allowed += call.await.expect("no call panics");
    }
    let grown = u32::try_from(harness.slack.as_nanos() * 40 / 60_000_000_000).expect("the slack is short");
    assert!((40..=40 + grown).contains(&allowed), "of 160 calls on 40 tokens, {allowed} were allowed");
}

/// Neither a refused call nor a look puts off the next token.
pub async fn a_refused_call_and_a_look_take_nothing<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let bucket = bucket();
    let before = harness.peek(bucket, QUOTA).await;
    assert_eq!(harness.peek(bucket, QUOTA).await, before, "looking twice");

    let refused = harness.empty(bucket, QUOTA).await;
    // With half a token there, a call that took something would put the next one off.
    (harness.pass)(refused.retry_after / 2).await;
    for _ in 0..100 {
        let decisions = (harness.take(bucket, QUOTA).await, harness.peek(bucket, QUOTA).await);
        let early = decisions.0.allowed || decisions.1.allowed;
        assert!(!early || harness.slack >= INTERVAL / 4, "half a token is none: {decisions:?}");
    }
    (harness.pass)(refused.retry_after / 2).await;
    assert!(harness.peek(bucket, QUOTA).await.allowed, "a look once a token is there");
    assert!(harness.take(bucket, QUOTA).await.allowed, "a token, however often it was refused before");
}

/// One caller's emptiness is not another's.
pub async fn buckets_do_not_share_tokens<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    harness.empty(bucket(), QUOTA).await;
    let other = harness.take(bucket(), QUOTA).await;
    assert_eq!(other.remaining, QUOTA.per_minute - 1, "another bucket");
}

/// However many others come, a bucket that was drawn from stays drawn from.
pub async fn a_bucket_that_is_not_full_is_not_forgotten<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let (bucket, slow) = (bucket(), Quota { per_minute: 2 });
    harness.empty(bucket, slow).await;
    for _ in 0..harness.crowd {
        harness.take(self::bucket(), slow).await;
        // Each time, for a limiter without room may have the bucket share later, and hide that it forgot it.
        assert!(!harness.peek(bucket, slow).await.allowed, "an empty bucket was forgotten");
    }
    assert!(!harness.take(bucket, slow).await.allowed, "an empty bucket, after {} others", harness.crowd);
}

/// 0 a minute means without limit.
pub async fn a_quota_without_limit_never_refuses<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let (bucket, unlimited) = (bucket(), Quota { per_minute: 0 });
    for _ in 0..1_000 {
        assert_eq!(harness.take(bucket, unlimited).await, Decision::UNLIMITED);
    }
    assert_eq!(harness.peek(bucket, unlimited).await, Decision::UNLIMITED);
    assert_eq!(harness.take(bucket, QUOTA).await.remaining, QUOTA.per_minute - 1, "once there is a limit");
}

/// A higher quota adds what it has more; a lower one leaves at most what it holds.
pub async fn tokens_taken_stay_taken_when_the_quota_changes<P: AsyncFn(Duration)>(harness: &Harness<P>) {
    let (low, high) = (Quota { per_minute: 10 }, Quota { per_minute: 30 });
    let raised = bucket();
    harness.empty(raised, low).await;
    let after = harness.take(raised, high).await;
    assert!(after.allowed && (19..=20).contains(&after.remaining), "10 of 10 taken, then 1 of 30: {after:?}");

    let lowered = bucket();
    for _ in 0..25 {
        harness.take(lowered, high).await;
    }
    let after = harness.peek(lowered, low).await;
    assert_eq!((after.allowed, after.limit, after.remaining), (false, 10, 0), "25 of 30 taken, then 10 a minute");
    assert!(after.retry_after <= Duration::from_secs(6), "the next token comes at the new pace: {after:?}");
}
