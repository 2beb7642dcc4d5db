use std::time::Duration;

use wasmwiz_core::rate_limit::Decision;

/// The unit of time, in nanoseconds: the shortest with which the largest quota still counts in 64 bits.
const TICK: u64 = 16;
/// A token in the unit that buckets count in. A bucket of n tokens a minute gains n units a tick, so that whole numbers
/// are exact whatever n is; kept in tokens, or in nanoseconds a token, 7 a minute would drift.
const TOKEN: u64 = 60_000_000_000 / TICK;

/// A token bucket: what is missing from it, and since when that is so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    missing: u64,
    /// Ticks of the monotonic clock.
    at: u64,
    per_minute: u32,
}

impl Bucket {
    /// Make a full bucket. Times are in nanoseconds here, too.
    pub(crate) fn full(now: u64, per_minute: u32) -> Self {
        Self { missing: 0, at: now / TICK, per_minute }
    }

    pub(crate) fn is_full(&self, now: u64) -> bool {
        self.missing_at(now / TICK) == 0
    }

    /// Let time pass until `now`, and go on with `per_minute` from there. What is missing stays missing, at most as
    /// much as the bucket now holds.
    pub(crate) fn settle(&mut self, now: u64, per_minute: u32) {
        let now = now / TICK;
        self.missing = self.missing_at(now);
        // A caller that read the clock first may come second.
        self.at = self.at.max(now);
        self.per_minute = per_minute;
        self.missing = self.missing.min(self.capacity());
    }

    /// Take a token, if there is one.
    pub(crate) fn take(&mut self) -> Decision {
        let allowed = self.has_token();
        if allowed {
            self.missing += TOKEN;
        }
        self.decision(allowed)
    }

    /// Say how the bucket stands.
    pub(crate) fn look(&self) -> Decision {
        self.decision(self.has_token())
    }

    fn has_token(&self) -> bool {
        self.capacity() - self.missing >= TOKEN
    }

    fn decision(&self, allowed: bool) -> Decision {
        let left = self.capacity() - self.missing;
        Decision {
            allowed,
            limit: self.per_minute,
            remaining: u32::try_from(left / TOKEN).unwrap_or(self.per_minute),
            reset: self.time_to_gain(self.missing),
            retry_after: if allowed { Duration::ZERO } else { self.time_to_gain(TOKEN - left) },
        }
    }

    /// At most 2^32 * 3.75e9, which is below 2^64.
    fn capacity(&self) -> u64 {
        u64::from(self.per_minute) * TOKEN
    }

    fn missing_at(&self, tick: u64) -> u64 {
        let passed = tick.saturating_sub(self.at);
        self.missing.saturating_sub(passed.saturating_mul(u64::from(self.per_minute)))
    }

    /// Rounded up: whoever waits as long as they were told finds what they wait for. At most a minute, for a bucket
    /// holds what it gains in one.
    fn time_to_gain(&self, units: u64) -> Duration {
        Duration::from_nanos(units.div_ceil(u64::from(self.per_minute)) * TICK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_gives_exactly_as_many_tokens_as_sixty_minutes_have() {
        for per_minute in [7, 59, 1_000, 1_000_003] {
            let mut bucket = Bucket::full(0, per_minute);
            while bucket.take().allowed {}
            // Steps that fit neither a token's time nor each other.
            let (mut now, mut taken, end) = (0, 0, 3_600_000_000_000);
            for step in (0_u64..).map(|n| 1_000_003 + n * 7_919 % 50_000_017) {
                now = end.min(now + step);
                bucket.settle(now, per_minute);
                while bucket.take().allowed {
                    taken += 1;
                }
                if now == end {
                    break;
                }
            }
            assert_eq!(taken, u64::from(per_minute) * 60, "{per_minute} a minute");
        }
    }

    #[test]
    fn whoever_waits_as_told_finds_a_token_and_not_a_tick_earlier() {
        for per_minute in [1, 7, 11, 999, u32::MAX] {
            let mut bucket = Bucket { missing: u64::from(per_minute) * TOKEN, at: 0, per_minute };
            let wait = u64::try_from(bucket.take().retry_after.as_nanos()).unwrap();
            let at = |now| {
                let mut later = bucket;
                later.settle(now, per_minute);
                later.look().allowed
            };
            assert!(at(wait) && !at(wait - 1), "{per_minute} a minute");
        }
    }

    #[test]
    fn a_caller_with_an_older_reading_of_the_clock_gains_nothing() {
        let mut bucket = Bucket::full(1_000, 2);
        bucket.settle(5_000, 2);
        bucket.take();
        bucket.settle(1_000, 2);
        assert_eq!(bucket.missing, TOKEN);
        bucket.settle(5_000, 2);
        assert_eq!(bucket.missing, TOKEN, "the same nanoseconds must not count twice");
    }

    #[test]
    fn the_largest_quota_and_the_longest_time_do_not_overflow() {
        let mut bucket = Bucket { missing: u64::from(u32::MAX) * TOKEN, at: 0, per_minute: u32::MAX };
        assert_eq!(bucket.look().reset, Duration::from_secs(60));
        bucket.settle(u64::MAX, u32::MAX);
        assert_eq!(bucket.take().remaining, u32::MAX - 1);
    }
}
