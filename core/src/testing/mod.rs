//! What tests of plugins need: the contract suites, a clock that is set by hand, ready-made records.

pub mod fixtures;
pub mod suites;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeZone, Utc};

use crate::system::{Clock, System, SystemRandom};

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(Mutex<Duration>);

impl ManualClock {
    /// Let `time` pass.
    pub fn advance(&self, time: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        Utc.timestamp_opt(1_800_000_000, 0).single().unwrap_or_default() + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A system with a clock that is set by hand, and no data folder.
pub fn manual_system() -> (System, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    (System { clock: clock.clone(), random: Arc::new(SystemRandom), data_dir: None }, clock)
}
