//! Facts as bytes: a version byte, then each fact in `postcard`, one after the other.

mod v1;

use serde::de::DeserializeOwned;

use crate::domain::Fact;

/// The version that segments are written in. A segment is of one version; a log may have segments of several, because
/// a response that an older process began is resumed in this one.
const VERSION: u8 = 2;

/// The error of bytes that hold no facts of a version that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the segment holds no facts of a known version")]
pub struct CodecError;

/// Appends a fact to the bytes of a segment; an empty buffer becomes a segment.
///
/// # Errors
/// As `postcard` reports, which never happens for the facts of this crate.
pub fn encode(fact: &Fact, segment: &mut Vec<u8>) -> Result<(), CodecError> {
    if segment.is_empty() {
        segment.push(VERSION);
    }
    let bytes = std::mem::take(segment);
    *segment = postcard::to_extend(fact, bytes).map_err(|_| CodecError)?;
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
        Some(_) | None => Err(CodecError),
    }
}

fn decode_all<T: DeserializeOwned>(mut bytes: &[u8]) -> Result<Vec<T>, CodecError> {
    let mut facts = Vec::new();
    while !bytes.is_empty() {
        let (fact, after) = postcard::take_from_bytes(bytes).map_err(|_| CodecError)?;
        facts.push(fact);
        bytes = after;
    }
    Ok(facts)
}
