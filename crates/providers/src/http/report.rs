//! The kind of error that an error document of a provider reports. Its text is not kept: it may quote content.

use serde_json::Value;

use crate::Report;

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

/// The kind of an error object: its `code` counts more than its `type`. Either may be a word or, as a number or as
/// text, a status of HTTP.
pub(crate) fn report_of(error: &Value) -> Report {
    let known = |key| match error.get(key)? {
        Value::String(word) => of_word(word).or_else(|| of_status(word.parse().ok()?)),
        Value::Number(number) => of_status(number.as_u64()?),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    known("code").or_else(|| known("type")).unwrap_or_default()
}

fn of_word(word: &str) -> Option<Report> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, report)| *report)
}

/// The kind of an error that is named by an HTTP status, as in servers that pass on the error of another one.
fn of_status(status: u64) -> Option<Report> {
    match status {
        429 => Some(Report::RateLimited),
        // 529 is Anthropic's for a service that has too much to do.
        502 | 503 | 504 | 529 => Some(Report::Overloaded),
        _ => None,
    }
}

/// What a document is about, if it is one of an error: `error` at its top, in whatever shape.
pub(crate) fn error_document(body: &[u8]) -> Option<Report> {
    let document: Value = serde_json::from_slice(body).ok()?;
    match document.get("error") {
        Some(Value::Null) | None => {
            let is_error = ["object", "type"].iter().any(|key| document.get(key).is_some_and(|word| word == "error"));
            is_error.then(|| report_of(&document))
        }
        Some(error) => Some(report_of(error)),
    }
}
