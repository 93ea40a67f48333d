//! Usage records: what was used, for accounting. They outlive responses and users.

use antiphon_domain::Timestamp;
use antiphon_protocol::{ResponseId, Usage, UserId};

/// What one turn of a response used: one durable record per (response, turn).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// The response.
    pub response: ResponseId,
    /// The user whose response it is.
    pub user: UserId,
    /// The turn, from 1.
    pub turn: u16,
    /// The provider that was called.
    pub provider: String,
    /// The model, as the client named it.
    pub model: String,
    /// The counts.
    pub usage: Usage,
    /// Whether this server estimated them because the provider reported none.
    pub estimated: bool,
    /// When the response ended.
    pub at: Timestamp,
}
