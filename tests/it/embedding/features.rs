//! What is built for a program that does not serve HTTP.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates that the library is built of, without the platform's own and without those of tests.
fn tree(options: &[&str]) -> BTreeSet<String> {
    let always = ["tree", "--offline", "--package", "antiphon", "--edges", "normal", "--prefix", "none"];
    let told = Command::new(env!("CARGO")).args(always).args(options).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let told = told.unwrap();
    assert!(told.status.success(), "{told:?}");
    let lines = String::from_utf8(told.stdout).unwrap();
    lines.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn without_the_server_none_of_its_crates_is_built() {
    let (server, library) = (tree(&[]), tree(&["--no-default-features"]));
    for name in ["actix-web", "actix-web-lab", "clap", "config", "garde"] {
        assert!(server.contains(name) && !library.contains(name), "{name}");
    }
    assert!(library.contains("actix") && library.is_subset(&server));
}
