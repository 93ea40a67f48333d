//! Why a store can't answer.

/// Why a store can't answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database did not finish in time. It may be able to do less at once.
    #[error("the database did not finish in time")]
    TimedOut(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database has no room for what was to be written: its disk is full. What is deleted makes some.
    #[error("the database has no room")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Another transaction was in the way. The same call may succeed at once.
    #[error("the database was busy with another transaction")]
    Contended(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database answered with an error.
    #[error("the database answered with an error")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row holds a value that this program never writes.
    #[error("the database holds a corrupt {what}")]
    Corrupt {
        /// Which column.
        what: &'static str,
    },
    /// The cursor of a page names an item that is not in the list.
    #[error("the cursor names no item of the list")]
    UnknownCursor,
}

impl Error {
    /// Whether the same call may succeed later although nobody mends anything: the database is away, full or busy.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::TimedOut(_) | Self::Full(_) | Self::Contended(_) => true,
            Self::Failed(_) | Self::Corrupt { .. } | Self::UnknownCursor => false,
        }
    }
}
