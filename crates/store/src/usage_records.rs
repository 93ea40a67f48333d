//! Usage records: what was used, for accounting. They outlive responses and users.

use super::ResponseRow;
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
    /// The provider that was called; empty if it is not known.
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

impl UsageRecord {
    /// The record of a response that was deleted before it ended: its prompt alone, and no provider.
    pub(crate) fn of_deleted(row: &ResponseRow, at: Timestamp) -> Self {
        let tokens = u64::try_from(row.prompt_tokens).unwrap_or_default();
        Self {
            response: row.id,
            user: row.user,
            turn: 1,
            provider: String::new(),
            model: row.model.clone(),
            usage: Usage { input_tokens: tokens, total_tokens: tokens, ..Usage::default() },
            estimated: true,
            at,
        }
    }
}
