//! Facts as the bytes of a segment of a log: a version byte, then each fact in `postcard`, one after the other.

mod v1;

use serde::de::DeserializeOwned;

use crate::{FOLD_VERSION, Fact};

/// The version that segments are written in. A segment is of one version; a log may have segments of several, because
/// a response that an older process began is resumed in this one.
const VERSION: u8 = 2;

// The version beside a log covers its segments, too: who may read the one can read the other.
const _: () = assert!(FOLD_VERSION >= VERSION as i16, "a new version of segments is a new version of the fold");

/// Why bytes can't be read as facts, or facts can't be written as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A newer program wrote them.
    #[error("the segment has version {0}, which only a newer program can read")]
    NewerVersion(u8),
    /// They hold no facts.
    #[error("the segment holds no facts")]
    Malformed,
}

/// Appends a fact to the bytes of a segment; an empty buffer becomes a segment.
///
/// # Errors
/// As `postcard` reports, which never happens for the facts of this crate.
pub fn encode(fact: &Fact, segment: &mut Vec<u8>) -> Result<(), CodecError> {
    if segment.is_empty() {
        segment.push(VERSION);
    }
    let bytes = std::mem::take(segment);
    *segment = postcard::to_extend(fact, bytes).map_err(|_| CodecError::Malformed)?;
    Ok(())
}

/// The facts of a segment of any version.
///
/// # Errors
/// If the bytes hold anything else.
pub fn decode(segment: &[u8]) -> Result<Vec<Fact>, CodecError> {
    match segment.split_first() {
        Some((&VERSION, facts)) => decode_all(facts),
        Some((&v1::VERSION, facts)) => Ok(decode_all::<v1::FactV1>(facts)?.into_iter().map(Fact::from).collect()),
        Some((&version, _)) if version > VERSION => Err(CodecError::NewerVersion(version)),
        Some(_) | None => Err(CodecError::Malformed),
    }
}

fn decode_all<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<Vec<T>, CodecError> {
    let mut facts = Vec::new();
    while !bytes.is_empty() {
        let (fact, after) = postcard::take_from_bytes(bytes).map_err(|_| CodecError::Malformed)?;
        facts.push(fact);
        bytes = after;
    }
    Ok(facts)
}
