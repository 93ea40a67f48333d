//! Group commit in memory.

use async_trait::async_trait;

use super::MemoryStore;
use super::store::MemoryTables;
use crate::{
    AdmissionRecord, AppendRecord, ClaimRecord, CommitOutcome, Conflict, EndingRecord, Error, GroupCommit, JournalEntry,
};
use antiphon_domain::Timestamp;
use antiphon_protocol::Status;

impl MemoryTables {
    fn apply(&mut self, entry: &JournalEntry, now: Timestamp) -> CommitOutcome {
        match entry {
            JournalEntry::Admit(admission) => self.admit(admission),
            JournalEntry::Append(append) => self.append(append),
            JournalEntry::End(ending) => self.end(ending),
            JournalEntry::Claim(claim) => self.claim(claim, now),
            JournalEntry::Delete(id) => {
                self.responses.delete(*id);
                CommitOutcome::Committed
            }
        }
    }

    fn admit(&mut self, admission: &AdmissionRecord) -> CommitOutcome {
        if let Some(response) = self.responses.get(admission.row.id) {
            let same = response.row.same_admission(&admission.row)
                && admission.segment.as_ref().is_none_or(|first| response.has(first));
            return if same { CommitOutcome::Committed } else { CommitOutcome::Conflict(Conflict::Position) };
        }
        if !self.idempotency_keys.is_free_for(admission) {
            return CommitOutcome::Conflict(Conflict::KeyTaken);
        }
        self.idempotency_keys.claim(admission);
        self.responses.insert(admission);
        CommitOutcome::Committed
    }

    fn append(&mut self, append: &AppendRecord) -> CommitOutcome {
        let segment = &append.segment;
        match self.responses.get_mut(segment.response) {
            Some(response) if response.is_owned_by(append.epoch) && response.is_continued_by(append.after, segment) => {
                response.append(segment);
                if append.begins {
                    response.row.status = Status::InProgress;
                }
                CommitOutcome::Committed
            }
            Some(response) if response.has(segment) => CommitOutcome::Committed,
            response => CommitOutcome::Conflict(Conflict::of(response.map(|response| &response.row), append.epoch)),
        }
    }

    fn end(&mut self, ending: &EndingRecord) -> CommitOutcome {
        let Some(response) = self.responses.get_mut(ending.id) else {
            return CommitOutcome::Conflict(Conflict::Missing);
        };
        if !response.is_owned_by(ending.epoch) {
            let ended_so = match &ending.last_segment {
                Some(last) => response.has(&last.segment),
                None => response.row.ended_by(ending),
            };
            let conflict = Conflict::of(Some(&response.row), ending.epoch);
            let committed = conflict == Conflict::Ended && ended_so;
            return if committed { CommitOutcome::Committed } else { CommitOutcome::Conflict(conflict) };
        }
        if !response.can_end_with(ending) {
            return CommitOutcome::Conflict(Conflict::Position);
        }
        response.end(ending);
        ending.usage.iter().for_each(|record| self.usage_records.add(record));
        if ending.releases_key {
            self.idempotency_keys.release(ending.id);
        }
        CommitOutcome::Committed
    }

    fn claim(&mut self, claim: &ClaimRecord, now: Timestamp) -> CommitOutcome {
        let Some(response) = self.responses.get_mut(claim.id) else {
            return CommitOutcome::Conflict(Conflict::Missing);
        };
        let row = &mut response.row;
        if row.status.is_terminal() {
            return CommitOutcome::Conflict(Conflict::Ended);
        }
        if row.claimed_by(claim) {
            return CommitOutcome::Committed;
        }
        let claimant_has_lease = self.nodes.has_lease_as(&claim.node, claim.epoch, now);
        let owner_is_gone = row.node == claim.node || !self.nodes.has_lease(&row.node, now);
        if row.epoch != claim.from_epoch || !claimant_has_lease || !owner_is_gone {
            return CommitOutcome::Conflict(Conflict::Owner);
        }
        row.node.clone_from(&claim.node);
        row.epoch = claim.epoch;
        row.fold_version = row.fold_version.max(claim.fold_version);
        CommitOutcome::Committed
    }
}

#[async_trait]
impl GroupCommit for MemoryStore {
    async fn commit(&self, group: &[JournalEntry]) -> Result<Vec<CommitOutcome>, Error> {
        let mut tables = self.tables();
        let now = self.now();
        Ok(group.iter().map(|entry| tables.apply(entry, now)).collect())
    }

    async fn ping(&self) -> Result<(), Error> {
        Ok(())
    }
}
