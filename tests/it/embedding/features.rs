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

/// The crates that the feature `server` adds.
fn crates_of_the_server() -> BTreeSet<String> {
    let what = ["metadata", "--offline", "--no-deps", "--format-version", "1"];
    let told = Command::new(env!("CARGO")).args(what).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let workspace: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let package =
        workspace["packages"].as_array().unwrap().iter().find(|package| package["name"] == "antiphon").unwrap();
    let adds = package["features"]["server"].as_array().unwrap().iter();
    adds.map(|name| name.as_str().unwrap().strip_prefix("dep:").unwrap().to_owned()).collect()
}

#[test]
fn without_the_server_none_of_its_crates_is_built() {
    let (server, library) = (tree(&[]), tree(&["--no-default-features"]));
    let own = tree(&["--no-default-features", "--depth", "1"]);
    let added = crates_of_the_server();
    assert!(added.len() > 5 && added.is_subset(&server), "{added:?}");
    assert!(own.is_disjoint(&added), "{:?}", own.intersection(&added));
    // The library's own crates bring these along.
    let brought: BTreeSet<_> = ["anyhow", "socket2", "tracing-subscriber"].map(str::to_owned).into();
    assert_eq!(library.intersection(&added).cloned().collect::<BTreeSet<_>>(), brought);
    assert!(library.contains("actix") && library.is_subset(&server));
}
