//! The program as it is called. That this is a test of the package has the tests build the program beside the server,
//! with the same features; `tests/run` starts that one.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

#[test]
fn what_it_can_not_do_is_refused_before_anything_is_started() {
    for (option, value) in [("--database", "oracle"), ("--servers", "9"), ("--rate", "0"), ("--binary", "no/such/file")]
    {
        let ended = Command::new(env!("CARGO_BIN_EXE_antiphon-chaos")).args([option, value]).output().unwrap();
        let text = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && text.contains(value), "{option} {value}: {text}");
    }
}
