//! Within a folder of `src` the files import one way.

use std::collections::{BTreeMap, BTreeSet};

use super::layers::{Edges, circle, first_names};
use super::{Source, is_test, sources};

/// The folders that are held to it.
const FOLDERS: [&str; 7] = ["access", "actors", "antiphon", "cli", "config", "http", "journal"];

/// The part of a folder that a file belongs to: the file itself, or the folder that it is in.
fn part<'a>(folder: &str, path: &'a str) -> &'a str {
    let inside = path.trim_start_matches("src/").trim_start_matches(folder).trim_start_matches('/');
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// How often a file has to say `super::` to name something of its folder.
fn levels(folder: &str, path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_start_matches(folder).trim_start_matches('/');
    inside.trim_end_matches("mod.rs").split('/').filter(|name| !name.is_empty()).count()
}

/// The names that the folder passes on, each with the part that it comes from.
fn passed_on(text: &str) -> BTreeMap<String, String> {
    let mut passed = BTreeMap::new();
    for line in text.split(';').filter_map(|line| line.split_once("use ")) {
        if let Some((part, names)) = line.1.split_once("::") {
            let names = first_names(names.trim_end_matches('}'));
            passed.extend(names.into_iter().map(|name| (name, part.trim().to_owned())));
        }
    }
    passed
}

/// What a file names of its folder.
fn named(folder: &str, source: &Source) -> Vec<String> {
    let code: Vec<_> = source.text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    let own = "super::".repeat(levels(folder, &source.path));
    let further = |before: &str| before.ends_with("super::");
    let mut names: Vec<String> = code.split(&format!("crate::{folder}::")).skip(1).flat_map(first_names).collect();
    let mut rest = code.as_str();
    while let Some(at) = rest.find(&own) {
        let after = &rest[at + own.len()..];
        if !further(&rest[..at]) && !after.starts_with("super::") {
            names.extend(first_names(after));
        }
        rest = after;
    }
    names
}

fn edges(folder: &str) -> Edges {
    let all = sources(&format!("src/{folder}"), &[".rs"]);
    let root = format!("src/{folder}/mod.rs");
    let passed =
        all.iter().find(|source| source.path == root).map(|source| passed_on(&source.text)).unwrap_or_default();
    let files: Vec<_> = all.iter().filter(|source| !is_test(&source.path) && source.path != root).collect();
    let parts: BTreeSet<_> = files.iter().map(|source| part(folder, &source.path).to_owned()).collect();
    let mut edges: Edges = parts.iter().map(|part| (part.clone(), BTreeSet::new())).collect();
    for source in files {
        let own = part(folder, &source.path);
        let others = named(folder, source).into_iter().map(|name| passed.get(&name).cloned().unwrap_or(name));
        let others = others.filter(|other| parts.contains(other) && other != own);
        edges.entry(own.to_owned()).or_default().extend(others);
    }
    edges
}

#[test]
fn files_of_a_folder_import_one_way() {
    for folder in FOLDERS {
        let edges = edges(folder);
        assert!(edges.len() > 1, "{folder}");
        assert_eq!(circle(&edges), None, "imports run in a circle in src/{folder}: {edges:#?}");
    }
    assert!(edges("actors")["response_supervisor"].contains("node"), "the reader of imports sees them");
}
