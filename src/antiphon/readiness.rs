//! Whether a node can take new responses.

/// Whether a node can take new responses, and if not, why. In words for people by its `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It can.
    Ready,
    /// Its registry is being started.
    Starting,
    /// It is about to stop.
    Draining,
    /// It has no lease: it was cut off from its database, stood still, or a thread hangs. Others may own its responses.
    NoLease,
    /// The database has no room: what is deleted makes some.
    DatabaseFull,
    /// The database answers, but what was written last did not get through.
    NothingWritten,
    /// A thread of its actors hangs.
    ThreadHangs,
    /// It has failed for good.
    Failed,
}

impl std::fmt::Display for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ready => "The server is ready.",
            Self::Starting => "The server is not ready: it is starting.",
            Self::Draining => "The server is not ready: it is about to stop.",
            Self::NoLease => "The server is not ready: it has lost its lease and waits for another one.",
            Self::DatabaseFull => "The server is not ready: the database has no room.",
            Self::NothingWritten => "The server is not ready: the database takes no writes.",
            Self::ThreadHangs => "The server is not ready: one of its threads hangs.",
            Self::Failed => "The server is not ready: it has failed.",
        })
    }
}
