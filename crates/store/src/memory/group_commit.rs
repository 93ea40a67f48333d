//! Group commit in memory.

use async_trait::async_trait;

use super::MemoryStore;
use super::store::MemoryTables;
use crate::{
    AdmissionContext, AdmissionDecision, AdmissionRecord, AppendRecord, ClaimRecord, CommitOutcome, Conflict,
    EndingRecord, Error, GroupCommit, JournalEntry,
};
use antiphon_domain::Timestamp;

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
        let response = self.responses.get(admission.row.id);
        let context = AdmissionContext {
            row: response.map(|response| &response.row),
            key: self.idempotency_keys.state_for(admission),
            has_user: self.accounts.has_user(admission.row.user),
            has_previous: admission.row.previous.is_none_or(|previous| self.responses.get(previous).is_some()),
        };
        match admission.decide(&context) {
            AdmissionDecision::Compare { same_row } => {
                let has = |first| response.is_some_and(|response| response.has(first));
                let same = same_row && admission.segment.as_ref().is_none_or(has);
                if same { CommitOutcome::Committed } else { CommitOutcome::Conflict(Conflict::Position) }
            }
            AdmissionDecision::Refuse(conflict) => CommitOutcome::Conflict(conflict),
            AdmissionDecision::Write => {
                self.idempotency_keys.claim(admission);
                self.responses.insert(admission);
                CommitOutcome::Committed
            }
        }
    }

    fn append(&mut self, append: &AppendRecord) -> CommitOutcome {
        let segment = &append.segment;
        match self.responses.get_mut(segment.response) {
            Some(response)
                if response.row.is_owned_by(append.epoch) && response.is_continued_by(append.after, segment) =>
            {
                response.append(segment);
                if append.begins {
                    response.row.begin();
                }
                CommitOutcome::Committed
            }
            Some(response) if response.has(segment) => CommitOutcome::Committed,
            response => CommitOutcome::Conflict(Conflict::of(response.map(|response| &response.row), append.epoch)),
        }
    }

    fn end(&mut self, ending: &EndingRecord) -> CommitOutcome {
        let response = self.responses.get_mut(ending.id);
        let has = |last| response.as_ref().is_some_and(|response| response.has_or_takes(last));
        let has_segment = ending.last_segment.as_ref().is_none_or(has);
        if let Err(outcome) = ending.decide(response.as_ref().map(|response| &response.row), has_segment) {
            return outcome;
        }
        let Some(response) = response.filter(|response| response.has_room_for(&ending.items)) else {
            return CommitOutcome::Conflict(Conflict::Position);
        };
        response.end(ending);
        ending.usage.iter().for_each(|record| self.usage_records.add(record));
        if ending.releases_key {
            self.idempotency_keys.release(ending.id);
        }
        CommitOutcome::Committed
    }

    fn claim(&mut self, claim: &ClaimRecord, now: Timestamp) -> CommitOutcome {
        let Some(response) = self.responses.get_mut(claim.id) else { return claim.refused(None) };
        let row = &response.row;
        let claimant_has_lease = self.nodes.has_lease_as(&claim.node, claim.epoch, now);
        let owner_is_gone = row.node == claim.node || !self.nodes.has_lease(&row.node, now);
        if !row.is_owned_by(claim.from_epoch) || !claimant_has_lease || !owner_is_gone {
            return claim.refused(Some(row));
        }
        response.take_over(claim);
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
