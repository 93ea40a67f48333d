//! Error bodies.

use std::borrow::Cow;

use serde::Serialize;

/// `{"error": {...}}`, the body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorEnvelope {
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, in the four keys that clients read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// The message for people.
    pub message: String,
    /// The class of the error.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The request parameter at fault.
    pub param: Option<String>,
    /// The error itself: from a closed list, or the provider's own code of a request that it refused.
    pub code: Option<Cow<'static, str>>,
}

/// The `error` stream event, which is sent only where no Response object can carry the error.
///
/// It has both shapes that clients expect, the flat one and the nested one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "error")]
pub struct ErrorEvent {
    /// The last committed sequence number: this event is no part of the response's log.
    pub sequence_number: u64,
    /// The error itself, from a closed list.
    pub code: Option<Cow<'static, str>>,
    /// The message for people.
    pub message: String,
    /// The request parameter at fault.
    pub param: Option<String>,
    /// The same, nested.
    pub error: ErrorBody,
}
