//! Numbers of bytes as they are written in a configuration: `4096`, `"64KiB"`, `"20MiB"`.

use std::fmt;

use serde::{Deserializer, Serializer, de};

const EXPECTED: &str = "a number of bytes, or one with B, KiB or MiB such as \"20MiB\"";
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// Writes a size in the largest unit that keeps it whole; bytes as a plain number.
///
/// # Errors
/// If the serializer fails.
pub fn serialize<S: Serializer>(size: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = *size as u64;
    match [(MIB, "MiB"), (KIB, "KiB")].into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => serializer.collect_str(&format_args!("{}{name}", bytes / unit)),
        None => serializer.serialize_u64(bytes),
    }
}

/// Reads a number of bytes, with or without a unit.
///
/// # Errors
/// If the value is no number of bytes that this machine can address.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    deserializer.deserialize_any(SizeVisitor)
}

struct SizeVisitor;

impl de::Visitor<'_> for SizeVisitor {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(|_| unexpected())
    }

    fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(|_| unexpected())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<usize, E> {
        parse(text).ok_or_else(unexpected)
    }
}

fn unexpected<E: de::Error>() -> E {
    E::custom(format_args!("expected {EXPECTED}"))
}

fn parse(text: &str) -> Option<usize> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let bytes = match unit.trim_start() {
        "" | "B" => number,
        "KiB" => number.checked_mul(KIB)?,
        "MiB" => number.checked_mul(MIB)?,
        _ => return None,
    };
    usize::try_from(bytes).ok()
}
