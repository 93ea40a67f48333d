//! Points between a step and what follows from it, at which a test can kill the process or have the step panic.
//!
//! Without the feature `fault-points` only the names exist, and [`reach`] does nothing.

macro_rules! fault_points {
    ($($(#[doc = $doc:literal])+ $point:ident = $name:literal,)+) => {
        /// A point at which the process can be killed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FaultPoint { $($(#[doc = $doc])+ $point,)+ }

        impl FaultPoint {
            /// All of them, in the order in which a response comes to them.
            pub const ALL: &'static [Self] = &[$(Self::$point,)+];

            /// The name of the point in the variable `FAULT_POINT`.
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

    /// The HTTP handler has read a request to make a response, and has done nothing with it.
    RequestRead = "request-read",
    /// A new response is encrypted, and not submitted to the journal.
    AdmissionSealed = "admission-sealed",
    /// An entry waits for the journal writer.
    EntrySubmitted = "entry-submitted",
    /// The journal writer has a group to commit.
    GroupTaken = "group-taken",
    /// The group's transaction has begun.
    TransactionBegun = "transaction-begun",
    /// The new response's claim of an idempotency key is written, if it makes one.
    KeyClaimed = "key-claimed",
    /// The row of a new response is inserted.
    AdmissionRowInserted = "admission-row-inserted",
    /// All of a new response is written.
    AdmissionWritten = "admission-written",
    /// All of a group is written, and its transaction not committed.
    GroupWritten = "group-written",
    /// The group is committed, and its result is not received yet.
    GroupCommitted = "group-committed",
    /// The journal writer has the result, and has answered no entry.
    GroupAnswered = "group-answered",
    /// The supervisor knows that the response is accepted, and the client does not.
    AdmissionAcknowledged = "admission-acknowledged",

    /// An attempt is about to open, and no entry has that yet.
    AttemptOpening = "attempt-opening",
    /// A response that waited in the queue has its new status, in a transaction that is not committed.
    BeginningMarked = "beginning-marked",
    /// The attempt's opening is durable, and the provider is not called yet.
    AttemptDurable = "attempt-durable",
    /// The reader has received events of the provider, and the supervisor has not.
    FactsHeard = "facts-heard",
    /// The supervisor has received that the provider answers, and has not folded it.
    OpenedHeard = "opened-heard",
    /// The supervisor has folded the provider's events.
    FactsRecorded = "facts-recorded",
    /// Facts are encrypted, and not submitted.
    SegmentSealed = "segment-sealed",
    /// A segment is in the log, in a transaction that is not committed.
    SegmentInserted = "segment-inserted",
    /// The supervisor knows that facts are durable, and has published no events.
    SegmentAcknowledged = "segment-acknowledged",
    /// Events are in the frame buffer, and no emitter has read them.
    FramePublished = "frame-published",
    /// An event is on its way to the client's connection.
    FrameEmitted = "frame-emitted",
    /// The connection has an event, and has not written it.
    FrameTaken = "frame-taken",

    /// A cancel command has arrived, and nothing follows yet.
    CancelHeard = "cancel-heard",
    /// How the response ends is decided, and no entry has that yet.
    EndingDecided = "ending-decided",
    /// The ending is encrypted, and not submitted.
    EndingSealed = "ending-sealed",
    /// The log has its last segment, in a transaction that is not committed.
    LastSegmentInserted = "last-segment-inserted",
    /// The items of the output are inserted, in the same transaction.
    OutputInserted = "output-inserted",
    /// The row has its terminal status, in the same transaction.
    StatusSet = "status-set",
    /// The usage is inserted, in the same transaction.
    UsageInserted = "usage-inserted",
    /// A failed response has released its idempotency key, in the same transaction.
    KeyReleased = "key-released",
    /// The supervisor knows that the ending is durable, and has reported it to no client.
    EndingAcknowledged = "ending-acknowledged",
    /// The response is over, and its last events are not emitted.
    EndingConcluded = "ending-concluded",

    /// A response that is to be deleted has ended.
    DeletionBegun = "deletion-begun",
    /// Its row is gone, in a transaction that is not committed.
    RowDeleted = "row-deleted",
    /// The response is deleted, and the caller is not answered yet.
    DeletionCommitted = "deletion-committed",

    /// A claim of a response that another process left is written, in a transaction that is not committed.
    ClaimWritten = "claim-written",
    /// An orphaned response belongs to this process, and is not recovered yet.
    LeftoverClaimed = "leftover-claimed",
    /// The ending of an orphaned response is durable, and not reported yet.
    LeftoverSettled = "leftover-settled",
    /// An orphaned response can be resumed, and has no supervisor yet.
    LeftoverFound = "leftover-found",
    /// The lost call of an orphaned response is about to be reattached.
    CallReattached = "call-reattached",
    /// An event of the reattached call is recognized as one that the log has.
    FactRecognized = "fact-recognized",
}

/// Marks that the process is at that point; does nothing without the feature.
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

    /// The environment variable that names a point, after a colon how often it is to be reached, and after another one
    /// whether only that step panics: `status-set`, `facts-heard:2`, `facts-recorded:1:panic`.
    pub const VARIABLE: &str = "FAULT_POINT";

    static ARMED: OnceLock<Armed> = OnceLock::new();

    #[derive(Debug)]
    struct Armed {
        point: FaultPoint,
        /// How many times the point is still passed before the fault.
        left: AtomicU32,
        kind: FaultKind,
    }

    /// What happens at the point.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum FaultKind {
        /// The process dies.
        Death,
        /// The step panics, once.
        Panic,
    }

    /// The error of a [`VARIABLE`] that names no fault point.
    #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
    #[error("{VARIABLE}: '{0}' is no fault point, or none with a count from 1 and perhaps ':panic'")]
    pub struct ArmError(String);

    /// Arms the point that [`VARIABLE`] names. To be called once, at the start of the process; without it no point
    /// does anything.
    ///
    /// # Errors
    /// If the variable is set and does not name a fault point, with a count from 1 if it has one, and `panic` behind that
    /// if anything.
    pub fn arm() -> Result<(), ArmError> {
        let Some(value) = env::var_os(VARIABLE) else { return Ok(()) };
        let (point, count, kind) = parse(&value.to_string_lossy())?;
        // A second call changes nothing.
        ARMED.get_or_init(|| Armed { point, left: AtomicU32::new(count - 1), kind });
        Ok(())
    }

    fn parse(value: &str) -> Result<(FaultPoint, u32, FaultKind), ArmError> {
        let (steps, kind) = match value.strip_suffix(":panic") {
            Some(steps) => (steps, FaultKind::Panic),
            None => (value, FaultKind::Death),
        };
        let (name, count) = steps.split_once(':').unwrap_or((steps, "1"));
        let point = FaultPoint::ALL.iter().copied().find(|point| point.name() == name);
        let count = count.parse().ok().filter(|count| *count > 0);
        point.zip(count).map(|(point, count)| (point, count, kind)).ok_or_else(|| ArmError(value.to_owned()))
    }

    /// Marks that the process is at that point. If the point is armed the process dies at once: no destructor runs
    /// and nothing is flushed, as if it was killed. Or the step panics, the first time.
    ///
    /// # Panics
    /// If the point is armed so.
    #[expect(clippy::panic, reason = "that is what a test asks for")]
    pub fn reach(point: FaultPoint) {
        let Some(armed) = ARMED.get().filter(|armed| armed.point == point) else { return };
        // Once it was reached it is not again for so long that it never is.
        let pass = |left: u32| Some(left.checked_sub(1).unwrap_or(u32::MAX));
        let is_due = armed.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pass) == Ok(0);
        match armed.kind {
            FaultKind::Death if is_due => process::abort(),
            FaultKind::Panic if is_due => panic!("a fault point"),
            FaultKind::Death | FaultKind::Panic => {}
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{ArmError, FaultKind, FaultPoint, parse};

        #[test]
        fn every_point_is_found_by_its_name_and_no_two_have_the_same() {
            for point in FaultPoint::ALL {
                assert_eq!(parse(point.name()), Ok((*point, 1, FaultKind::Death)));
            }
            assert_eq!(parse("status-set:3"), Ok((FaultPoint::StatusSet, 3, FaultKind::Death)));
            assert_eq!(parse("status-set:3:panic"), Ok((FaultPoint::StatusSet, 3, FaultKind::Panic)));
        }

        #[test]
        fn what_is_no_point_is_refused() {
            for value in
                ["", "nowhere", "status-set:", "status-set:0", "status-set:-1", "status-set:1:1", ":panic", "StatusSet"]
            {
                assert_eq!(parse(value), Err(ArmError(value.to_owned())), "{value}");
            }
        }
    }
}
