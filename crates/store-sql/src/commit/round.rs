//! A round of a group: at most one entry of each response, by what they do.

use super::Numbered;
use crate::responses::NewSegment;
use antiphon_protocol::ResponseId;
use antiphon_store::{AdmissionRecord, AppendRecord, ClaimRecord, EndingRecord, JournalEntry};

#[derive(Debug, Default)]
pub(super) struct Round<'a> {
    pub(super) admissions: Vec<Numbered<&'a AdmissionRecord>>,
    pub(super) appends: Vec<Numbered<&'a AppendRecord>>,
    pub(super) endings: Vec<Numbered<&'a EndingRecord>>,
    pub(super) claims: Vec<Numbered<&'a ClaimRecord>>,
    pub(super) deletions: Vec<Numbered<ResponseId>>,
}

impl<'a> Round<'a> {
    pub(super) fn of(entries: &[Numbered<&'a JournalEntry>]) -> Self {
        let mut round = Self::default();
        for &(position, entry) in entries {
            match entry {
                JournalEntry::Admit(admission) => round.admissions.push((position, admission)),
                JournalEntry::Append(append) => round.appends.push((position, append)),
                JournalEntry::End(ending) => round.endings.push((position, ending)),
                JournalEntry::Claim(claim) => round.claims.push((position, claim)),
                JournalEntry::Delete(id) => round.deletions.push((position, *id)),
            }
        }
        round
    }
}

pub(super) fn first_segment(admission: &AdmissionRecord) -> Option<NewSegment<'_>> {
    let segment = admission.segment.as_ref()?;
    Some(NewSegment { epoch: admission.row.epoch, after: None, segment })
}

pub(super) fn next_segment(append: &AppendRecord) -> NewSegment<'_> {
    NewSegment { epoch: append.epoch, after: Some(append.after), segment: &append.segment }
}

pub(super) fn last_segment(ending: &EndingRecord) -> Option<NewSegment<'_>> {
    let last = ending.last_segment.as_ref()?;
    Some(NewSegment { epoch: ending.epoch, after: Some(last.after), segment: &last.segment })
}
