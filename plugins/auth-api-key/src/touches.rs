use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use uuid::Uuid;
use wasmwiz_core::{api_key::ApiKey, error::chain, storage::Storage};

/// Notes that wait to be written. With more, the next use of the key is noted instead.
const WAITING: usize = 256;
/// The most keys written down as noted, so that memory stays bounded; beyond it, some are noted twice in a minute.
const REMEMBERED: usize = 100_000;

fn a_minute() -> TimeDelta {
    TimeDelta::minutes(1)
}

/// Notes when keys were used: in the background, at most once a minute for each key, and no request fails for it.
#[derive(Clone)]
pub(crate) struct Touches(mpsc::Sender<(Uuid, DateTime<Utc>)>);

impl Touches {
    /// Start the one task that writes; it ends with the last clone of what this gives.
    pub(crate) fn start(storage: Arc<dyn Storage>) -> Self {
        let (sender, notes) = mpsc::channel(WAITING);
        tokio::spawn(write(storage, notes));
        Self(sender)
    }

    /// Note that `key`, as it was just read, is used `now`.
    pub(crate) fn note(&self, key: &ApiKey, now: DateTime<Utc>) {
        if key.last_used_at.is_none_or(|last| now - last >= a_minute()) {
            // A full queue drops the note; the next look-up finds the key still due.
            let _ = self.0.try_send((key.id, now));
        }
    }
}

async fn write(storage: Arc<dyn Storage>, mut notes: mpsc::Receiver<(Uuid, DateTime<Utc>)>) {
    // Simultaneous look-ups of one key all find it due; this tells them apart from look-ups a minute later.
    let (mut noted, mut since) = (HashSet::new(), DateTime::<Utc>::MIN_UTC);
    while let Some((id, now)) = notes.recv().await {
        if now - since >= a_minute() || noted.len() >= REMEMBERED {
            noted.clear();
            since = now;
        }
        if noted.contains(&id) {
            continue;
        }
        match storage.touch_api_key(id, now).await {
            Ok(()) => {
                noted.insert(id);
            }
            // Whoever reads the storage's own errors knows; a line a second for every key would tell them no more.
            Err(error) => tracing::debug!(key = %id, error = chain(&error), "the use of a key was not noted"),
        }
    }
}
