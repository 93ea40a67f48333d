//! Points between a fact and what follows from it, at which a test has the process die.
//!
//! Without the feature `fault-points` there is nothing here but names, and [`reach`] does nothing.

macro_rules! fault_points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// Where the process can be made to die.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultPoint { $($(#[doc = $doc])+ $point,)+ }

        impl FaultPoint {
            /// All of them, in the order in which a response comes to them.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// The name by which `FAULT_POINT` asks for it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)+ }
            }
        }
    };
}

fault_points! {
    /// A node has taken its epoch, in a transaction that is not committed.
    EpochTaken = "epoch-taken",

    /// A new response is encrypted, and not submitted to the journal.
    AdmissionSealed = "admission-sealed",
    /// An entry waits for the journal writer.
    EntrySubmitted = "entry-submitted",
    /// The journal writer has a group to commit.
    GroupTaken = "group-taken",
    /// The group's transaction has begun.
    TransactionBegun = "transaction-begun",
    /// The row of a new response is there.
    AdmissionRowInserted = "admission-row-inserted",
    /// So is its claim of an idempotency key, if it makes one.
    KeyClaimed = "key-claimed",
    /// All of a new response is written.
    AdmissionWritten = "admission-written",
    /// All of a group is written, and its transaction not committed.
    GroupWritten = "group-written",
    /// It is committed, and nobody knows.
    GroupCommitted = "group-committed",
    /// The journal writer knows, and has told nobody.
    GroupAnswered = "group-answered",
    /// The supervisor knows that the response is accepted, and the client does not.
    AdmissionAcknowledged = "admission-acknowledged",

    /// An attempt is about to open, and no entry says so yet.
    AttemptOpening = "attempt-opening",
    /// A response that waited in line has its new status, in a transaction that is not committed.
    BeginningMarked = "beginning-marked",
    /// The attempt's opening is durable, and the provider is not asked yet.
    AttemptDurable = "attempt-durable",
    /// The reader has heard something of the provider, and the supervisor has not.
    FactsHeard = "facts-heard",
    /// The supervisor has heard that the provider answers, and has not recorded it.
    OpenedHeard = "opened-heard",
    /// The supervisor has folded what the provider said.
    FactsRecorded = "facts-recorded",
    /// Facts are encrypted, and not submitted.
    SegmentSealed = "segment-sealed",
    /// A segment is in the log, in a transaction that is not committed.
    SegmentInserted = "segment-inserted",
    /// The supervisor knows that facts are durable, and has shown nothing.
    SegmentAcknowledged = "segment-acknowledged",
    /// Events are on the board, and no emitter has looked.
    FramePublished = "frame-published",
    /// An event is on its way to the client's connection.
    FrameEmitted = "frame-emitted",
    /// The connection has an event, and has not written it.
    FrameTaken = "frame-taken",

    /// Somebody has asked to cancel, and nothing follows yet.
    CancelHeard = "cancel-heard",
    /// How the response ends is decided, and no entry says so.
    EndingDecided = "ending-decided",
    /// The ending is encrypted, and not submitted.
    EndingSealed = "ending-sealed",
    /// The row has its terminal status, in a transaction that is not committed.
    StatusSet = "status-set",
    /// So has the log its last segment.
    LastSegmentInserted = "last-segment-inserted",
    /// So are the items of the output there.
    OutputInserted = "output-inserted",
    /// So is the usage.
    UsageInserted = "usage-inserted",
    /// A failure has given its idempotency key back.
    KeyReleased = "key-released",
    /// The supervisor knows that the ending is durable, and has told nobody.
    EndingAcknowledged = "ending-acknowledged",
    /// The response is over, and its last events are not emitted.
    EndingConcluded = "ending-concluded",

    /// A response that is to be deleted has ended.
    DeletionBegun = "deletion-begun",
    /// Its row is gone, in a transaction that is not committed.
    RowDeleted = "row-deleted",
    /// It is deleted, and nobody knows.
    DeletionCommitted = "deletion-committed",

    /// A claim of a response that another process left is written, in a transaction that is not committed.
    ClaimWritten = "claim-written",
    /// The response is this process's, and nothing is done about it yet.
    LeftoverClaimed = "leftover-claimed",
    /// Its ending is durable, and nobody knows.
    LeftoverSettled = "leftover-settled",
    /// It can be gone on with, and has no supervisor yet.
    LeftoverFound = "leftover-found",
    /// Its provider's call is about to be heard again.
    CallReattached = "call-reattached",
    /// A fact of that call is recognized.
    FactRecognized = "fact-recognized",
}

/// The process is at that point.
#[cfg(not(feature = "fault-points"))]
#[inline]
pub fn reach(_: FaultPoint) {}

#[cfg(feature = "fault-points")]
pub use armed::{ArmError, VARIABLE, arm, reach};

#[cfg(feature = "fault-points")]
mod armed {
    use std::{
        env, process,
        sync::{
            OnceLock,
            atomic::{AtomicU32, Ordering},
        },
    };

    use super::FaultPoint;

    /// The environment variable that names a point, and after a colon how often it is to be reached: `status-set`,
    /// `facts-heard:2`.
    pub const VARIABLE: &str = "FAULT_POINT";

    static ARMED: OnceLock<Armed> = OnceLock::new();

    #[derive(Debug)]
    struct Armed {
        point: FaultPoint,
        /// How often it is still passed.
        left: AtomicU32,
    }

    /// What [`VARIABLE`] says is no fault point.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[error("{VARIABLE}: '{0}' is no fault point, or none with a count from 1")]
    pub struct ArmError(String);

    /// Has the process die where [`VARIABLE`] says. To be called once, at its start; without it no point does
    /// anything.
    ///
    /// # Errors
    /// If the variable is set and makes no sense.
    pub fn arm() -> Result<(), ArmError> {
        let Some(value) = env::var_os(VARIABLE) else { return Ok(()) };
        let (point, count) = parse(&value.to_string_lossy())?;
        // Who comes second finds it armed.
        ARMED.get_or_init(|| Armed { point, left: AtomicU32::new(count - 1) });
        Ok(())
    }

    fn parse(value: &str) -> Result<(FaultPoint, u32), ArmError> {
        let (name, count) = value.split_once(':').unwrap_or((value, "1"));
        let point = FaultPoint::ALL.iter().copied().find(|point| point.name() == name);
        let count = count.parse().ok().filter(|count| *count > 0);
        point.zip(count).ok_or_else(|| ArmError(value.to_owned()))
    }

    /// The process is at that point. If it was asked for, this is its end: at once, with no destructor run and nothing
    /// flushed, as if it was killed.
    pub fn reach(point: FaultPoint) {
        let Some(armed) = ARMED.get().filter(|armed| armed.point == point) else { return };
        let passed = armed.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if passed.is_err() {
            process::abort();
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{ArmError, FaultPoint, parse};

        #[test]
        fn every_point_is_found_by_its_name_and_no_two_have_the_same() {
            for point in FaultPoint::ALL {
                assert_eq!(parse(point.name()), Ok((*point, 1)));
            }
            assert_eq!(parse("status-set:3"), Ok((FaultPoint::StatusSet, 3)));
        }

        #[test]
        fn what_is_no_point_is_refused() {
            for value in ["", "nowhere", "status-set:", "status-set:0", "status-set:-1", "status-set:1:1", "StatusSet"]
            {
                assert_eq!(parse(value), Err(ArmError(value.to_owned())), "{value}");
            }
        }
    }
}
