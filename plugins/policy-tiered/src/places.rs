use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use uuid::Uuid;

/// How many executions each user has running. Holds only users who have any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<HashMap<Uuid, usize>>>);

/// A place taken, given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    user: Uuid,
}

impl Places {
    /// Take a place of the user's, if fewer than `most` are taken.
    ///
    /// # Errors
    /// How many are taken.
    pub(crate) fn take(&self, user: Uuid, most: usize) -> Result<Place, usize> {
        // One lock for all: it is held for some 50 ns, once at the start and once at the end of an execution.
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = running.get(&user).copied().unwrap_or(0);
        if taken >= most {
            return Err(taken);
        }
        running.insert(user, taken + 1);
        Ok(Place { places: self.clone(), user })
    }

    #[cfg(test)]
    pub(crate) fn users(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = running.get_mut(&self.user) {
            *taken -= 1;
            if *taken == 0 {
                running.remove(&self.user);
            }
        }
    }
}
