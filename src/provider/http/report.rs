//! What an error document of a provider is about. Its words are not kept: they may quote content.

use serde_json::Value;

use crate::provider::Report;

/// Words of providers for one kind of error each, as `code` or `type`.
const WORDS: [(&str, Report); 10] = [
    ("context_length_exceeded", Report::ContextTooLong),
    ("exceed_context_size_error", Report::ContextTooLong),
    ("rate_limit_exceeded", Report::RateLimited),
    ("rate_limit_error", Report::RateLimited),
    ("insufficient_quota", Report::RateLimited),
    ("overloaded_error", Report::Overloaded),
    ("server_is_overloaded", Report::Overloaded),
    ("slow_down", Report::Overloaded),
    ("service_unavailable", Report::Overloaded),
    ("timeout_error", Report::Overloaded),
];

/// What the error object is about: its `code` counts more than its `type`.
pub(in crate::provider) fn report_of(error: &Value) -> Report {
    let known = |key| {
        let word = error.get(key)?.as_str()?;
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, report)| *report)
    };
    known("code").or_else(|| known("type")).unwrap_or_default()
}

/// What a document is about, if it is one of an error: `error` at its top, in whatever shape.
pub(in crate::provider) fn error_document(body: &[u8]) -> Option<Report> {
    let document: Value = serde_json::from_slice(body).ok()?;
    match document.get("error") {
        Some(Value::Null) | None => {
            let is_error = ["object", "type"].iter().any(|key| document.get(key).is_some_and(|word| word == "error"));
            is_error.then(|| report_of(&document))
        }
        Some(error) => Some(report_of(error)),
    }
}
