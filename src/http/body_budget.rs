//! What bodies, of requests or of answers, may take of memory, for each API key and in all.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;

#[cfg(test)]
mod tests;

/// What bodies take, of requests or of answers, and how often there was no room for one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BodyMetrics {
    /// The bytes that are taken at the moment.
    pub held_bytes: usize,
    /// Requests that were refused because there was no room left for their key.
    pub refused_by_key: u64,
    /// Requests that were refused because the server had no room left.
    pub refused_by_node: u64,
}

/// Where there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LackOfRoom {
    /// The API key has taken all that one key may take.
    OfKey,
    /// All keys together have taken all that there is.
    OfNode,
}

/// Decides who gets how many bytes.
#[derive(Debug)]
struct BodyBudget {
    most: usize,
    most_of_key: usize,
    keys: HashMap<Arc<str>, usize>,
    metrics: BodyMetrics,
}

impl BodyBudget {
    fn new(most: usize, most_of_key: usize) -> Self {
        Self { most, most_of_key, keys: HashMap::new(), metrics: BodyMetrics::default() }
    }

    fn take(&mut self, key: &Arc<str>, bytes: usize) -> Result<(), LackOfRoom> {
        let of_key = self.keys.get(key).copied().unwrap_or_default();
        if bytes > self.most_of_key.saturating_sub(of_key) {
            self.metrics.refused_by_key += 1;
            return Err(LackOfRoom::OfKey);
        }
        if bytes > self.most.saturating_sub(self.metrics.held_bytes) {
            self.metrics.refused_by_node += 1;
            return Err(LackOfRoom::OfNode);
        }
        if bytes > 0 {
            self.keys.insert(Arc::clone(key), of_key + bytes);
            self.metrics.held_bytes += bytes;
        }
        Ok(())
    }

    fn give_back(&mut self, key: &Arc<str>, bytes: usize) {
        self.metrics.held_bytes -= bytes;
        let Some(of_key) = self.keys.get_mut(key) else { return };
        *of_key -= bytes;
        if *of_key == 0 {
            self.keys.remove(key);
        }
    }
}

/// A budget of a node. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct SharedBodyBudget(Arc<Mutex<BodyBudget>>);

impl SharedBodyBudget {
    /// So many bytes in all, and so many for one key.
    pub(super) fn new(most: usize, most_of_key: usize) -> Self {
        Self(Arc::new(Mutex::new(BodyBudget::new(most, most_of_key))))
    }

    /// Room for a request of that key, or for its answer; none of it is taken yet.
    pub(super) fn room(&self, key: &str) -> BodyRoom {
        BodyRoom { budget: self.clone(), key: key.into(), bytes: AtomicUsize::new(0) }
    }

    pub(super) fn metrics(&self) -> BodyMetrics {
        self.0.lock().metrics
    }
}

/// What one body has taken. Dropping it gives all of it back.
#[derive(Debug)]
pub(super) struct BodyRoom {
    budget: SharedBodyBudget,
    key: Arc<str>,
    bytes: AtomicUsize,
}

impl BodyRoom {
    /// Takes so many bytes more.
    pub(super) fn take(&self, bytes: usize) -> Result<(), LackOfRoom> {
        self.budget.0.lock().take(&self.key, bytes)?;
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for BodyRoom {
    fn drop(&mut self) {
        self.budget.0.lock().give_back(&self.key, *self.bytes.get_mut());
    }
}
