//! The rules of the code base that no compiler knows.

mod circles;
mod guarantees;
mod layers;
mod names;
mod operations;
mod package;
mod sizes;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

/// A text file of the repository.
#[derive(Clone)]
struct Source {
    /// Relative to the repository's root, with `/`.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below `folder` with one of these endings.
fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let skipped = ["target", "data", "node_modules"].contains(&name.as_str()) || name.starts_with('.');
            if path.is_dir() && !skipped {
                folders.push(path);
            } else if path.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(read(&path));
            }
        }
    }
    assert!(!found.is_empty(), "nothing to check below {folder}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

fn read(path: &PathBuf) -> Source {
    let relative = path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    Source { path: relative, text: fs::read_to_string(path).unwrap() }
}

/// All Rust code of the project.
fn rust() -> Vec<Source> {
    sources(".", &[".rs"])
}

/// The code that is built into programs: of the package at the root and of each crate.
fn production() -> Vec<Source> {
    let mut found = sources("src", &[".rs"]);
    found.extend(sources("crates", &[".rs"]).into_iter().filter(|source| source.path.contains("/src/")));
    found.retain(|source| !is_test(&source.path));
    found
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.split('/').any(|part| part == "tests" || part == "tests.rs")
}

fn report(what: &str, violations: &[String]) {
    assert!(violations.is_empty(), "{what}:\n  {}", violations.join("\n  "));
}
