//! The segments of logs.

use antiphon_domain::{Fact, segment};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(facts) = segment::decode(bytes) else { return };
    assert!(facts.len() <= bytes.len(), "{} facts from {} bytes", facts.len(), bytes.len());
    read_again(&facts);
}

/// The facts as they are read after they were written.
#[expect(clippy::expect_used, reason = "what is expected is what is asserted")]
pub(crate) fn read_again(facts: &[Fact]) -> Vec<Fact> {
    if facts.is_empty() {
        return Vec::new();
    }
    let written = write(facts);
    let again = segment::decode(&written).expect("what is written can be read");
    assert!(write(&again) == written, "what is read is written otherwise");
    // With a number that is none, facts differ from themselves.
    let comparable = facts.to_vec() == facts;
    assert!(!comparable || again == facts, "what is written is read as other facts");
    again
}

#[expect(clippy::expect_used, reason = "what is expected is what is asserted")]
fn write(facts: &[Fact]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for fact in facts {
        segment::encode(fact, &mut bytes).expect("a fact can be written");
    }
    bytes
}
