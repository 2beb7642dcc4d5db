//! Clock and randomness, passed in, so that whoever runs this code decides what time it is.

use std::{
    fmt::Debug,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, Utc};
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The wall-clock time, to the microsecond, as databases keep it.
    fn now(&self) -> DateTime<Utc>;

    /// Time since an arbitrary point; never goes back.
    fn monotonic(&self) -> Duration;
}

/// Gives unpredictable bytes, fit for secrets.
pub trait Random: Debug + Send + Sync {
    /// Fill `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The machine's own clock.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the machine's clock")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// The operating system's random number generator.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness no key, id or guest can be served; getrandom(2) fails only on systems without it.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// What every plugin is handed: time, randomness and a place for files.
#[derive(Clone, Debug)]
pub struct System {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub random: Arc<dyn Random>,
    /// The server's data folder; `None` when nothing may be written (`wasmwiz run`).
    pub data_dir: Option<std::path::PathBuf>,
}

impl System {
    /// Use the machine's clock and randomness, and keep files under `data_dir`.
    pub fn new(data_dir: Option<std::path::PathBuf>) -> Self {
        Self { clock: Arc::new(SystemClock::default()), random: Arc::new(SystemRandom), data_dir }
    }

    /// Make a UUID v7 (RFC 9562 section 5.7) of the present time, so that ids sort by age. The twelve bits after the
    /// milliseconds are the part of the millisecond (section 6.2, method 3): what is made quickly one after the other
    /// sorts as well.
    pub fn new_id(&self) -> Uuid {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        let now = self.clock.now();
        let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
        let part = now.timestamp_subsec_micros() % 1000 * 4096 / 1000;
        random[..2].copy_from_slice(&part.to_be_bytes()[2..]);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    /// A microsecond later each time it is asked.
    #[derive(Debug)]
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_micros(self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn ids_that_are_made_within_a_millisecond_sort_by_age() {
        let clock = Arc::new(Ticking(AtomicI64::new(1_800_000_000_000_000)));
        let system = System { clock, ..System::new(None) };
        let ids: Vec<Uuid> = (0..2500).map(|_| system.new_id()).collect();
        assert!(ids.is_sorted());
        let (seconds, nanos) = ids[1999].get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_800_000_000, 1_000_000));
    }
}
