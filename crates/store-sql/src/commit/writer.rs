//! Writing the rounds of a group, once the group has its locks.

use std::collections::HashSet;

use sea_orm::DatabaseTransaction;

use super::{
    GroupAttempt, Numbered,
    locks::LockedRows,
    round::{Round, first_segment, last_segment, next_segment},
};
use crate::{
    error::SqlError,
    idempotency_keys,
    responses::{self, NewSegment, StatusChange},
    usage_records,
};
use antiphon_fault_points::{FaultPoint, reach};
use antiphon_protocol::ResponseId;
use antiphon_store::{
    AdmissionDecision, AdmissionRecord, AppendRecord, ClaimRecord, CommitOutcome, Conflict, EndingRecord, Error,
    JournalEntry, Segment,
};

const COMMITTED: CommitOutcome = CommitOutcome::Committed;
const POSITION: CommitOutcome = CommitOutcome::Conflict(Conflict::Position);

/// Writes the rounds of a group in one transaction.
pub(super) struct GroupWriter<'a> {
    transaction: &'a DatabaseTransaction,
    locked: LockedRows,
    outcomes: Vec<Numbered<CommitOutcome>>,
    /// The outcomes of entries that are in conflict and have written something.
    spoilt: Vec<Numbered<CommitOutcome>>,
}

/// Which segments of a round are in the logs.
struct RoundSegments {
    /// Those that were added now.
    added: HashSet<ResponseId>,
    /// Those of the others that were there before, exactly so.
    present: HashSet<ResponseId>,
}

impl RoundSegments {
    fn has(&self, segment: &Segment) -> bool {
        self.added.contains(&segment.response) || self.present.contains(&segment.response)
    }
}

impl<'a> GroupWriter<'a> {
    pub(super) fn new(transaction: &'a DatabaseTransaction, locked: LockedRows) -> Self {
        Self { transaction, locked, outcomes: Vec::new(), spoilt: Vec::new() }
    }

    pub(super) fn is_spoilt(&self) -> bool {
        !self.spoilt.is_empty()
    }

    pub(super) fn finish(self) -> GroupAttempt {
        if self.spoilt.is_empty() { GroupAttempt::Written(self.outcomes) } else { GroupAttempt::Spoilt(self.spoilt) }
    }

    pub(super) async fn write(&mut self, entries: &[Numbered<&JournalEntry>]) -> Result<(), SqlError> {
        let round = Round::of(entries);
        let admitted = self.insert_rows(&round.admissions).await?;
        let segments = self.append(&round, &admitted).await?;
        self.settle_admissions(&round.admissions, &segments);
        let begun = self.settle_appends(&round.appends, &segments).await?;
        let ended = self.settle_endings(&round.endings, &segments);
        self.insert_items(&admitted, &ended).await?;
        self.set_statuses(&begun, &ended).await?;
        self.keep_accounts(&ended).await?;
        self.claim(&round.claims).await?;
        self.delete(&round.deletions).await
    }

    /// Inserts the rows of the admissions that nothing stands against, and returns those.
    async fn insert_rows<'e>(
        &self,
        admissions: &[Numbered<&'e AdmissionRecord>],
    ) -> Result<Vec<Numbered<&'e AdmissionRecord>>, SqlError> {
        let admitted: Vec<_> =
            admissions.iter().filter(|(_, one)| self.locked.decide(one) == AdmissionDecision::Write).copied().collect();
        let inserted = responses::insert_rows(self.transaction, admitted.iter().map(|(_, one)| *one)).await?;
        if inserted.len() != admitted.len() {
            // An earlier call with the same entries, whose answer was lost, has committed since the rows were read.
            return Err(SqlError::contended("a response appeared while it was admitted"));
        }
        if !admissions.is_empty() {
            reach(FaultPoint::AdmissionRowInserted);
        }
        Ok(admitted)
    }

    /// Adds the segments of the round to the logs, and looks for those that could not be added.
    async fn append(
        &self,
        round: &Round<'_>,
        admitted: &[Numbered<&AdmissionRecord>],
    ) -> Result<RoundSegments, SqlError> {
        let firsts = admitted.iter().filter_map(|(_, admission)| first_segment(admission));
        let middles = round.appends.iter().map(|(_, append)| next_segment(append));
        let owned = round.endings.iter().filter(|(_, ending)| self.owns(ending));
        let lasts = owned.filter_map(|(_, ending)| last_segment(ending));
        let added = responses::append(self.transaction, firsts.chain(middles).chain(lasts)).await?;
        if !round.appends.is_empty() {
            reach(FaultPoint::SegmentInserted);
        }
        if !round.endings.is_empty() {
            reach(FaultPoint::LastSegmentInserted);
        }
        let firsts = round.admissions.iter().filter_map(|(_, admission)| first_segment(admission));
        let middles = round.appends.iter().map(|(_, append)| next_segment(append));
        let lasts = round.endings.iter().filter_map(|(_, ending)| last_segment(ending));
        let all = firsts.chain(middles).chain(lasts).map(|new: NewSegment<'_>| new.segment);
        let missing: Vec<&Segment> = all.filter(|segment| !added.contains(&segment.response)).collect();
        let present = responses::present(self.transaction, &missing).await?;
        Ok(RoundSegments { added, present })
    }

    fn owns(&self, ending: &EndingRecord) -> bool {
        self.locked.row(ending.id).is_some_and(|row| row.is_owned_by(ending.epoch))
    }

    fn settle_admissions(&mut self, admissions: &[Numbered<&AdmissionRecord>], segments: &RoundSegments) {
        for &(position, admission) in admissions {
            let id = admission.row.id;
            let has_segment = admission.segment.as_ref().is_none_or(|first| segments.has(first));
            let decision = self.locked.decide(admission);
            let outcome = match decision {
                AdmissionDecision::Write | AdmissionDecision::Compare { same_row: true } if has_segment => COMMITTED,
                AdmissionDecision::Write | AdmissionDecision::Compare { .. } => POSITION,
                AdmissionDecision::Refuse(conflict) => CommitOutcome::Conflict(conflict),
            };
            let is_written = decision == AdmissionDecision::Write;
            let has_claimed = self.locked.keys.take_claim(id);
            let spoils = if is_written { outcome != COMMITTED } else { has_claimed };
            self.settle(position, outcome, spoils);
            if is_written {
                self.locked.rows_mut().insert(id, admission.row.clone());
            }
        }
    }

    fn settle(&mut self, position: usize, outcome: CommitOutcome, spoils: bool) {
        self.outcomes.push((position, outcome));
        if spoils {
            self.spoilt.push((position, outcome));
        }
    }

    /// Settles the appends, and returns those that a response begins with.
    async fn settle_appends<'e>(
        &mut self,
        appends: &[Numbered<&'e AppendRecord>],
        segments: &RoundSegments,
    ) -> Result<Vec<&'e AppendRecord>, SqlError> {
        let conflicts = appends.iter().filter(|(_, append)| !segments.has(&append.segment));
        if self.locked.rows.is_none() {
            let ids: Vec<ResponseId> = conflicts.map(|(_, append)| append.segment.response).collect();
            self.locked.rows = Some(responses::read_rows(self.transaction, ids).await?);
        }
        let mut begun = Vec::new();
        for &(position, append) in appends {
            let id = append.segment.response;
            let outcome = if segments.has(&append.segment) {
                COMMITTED
            } else {
                CommitOutcome::Conflict(Conflict::of(self.locked.row(id), append.epoch))
            };
            self.settle(position, outcome, false);
            if append.begins && segments.added.contains(&id) {
                begun.push(append);
                self.locked.rows_mut().entry(id).and_modify(|row| row.begin());
            }
        }
        Ok(begun)
    }

    /// Settles the endings, and returns those that are to be written.
    fn settle_endings<'e>(
        &mut self,
        endings: &[Numbered<&'e EndingRecord>],
        segments: &RoundSegments,
    ) -> Vec<Numbered<&'e EndingRecord>> {
        let mut ended = Vec::new();
        for &(position, ending) in endings {
            let has_segment = ending.last_segment.as_ref().is_none_or(|last| segments.has(&last.segment));
            if let Err(outcome) = ending.decide(self.locked.row(ending.id), has_segment) {
                self.settle(position, outcome, false);
                continue;
            }
            // Settled once its items are inserted.
            ended.push((position, ending));
            self.locked.rows_mut().entry(ending.id).and_modify(|row| row.end(ending));
        }
        ended
    }

    /// Inserts the input of new responses and the output of those that end.
    async fn insert_items(
        &mut self,
        admitted: &[Numbered<&AdmissionRecord>],
        ended: &[Numbered<&EndingRecord>],
    ) -> Result<(), SqlError> {
        let inputs = admitted.iter().map(|(position, admission)| (*position, admission.row.id, &admission.items));
        let outputs = ended.iter().map(|(position, ending)| (*position, ending.id, &ending.items));
        let all: Vec<_> = inputs.chain(outputs).collect();
        let items = all.iter().flat_map(|(_, _, items)| items.iter());
        let inserted = responses::insert_items(self.transaction, items).await?;
        for &(position, id, items) in &all {
            if inserted.get(&id).copied().unwrap_or_default() != items.len() {
                self.settle(position, POSITION, true);
            }
        }
        if !admitted.is_empty() {
            reach(FaultPoint::AdmissionWritten);
        }
        if !ended.is_empty() {
            reach(FaultPoint::OutputInserted);
        }
        Ok(())
    }

    async fn set_statuses(
        &mut self,
        begun: &[&AppendRecord],
        ended: &[Numbered<&EndingRecord>],
    ) -> Result<(), SqlError> {
        let begin = begun.iter().map(|append| StatusChange::Begins(append));
        let end = ended.iter().map(|(_, ending)| StatusChange::Ends(ending));
        let changed = responses::set_statuses(self.transaction, begin.chain(end)).await?;
        if changed != (begun.len() + ended.len()) as u64 {
            return Err(Error::Failed("a response that is locked has changed".into()).into());
        }
        if !begun.is_empty() {
            reach(FaultPoint::BeginningMarked);
        }
        if !ended.is_empty() {
            reach(FaultPoint::StatusSet);
        }
        for &(position, _) in ended {
            self.settle(position, COMMITTED, false);
        }
        Ok(())
    }

    /// Writes what the responses that end have used, and releases their idempotency keys.
    async fn keep_accounts(&self, ended: &[Numbered<&EndingRecord>]) -> Result<(), SqlError> {
        if ended.is_empty() {
            return Ok(());
        }
        usage_records::insert(self.transaction, ended.iter().flat_map(|(_, ending)| &ending.usage)).await?;
        reach(FaultPoint::UsageInserted);
        let releasing = ended.iter().filter(|(_, ending)| ending.releases_key);
        let releasing: Vec<ResponseId> = releasing.map(|(_, ending)| ending.id).collect();
        idempotency_keys::release(self.transaction, &releasing).await?;
        if !releasing.is_empty() {
            reach(FaultPoint::KeyReleased);
        }
        Ok(())
    }

    async fn claim(&mut self, claims: &[Numbered<&ClaimRecord>]) -> Result<(), SqlError> {
        let claimed = responses::claim(self.transaction, claims.iter().map(|(_, claim)| *claim)).await?;
        if !claims.is_empty() {
            reach(FaultPoint::ClaimWritten);
        }
        for &(position, claim) in claims {
            let outcome = if claimed.contains(&claim.id) {
                self.locked.rows_mut().entry(claim.id).and_modify(|row| row.take_over(claim));
                COMMITTED
            } else {
                claim.refused(self.locked.row(claim.id))
            };
            self.settle(position, outcome, false);
        }
        Ok(())
    }

    async fn delete(&mut self, deletions: &[Numbered<ResponseId>]) -> Result<(), SqlError> {
        let ids: Vec<ResponseId> = deletions.iter().map(|(_, id)| *id).collect();
        idempotency_keys::keep_no_longer(self.transaction, &ids).await?;
        responses::delete(self.transaction, &ids).await?;
        if !ids.is_empty() {
            reach(FaultPoint::RowDeleted);
        }
        for &(position, id) in deletions {
            self.locked.rows_mut().remove(&id);
            self.settle(position, COMMITTED, false);
        }
        Ok(())
    }
}
