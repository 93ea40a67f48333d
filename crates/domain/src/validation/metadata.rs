//! The client's own notes, and the short strings that are echoed.

use std::io::{self, Write};

use indexmap::IndexMap;
use serde::Serialize;

use super::Violation;
use crate::LimitOptions;

pub(super) fn check_metadata(metadata: &IndexMap<String, String>, limits: &LimitOptions) -> Result<(), Violation> {
    if json_length(metadata) > limits.metadata_bytes {
        return Err(Violation::too_large("metadata", limits.metadata_bytes));
    }
    if metadata.len() > limits.metadata_pairs {
        return Err(Violation::invalid("metadata", format_args!("at most {} pairs", limits.metadata_pairs)));
    }
    for (key, value) in metadata {
        if longer_than(key, limits.metadata_key_chars) {
            let why = format!("a key has at most {} characters", limits.metadata_key_chars);
            return Err(Violation::invalid("metadata", why));
        }
        if longer_than(value, limits.metadata_value_chars) {
            let why = format!("a value has at most {} characters", limits.metadata_value_chars);
            return Err(Violation::invalid(format!("metadata.{key}"), why));
        }
    }
    Ok(())
}

pub(super) fn check_chars(param: &str, text: Option<&str>, most: usize) -> Result<(), Violation> {
    match text {
        Some(text) if longer_than(text, most) => {
            Err(Violation::invalid(param, format_args!("at most {most} characters")))
        }
        Some(_) | None => Ok(()),
    }
}

fn longer_than(text: &str, chars: usize) -> bool {
    text.chars().nth(chars).is_some()
}

/// How many bytes a value has as JSON.
pub(super) fn json_length(value: &impl Serialize) -> usize {
    let mut counter = Counter(0);
    // Nothing in a request can fail to be JSON; if it did, it would be too large.
    serde_json::to_writer(&mut counter, value).map_or(usize::MAX, |()| counter.0)
}

struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
