use std::{
    collections::HashMap,
    hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use crate::bucket::Bucket;

/// Locks, so that callers seldom wait for each other.
const MAX_SHARDS: usize = 64;
/// A shard with less room would be full long before the others are.
const MIN_PER_SHARD: usize = 1_024;
/// Shared buckets of a shard, for each quota.
const SHARED: u64 = 16;
/// The least time between two sweeps of a shard that is full, in nanoseconds: a sweep of 1,600 buckets takes about
/// 10 us, so that a crowd of newcomers costs next to nothing.
const SWEEP_GAP: u64 = 100_000_000;

/// A bucket's key: whose it is, and the hash of that, made once for shard, search and insertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    owner: Owner,
    hash: u64,
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// Gives a [`Name`] the hash it has.
#[derive(Debug, Default)]
struct Made(u64);

impl Hasher for Made {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // A `Name` writes nothing but its hash; whatever else came would have to count, too.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Whose a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Owner {
    One(Uuid),
    /// Of everybody of a quota who came when there was no room. By quota, so that no pro empties it for the free.
    Shared {
        slot: u64,
        per_minute: u32,
    },
}

/// Buckets by name, bounded in number.
///
/// A bucket that is full is indistinguishable from a new one and forgotten when room is needed; every bucket is full
/// after a minute of rest. So the table is out of room only while more callers than it has places have been active
/// within a minute. Then forgetting any bucket would hand its owner free tokens, and turning newcomers away would let
/// a crowd lock out everybody else: newcomers share some buckets instead, as if their shares were one caller's.
#[derive(Debug)]
pub(crate) struct Table {
    shards: Box<[Mutex<Shard>]>,
    per_shard: usize,
    /// Keyed at random: callers cannot choose ids that meet in one shard.
    hasher: RandomState,
}

#[derive(Debug, Default)]
pub(crate) struct Shard {
    buckets: HashMap<Name, Bucket, BuildHasherDefault<Made>>,
    /// Not before this time is it worth looking for full buckets again.
    sweep_at: u64,
}

/// A bucket's place: the locked shard, and its name there.
pub(crate) struct Place<'a> {
    shard: MutexGuard<'a, Shard>,
    name: Name,
    now: u64,
    per_minute: u32,
}

impl Table {
    pub(crate) fn new(max_buckets: usize) -> Self {
        let shards = (max_buckets / MIN_PER_SHARD).clamp(1, MAX_SHARDS);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            per_shard: max_buckets / shards,
            hasher: RandomState::new(),
        }
    }

    /// Find the place of a caller's bucket at `now`.
    pub(crate) fn place(&self, id: Uuid, now: u64, per_minute: u32) -> Place<'_> {
        let own = self.name(Owner::One(id));
        // Bits that the shard's own table looks at last. The remainder is below the number of shards, so it fits.
        let shard = &self.shards[((own.hash >> 32) % self.shards.len() as u64) as usize];
        // Nothing that runs under the lock can leave a shard half changed.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if shard.buckets.contains_key(&own) || shard.has_room(now, self.per_shard) {
            own
        } else {
            self.name(Owner::Shared { slot: (own.hash >> 48) % SHARED, per_minute })
        };
        Place { shard, name, now, per_minute }
    }

    fn name(&self, owner: Owner) -> Name {
        Name { owner, hash: self.hasher.hash_one(owner) }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum()
    }
}

impl Shard {
    fn has_room(&mut self, now: u64, limit: usize) -> bool {
        if self.buckets.len() < limit {
            return true;
        }
        if now >= self.sweep_at {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            self.sweep_at = now.saturating_add(SWEEP_GAP);
        }
        self.buckets.len() < limit
    }
}

impl Place<'_> {
    /// Whether the bucket is shared for want of room.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.name.owner, Owner::Shared { .. })
    }

    /// The bucket as it stands, made if need be.
    pub(crate) fn bucket(&mut self) -> &mut Bucket {
        let (now, per_minute) = (self.now, self.per_minute);
        let bucket = self.shard.buckets.entry(self.name).or_insert_with(|| Bucket::full(now, per_minute));
        bucket.settle(now, per_minute);
        bucket
    }

    /// What the bucket would be, without making one.
    pub(crate) fn look(&self) -> Bucket {
        let found = self.shard.buckets.get(&self.name).copied();
        let mut bucket = found.unwrap_or_else(|| Bucket::full(self.now, self.per_minute));
        bucket.settle(self.now, self.per_minute);
        bucket
    }
}
