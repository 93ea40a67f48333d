//! Why a store can't answer.

/// Why a store can't answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database can't be reached, or did not answer in time.
    #[error("the database is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
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
