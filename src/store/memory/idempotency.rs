//! Idempotency keys in memory.

use std::collections::BTreeMap;

use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::store::{AdmissionRecord, IdempotencyRecord};

/// The keys of each user.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<(UserId, [u8; 32]), IdempotencyRecord>);

impl Keys {
    pub(super) fn get(&self, user: UserId, key: &[u8; 32]) -> Option<IdempotencyRecord> {
        self.0.get(&(user, *key)).copied()
    }

    /// Whether the admission claims nothing that another response has.
    pub(super) fn are_free_for(&self, admission: &AdmissionRecord) -> bool {
        admission.claim.is_none_or(|claim| self.get(admission.row.user, &claim.key).is_none())
    }

    pub(super) fn claim(&mut self, admission: &AdmissionRecord) {
        let row = &admission.row;
        if let Some(claim) = admission.claim {
            let record =
                IdempotencyRecord { response: row.id, fingerprint: claim.fingerprint, created_at: row.created_at };
            self.0.insert((row.user, claim.key), record);
        }
    }

    pub(super) fn release(&mut self, response: ResponseId) {
        self.0.retain(|_, record| record.response != response);
    }

    pub(super) fn delete_user(&mut self, user: UserId) {
        self.0.retain(|(owner, _), _| *owner != user);
    }

    /// Forgets what was claimed before that time by responses that are not kept.
    pub(super) fn forget(&mut self, before: Timestamp, is_kept: impl Fn(ResponseId) -> bool) -> usize {
        let all = self.0.len();
        self.0.retain(|_, record| record.created_at >= before || is_kept(record.response));
        all - self.0.len()
    }
}
