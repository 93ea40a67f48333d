//! Fuzz targets: each is a function of any bytes that asserts what must hold of them, and panics where it does not.
//!
//! They are run over a corpus by this crate's test, and over inputs that are made to reach new code by `fuzz/run`.

mod dialects;
mod fold;
mod request;
mod segment;
mod sse;

/// A function of any bytes.
#[derive(Debug, Clone, Copy)]
pub struct FuzzTarget {
    /// Its name, and that of its folder of the corpus.
    pub name: &'static str,
    /// The folders of the repository that hold more inputs for it.
    pub seeds: &'static [&'static str],
    /// Asserts what must hold of the bytes.
    pub run: fn(&[u8]),
}

const RECORDED_ANSWERS: &str = "tests/upstream";

/// All targets.
pub const TARGETS: &[FuzzTarget] = &[
    FuzzTarget { name: "sse", seeds: &[RECORDED_ANSWERS], run: sse::run },
    FuzzTarget { name: "chat_completions", seeds: &[RECORDED_ANSWERS], run: dialects::chat_completions },
    FuzzTarget { name: "responses", seeds: &[RECORDED_ANSWERS], run: dialects::responses },
    FuzzTarget { name: "anthropic", seeds: &[RECORDED_ANSWERS], run: dialects::anthropic },
    FuzzTarget { name: "request", seeds: &[], run: request::run },
    FuzzTarget { name: "segment", seeds: &[], run: segment::run },
    FuzzTarget { name: "fold", seeds: &["fuzz/corpus/segment"], run: fold::run },
];

/// The target of that name.
#[must_use]
pub fn target(name: &str) -> Option<&'static FuzzTarget> {
    TARGETS.iter().find(|target| target.name == name)
}
