//! Which stories come to which point.

use antiphon::fault::FaultPoint;

use super::{record::Rows, stories::Story};

/// One crash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    point: FaultPoint,
    /// How often the point is reached until then.
    count: u32,
    pub(super) story: Story,
    pub(super) held: Held,
}

/// What the database holds of the story's responses when the process is dead.
#[derive(Debug, Clone, Copy)]
pub(super) enum Held {
    /// No response.
    Nothing,
    /// At least one that has not ended.
    Open,
    /// None that has not ended.
    Ended,
    /// This depends on what another thread does meanwhile.
    Something,
}

impl Case {
    /// As the environment variable has it.
    pub(super) fn fault(&self) -> String {
        format!("{}:{}", self.point.name(), self.count)
    }
}

impl Held {
    pub(super) fn is_what_is_left(self, rows: &Rows) -> bool {
        match self {
            Self::Nothing => rows.is_empty(),
            Self::Open => rows.open() > 0,
            Self::Ended => !rows.is_empty() && rows.open() == 0,
            Self::Something => true,
        }
    }
}

/// The crashes at that point: how often it is reached until then, in which story, and what is durable by then.
pub(super) fn cases(point: FaultPoint) -> Vec<Case> {
    use FaultPoint as At;
    use Held::{Ended, Nothing, Open, Something};
    use Story::{
        Background, Cancelled, Deleted, Kept, Lost, LostInLine, LostToTheFar, NotStored, Refused, Streamed, Whole,
    };
    let cases: &[(u32, Story, Held)] = match point {
        At::EpochTaken => &[(1, LostInLine, Open)],
        At::RequestRead | At::AdmissionSealed => &[(1, Streamed, Nothing)],
        At::EntrySubmitted => &[(1, Streamed, Something), (2, Streamed, Open)],
        At::GroupTaken => &[(1, Streamed, Nothing), (2, Streamed, Open)],
        At::TransactionBegun => &[(1, Whole, Nothing), (2, Background, Open)],
        At::AdmissionRowInserted => &[(1, Background, Nothing)],
        At::KeyClaimed => &[(1, Streamed, Nothing), (1, NotStored, Nothing)],
        At::AdmissionWritten => &[(1, Streamed, Nothing)],
        At::GroupWritten => &[(1, Whole, Nothing), (2, Streamed, Open)],
        At::GroupCommitted => &[(1, Whole, Open), (2, Streamed, Open), (1, Lost, Open), (2, Lost, Ended)],
        At::GroupAnswered => &[(1, Streamed, Open)],
        At::AdmissionAcknowledged => {
            &[(1, Streamed, Open), (1, Whole, Open), (1, NotStored, Open), (1, Background, Open)]
        }
        // Where it has a place at once, the attempt opens in the commit that accepts the response.
        At::AttemptOpening => {
            &[(1, Streamed, Nothing), (1, Background, Something), (2, Background, Open), (1, LostInLine, Open)]
        }
        At::BeginningMarked => &[(1, LostInLine, Open), (1, Background, Open)],
        At::AttemptDurable => &[(1, Streamed, Open), (2, Background, Open), (1, LostInLine, Open)],
        At::FactsHeard => &[(1, Streamed, Open), (2, Streamed, Open), (1, Background, Open), (1, Kept, Open)],
        At::OpenedHeard => &[(1, Streamed, Open), (1, Kept, Open)],
        At::FactsRecorded => &[(1, Streamed, Open), (2, Kept, Open)],
        At::SegmentSealed => &[(1, Streamed, Open), (1, Kept, Open)],
        At::SegmentInserted => &[(1, Streamed, Open), (1, LostInLine, Open)],
        At::SegmentAcknowledged => &[(1, Streamed, Open), (1, Kept, Open)],
        At::FramePublished => &[(1, Streamed, Open), (2, Streamed, Open), (2, NotStored, Open)],
        At::FrameEmitted => &[(1, Streamed, Open), (4, Streamed, Open)],
        At::FrameTaken => &[(1, Streamed, Open), (4, Kept, Open)],
        At::CancelHeard => &[(1, Cancelled, Open), (1, Deleted, Open)],
        At::EndingDecided => &[(1, Streamed, Open), (1, Whole, Open), (1, Cancelled, Open)],
        At::EndingSealed => &[(1, Streamed, Open), (1, NotStored, Open), (1, Refused, Open)],
        At::StatusSet => &[(1, Streamed, Open), (1, Cancelled, Open), (1, Lost, Open)],
        At::LastSegmentInserted => &[(1, Streamed, Open), (1, LostToTheFar, Open)],
        At::OutputInserted => &[(1, Streamed, Open)],
        At::UsageInserted => &[(1, Streamed, Open), (1, Deleted, Open)],
        At::KeyReleased => &[(1, Refused, Open)],
        At::EndingAcknowledged => {
            &[(1, Streamed, Ended), (1, Whole, Ended), (1, NotStored, Ended), (1, Cancelled, Ended)]
        }
        At::EndingConcluded => &[(1, Streamed, Ended)],
        At::DeletionBegun | At::RowDeleted => &[(1, Deleted, Ended)],
        At::DeletionCommitted => &[(1, Deleted, Nothing)],
        At::ClaimWritten => &[(1, Lost, Open), (1, LostToTheFar, Open)],
        At::LeftoverClaimed => &[(2, LostInLine, Open)],
        At::LeftoverSettled => &[(1, Lost, Ended), (1, LostInLine, Open)],
        At::LeftoverFound => &[(1, LostInLine, Open), (1, LostToTheFar, Open)],
        At::CallReattached => &[(1, LostToTheFar, Open)],
        At::FactRecognized => &[(1, LostToTheFar, Open), (2, LostToTheFar, Open)],
    };
    cases.iter().map(|&(count, story, held)| Case { point, count, story, held }).collect()
}

/// Whether the point is in the store or the journal writer.
pub(super) fn is_of_the_database(point: FaultPoint) -> bool {
    use FaultPoint as At;
    match point {
        At::EpochTaken
        | At::EntrySubmitted
        | At::GroupTaken
        | At::TransactionBegun
        | At::AdmissionRowInserted
        | At::KeyClaimed
        | At::AdmissionWritten
        | At::GroupWritten
        | At::GroupCommitted
        | At::GroupAnswered
        | At::BeginningMarked
        | At::SegmentInserted
        | At::StatusSet
        | At::LastSegmentInserted
        | At::OutputInserted
        | At::UsageInserted
        | At::KeyReleased
        | At::RowDeleted
        | At::ClaimWritten => true,
        At::RequestRead
        | At::AdmissionSealed
        | At::AdmissionAcknowledged
        | At::AttemptOpening
        | At::AttemptDurable
        | At::FactsHeard
        | At::OpenedHeard
        | At::FactsRecorded
        | At::SegmentSealed
        | At::SegmentAcknowledged
        | At::FramePublished
        | At::FrameEmitted
        | At::FrameTaken
        | At::CancelHeard
        | At::EndingDecided
        | At::EndingSealed
        | At::EndingAcknowledged
        | At::EndingConcluded
        | At::DeletionBegun
        | At::DeletionCommitted
        | At::LeftoverClaimed
        | At::LeftoverSettled
        | At::LeftoverFound
        | At::CallReattached
        | At::FactRecognized => false,
    }
}
