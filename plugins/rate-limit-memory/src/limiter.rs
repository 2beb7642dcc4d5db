use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use uuid::Uuid;
use wasmwiz_core::{
    Result,
    rate_limit::{Decision, Quota, RateLimiter},
    system::Clock,
};

use crate::{
    config::MemoryConfig,
    table::{Place, Table},
};

/// A minute in nanoseconds.
const MINUTE: u64 = 60_000_000_000;

/// Counts in this process's memory, on the monotonic clock.
pub struct MemoryLimiter {
    clock: Arc<dyn Clock>,
    table: Table,
    /// When the next warning of a full table may be written, so that a crowd does not fill the log too.
    warn_at: AtomicU64,
}

impl fmt::Debug for MemoryLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryLimiter")
    }
}

impl MemoryLimiter {
    /// Start with every bucket full.
    pub fn new(config: &MemoryConfig, clock: Arc<dyn Clock>) -> Self {
        Self { clock, table: Table::new(config.max_buckets), warn_at: AtomicU64::new(0) }
    }

    /// Nanoseconds; 64 bits last for 584 years of uptime.
    fn now(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
    }

    fn place(&self, bucket: Uuid, now: u64, quota: Quota) -> Place<'_> {
        self.table.place(bucket, now, quota.per_minute)
    }

    fn warn(&self, now: u64) {
        let due = self.warn_at.load(Ordering::Relaxed);
        let next = now.saturating_add(MINUTE);
        if now >= due && self.warn_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(
                "more callers within a minute than rate_limit.memory.max_buckets has room for; newcomers share buckets"
            );
        }
    }
}

#[async_trait]
impl RateLimiter for MemoryLimiter {
    async fn take(&self, bucket: Uuid, quota: Quota) -> Result<Decision> {
        if quota.per_minute == 0 {
            return Ok(Decision::UNLIMITED);
        }
        let now = self.now();
        let mut place = self.place(bucket, now, quota);
        let decision = place.bucket().take();
        let shared = place.is_shared();
        drop(place);
        if shared {
            self.warn(now);
        }
        Ok(decision)
    }

    async fn peek(&self, bucket: Uuid, quota: Quota) -> Result<Decision> {
        if quota.per_minute == 0 {
            return Ok(Decision::UNLIMITED);
        }
        Ok(self.place(bucket, self.now(), quota).look().look())
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wasmwiz_core::testing::{ManualClock, manual_system};

    use super::*;

    const QUOTA: Quota = Quota { per_minute: 10 };

    fn limiter(max_buckets: usize) -> (MemoryLimiter, Arc<ManualClock>) {
        let (system, clock) = manual_system();
        (MemoryLimiter::new(&MemoryConfig { max_buckets }, system.clock), clock)
    }

    async fn take(limiter: &MemoryLimiter, id: u128) -> Decision {
        limiter.take(Uuid::from_u128(id), QUOTA).await.unwrap()
    }

    #[tokio::test]
    async fn looking_and_quotas_without_limit_make_no_bucket() {
        let (limiter, _) = limiter(100);
        limiter.peek(Uuid::from_u128(1), QUOTA).await.unwrap();
        limiter.take(Uuid::from_u128(2), Quota { per_minute: 0 }).await.unwrap();
        assert_eq!(limiter.table.len(), 0);
    }

    #[tokio::test]
    async fn the_number_of_buckets_is_bounded_whoever_comes() {
        for max_buckets in [1, 100, 5_000] {
            let (limiter, _) = limiter(max_buckets);
            for id in 0..20_000 {
                take(&limiter, id).await;
            }
            // 16 shared ones for each of at most 4 shards.
            assert!((max_buckets..=max_buckets + 64).contains(&limiter.table.len()), "{}", limiter.table.len());
        }
    }

    #[tokio::test]
    async fn full_buckets_make_room_and_newcomers_get_their_own() {
        let (limiter, clock) = limiter(100);
        for id in 0..100 {
            take(&limiter, id).await;
        }
        clock.advance(Duration::from_secs(6));
        for id in 1_000..1_100 {
            assert_eq!(take(&limiter, id).await.remaining, 9, "a bucket of its own");
        }
        assert_eq!(limiter.table.len(), 100);
    }

    #[tokio::test]
    async fn newcomers_without_room_share_and_are_limited_together() {
        let (limiter, _) = limiter(10);
        for id in 0..10 {
            while take(&limiter, id).await.allowed {}
        }
        let mut allowed = 0;
        for id in 1_000..11_000 {
            allowed += u32::from(take(&limiter, id).await.allowed);
        }
        assert_eq!(allowed, 160, "16 shared buckets of 10");
        let pro = limiter.take(Uuid::from_u128(1_000), Quota { per_minute: 1_000 }).await.unwrap();
        assert_eq!(pro.remaining, 999, "another quota is not concerned");
        for id in 0..10 {
            assert!(!take(&limiter, id).await.allowed, "who was there stays counted");
        }
    }
}
