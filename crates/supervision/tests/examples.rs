//! Runs the examples. `cargo test` builds them beside the tests.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::process::Command;

/// What an example prints, line by line. It must end without an error.
fn output(name: &str) -> Vec<String> {
    let test = std::env::current_exe().unwrap();
    let binary = test.ancestors().nth(2).unwrap().join("examples").join(name);
    assert!(binary.is_file(), "{} is missing: `cargo test` makes it, or `cargo build --examples`", binary.display());
    let ended = Command::new(binary).output().unwrap();
    assert!(ended.status.success(), "{name}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn restart_starts_a_worker_again_until_its_budget_is_spent() {
    assert_eq!(
        output("restart"),
        [
            "60 / 5 = 12",
            "the worker panicked: attempt to divide by zero",
            "60 / 4 = 15",
            "the worker panicked: attempt to divide by zero",
            "60 / 3 = 20",
            "the worker panicked: attempt to divide by zero",
            "given up, with 2 jobs left",
            "the foreman ended: Ok(stopped)",
        ]
    );
}

#[test]
fn tree_finds_what_hangs_and_leaves_nobody() {
    assert_eq!(
        output("tree"),
        [
            "found by its parent's beats: Some(hung)",
            "found by its parent's beats: Some(hung)",
            "alive: 4",
            "nobody is left",
            "told after the kill: Some(killed), Some(killed)",
        ]
    );
}
