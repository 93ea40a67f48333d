//! Runs the examples that end by themselves. `cargo test` builds them beside the tests.

use std::path::PathBuf;
use std::process::Command;

/// The binary of an example, of the same build as this test.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/<profile>/deps");
    profile.join("examples").join(name)
}

/// What an example prints, line by line. It must end without an error.
fn said(name: &str) -> Vec<String> {
    let binary = binary(name);
    assert!(binary.is_file(), "{} is missing: `cargo test` makes it, or `cargo build --examples`", binary.display());
    let ended = Command::new(binary).output().unwrap();
    assert!(ended.status.success(), "{name}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn supervision_restart_starts_a_worker_again_until_its_budget_is_spent() {
    assert_eq!(
        said("supervision_restart"),
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
fn supervision_tree_finds_what_hangs_and_leaves_nobody() {
    assert_eq!(
        said("supervision_tree"),
        [
            "found by its parent's beats: Some(hung)",
            "found by its parent's beats: Some(hung)",
            "alive: 4",
            "nobody is left",
            "told after the kill: Some(killed), Some(killed)",
        ]
    );
}

/// An example is to be read at one sitting.
#[test]
fn every_example_of_one_file_is_short() {
    let examples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
    let files: Vec<_> = examples.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines < 80, "{}: {lines} lines", file.display());
    }
}
