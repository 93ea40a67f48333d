//! Facts as bytes: a version byte, then each fact in `postcard`, one after the other.

use crate::domain::Fact;

const VERSION: u8 = 1;

/// Bytes that are no facts of a version that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the segment holds no facts of a known version")]
pub struct CodecError;

/// Appends a fact to the bytes of a segment; an empty buffer becomes a segment.
///
/// # Errors
/// Never for the facts of this crate; `postcard` can't know that.
pub fn encode(fact: &Fact, segment: &mut Vec<u8>) -> Result<(), CodecError> {
    if segment.is_empty() {
        segment.push(VERSION);
    }
    let bytes = std::mem::take(segment);
    *segment = postcard::to_extend(fact, bytes).map_err(|_| CodecError)?;
    Ok(())
}

/// The facts of a segment.
///
/// # Errors
/// If the bytes hold anything else.
pub fn decode(segment: &[u8]) -> Result<Vec<Fact>, CodecError> {
    let Some((&VERSION, mut rest)) = segment.split_first() else { return Err(CodecError) };
    let mut facts = Vec::new();
    while !rest.is_empty() {
        let (fact, after) = postcard::take_from_bytes(rest).map_err(|_| CodecError)?;
        facts.push(fact);
        rest = after;
    }
    Ok(facts)
}
