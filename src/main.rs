//! The `antiphon` program.
fn main() {}
