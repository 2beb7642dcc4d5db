//! The machine's memory, shared among executions.
//!
//! Most guests are small and are never asked to wait. One that grows beyond `small_bytes` reserves its whole limit at
//! once, in the order of asking, and waits until that much is free: whoever has a reservation can use all of it, so
//! executions never wait for each other in a circle, and any number of memory hogs cost the machine no more than the
//! pool.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::stop::Stop;

/// The unit in which the semaphore counts.
const UNIT: u64 = 64 * 1024;

/// The memory that large executions share.
#[derive(Debug)]
pub(crate) struct MemoryPool {
    units: u32,
    free: Arc<Semaphore>,
    small_bytes: u64,
    patience: Duration,
}

/// A place among the large executions.
pub(crate) type Reservation = OwnedSemaphorePermit;

impl MemoryPool {
    /// Make a pool of `bytes`, besides the `small_bytes` that every execution has. Nobody waits longer than `patience`.
    pub(crate) fn new(bytes: u64, small_bytes: u64, patience: Duration) -> Self {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).max(1);
        Self { units, free: Arc::new(Semaphore::new(units as usize)), small_bytes, patience }
    }

    /// What an execution has without asking.
    pub(crate) fn small_bytes(&self) -> u64 {
        self.small_bytes
    }

    /// Reserve `bytes`, or all there is if that is less. `None` when they were not free in time.
    pub(crate) fn reserve(&self, bytes: u64, stop: &Arc<Stop>) -> Option<Reservation> {
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        let until = Instant::now() + self.patience;
        stop.block_on(Some(until), self.free.clone().acquire_many_owned(units)).ok().flatten()?.ok()
    }
}
