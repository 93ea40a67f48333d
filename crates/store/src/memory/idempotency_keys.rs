//! Idempotency keys in memory.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryStore;
use super::store::MemoryTables;
use crate::{AdmissionRecord, Error, IdempotencyKeyStore, IdempotencyRecord, KeyState};
use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, UserId};

/// The keys of each user.
#[derive(Default)]
pub(super) struct IdempotencyKeyTable(BTreeMap<(UserId, [u8; 32]), IdempotencyRecord>);

impl IdempotencyKeyTable {
    fn get(&self, user: UserId, key: &[u8; 32]) -> Option<IdempotencyRecord> {
        self.0.get(&(user, *key)).copied()
    }

    /// What the admission's key allows.
    pub(super) fn state_for(&self, admission: &AdmissionRecord) -> KeyState {
        let row = &admission.row;
        match admission.idempotency.and_then(|claimed| self.get(row.user, &claimed.key)) {
            None => KeyState::Free,
            Some(record) if record.response == row.id => KeyState::Own,
            Some(_) => KeyState::Taken,
        }
    }

    pub(super) fn claim(&mut self, admission: &AdmissionRecord) {
        let row = &admission.row;
        if let Some(claimed) = admission.idempotency {
            let record =
                IdempotencyRecord { response: row.id, fingerprint: claimed.fingerprint, created_at: row.created_at };
            self.0.insert((row.user, claimed.key), record);
        }
    }

    pub(super) fn release(&mut self, response: ResponseId) {
        self.0.retain(|_, record| record.response != response);
    }

    pub(super) fn delete_of_user(&mut self, user: UserId) {
        self.0.retain(|(owner, _), _| *owner != user);
    }

    /// Deletes the keys that were claimed before that time by responses that can't be read.
    fn forget(&mut self, before: Timestamp, is_readable: impl Fn(ResponseId) -> bool) -> usize {
        let all = self.0.len();
        self.0.retain(|_, record| record.created_at >= before || is_readable(record.response));
        all - self.0.len()
    }
}

#[async_trait]
impl IdempotencyKeyStore for MemoryStore {
    async fn idempotency_key(&self, user: UserId, key: &[u8; 32]) -> Result<Option<IdempotencyRecord>, Error> {
        Ok(self.tables().idempotency_keys.get(user, key))
    }

    async fn forget_idempotency_keys(&self, before: Timestamp) -> Result<u64, Error> {
        let MemoryTables { responses, idempotency_keys, .. } = &mut *self.tables();
        let is_readable = |id| responses.get(id).is_some_and(|response| response.row.stored);
        Ok(idempotency_keys.forget(before, is_readable) as u64)
    }
}
