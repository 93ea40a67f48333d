//! Ids of calls in the form that the protocol takes.

use std::collections::HashMap;
use std::fmt::Write as _;

use ring::digest::{SHA256, digest};

/// How many bytes of a hash name a call.
const HASH_BYTES: usize = 16;

/// Gives each call of a conversation an id that the protocol takes and that no other call of it has.
///
/// An id that fits is kept. One with other characters (made by another provider), and one that came before (some
/// servers count from the start in each answer), is replaced by a hash of it and of how often it came: the same
/// conversation always gets the same ids.
#[derive(Default)]
pub(super) struct AnthropicCallIds<'a> {
    seen: HashMap<&'a str, u64>,
}

impl<'a> AnthropicCallIds<'a> {
    /// The id of the next call, in the conversation's order.
    pub(super) fn next(&mut self, call_id: &'a str) -> String {
        let seen = self.seen.entry(call_id).or_default();
        let before = *seen;
        *seen += 1;
        if before == 0 && fits(call_id) { call_id.to_owned() } else { hashed(call_id, before) }
    }
}

fn fits(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn hashed(id: &str, before: u64) -> String {
    let bytes = [&before.to_be_bytes(), id.as_bytes()].concat();
    let mut hashed = String::from("call_");
    for byte in digest(&SHA256, &bytes).as_ref().iter().take(HASH_BYTES) {
        // Writing to a string cannot fail.
        let _written = write!(hashed, "{byte:02x}");
    }
    hashed
}
