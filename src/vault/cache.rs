//! Unwrapped data keys in memory: a bounded number, for a bounded time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::UserKey;
use crate::protocol::UserId;

/// How many users' keys are kept at most.
const CAPACITY: usize = 10_000;

/// How long a key is used before it is read from the database again, so that the key of a user who was deleted by
/// another process is dropped here as well.
const MAX_AGE: Duration = Duration::from_secs(60);

/// Two generations: when the young one is full it becomes the old one, whose unused keys are forgotten.
/// That keeps what is used often, at constant cost.
#[derive(Default)]
pub(super) struct Cache {
    young: HashMap<UserId, CachedKey>,
    old: HashMap<UserId, CachedKey>,
}

#[derive(Clone)]
struct CachedKey {
    key: UserKey,
    read_at: Instant,
}

impl Cache {
    pub(super) fn get(&mut self, user: UserId) -> Option<UserKey> {
        let entry = match self.young.get(&user) {
            Some(entry) => entry.clone(),
            None => self.old.remove(&user)?,
        };
        if entry.read_at.elapsed() > MAX_AGE {
            self.remove(user);
            return None;
        }
        let key = entry.key.clone();
        self.insert_cached(user, entry);
        Some(key)
    }

    pub(super) fn insert(&mut self, user: UserId, key: UserKey) {
        self.insert_cached(user, CachedKey { key, read_at: Instant::now() });
    }

    pub(super) fn remove(&mut self, user: UserId) {
        self.young.remove(&user);
        self.old.remove(&user);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    fn insert_cached(&mut self, user: UserId, entry: CachedKey) {
        if self.young.len() >= CAPACITY / 2 && !self.young.contains_key(&user) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(user, entry);
    }
}
