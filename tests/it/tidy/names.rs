//! Names: one word per idea, and each type name once.

use std::collections::BTreeMap;

use super::{Source, is_test, production, report};

/// Type names that may stand more than once, and why.
const REPEATED: &[(&str, &str)] = &[
    ("Error", "what goes wrong in a module is named after the module: `store::Error`, `vault::Error`"),
    ("Model", "sea-orm wants this name for the row of each table"),
    ("Relation", "sea-orm wants this name for the relations of each table"),
    ("Migration", "sea-orm names each migration after its file"),
];

/// Words that were given up for the field's own, each with the word that stands for it now.
const GIVEN_UP: &[(&str, &str)] = &[
    ("AnotherStory", "ReplayDiverged"),
    ("Asked", "RequestContext"),
    ("Board", "FrameBuffer"),
    ("Gauge", "PromptBudget"),
    ("Heard", "ReplayFingerprint"),
    ("Leftover", "OrphanedRun"),
    ("Material", "PromptParts"),
    ("ReaderFact", "ProviderMessage"),
    ("Retelling", "ReplayFilter"),
    ("Said", "ProviderMessage"),
    ("Seat", "ClientSink"),
    ("SharedStatusLine", "SharedSuccessPromise"),
    ("SharedWindow", "SharedWriteBuffer"),
    ("Sight", "FrameLookup"),
    ("Speech", "OutputPart"),
    ("Standing", "NodeOwnership"),
    ("StatusLine", "SuccessPromise"),
    ("Terms", "RunPolicy"),
    ("Tries", "AttemptState"),
    ("Voice", "PartKind"),
    ("Window", "WriteBuffer"),
    ("Wish", "DeliveryMode"),
    ("argue", "append_arguments"),
    ("give_floor", "a name that says what is opened"),
    ("max_per_caller", "max_concurrent_per_key"),
    ("max_per_key", "max_concurrent_per_key"),
    ("unsettled", "orphaned"),
];

/// The words of a line of code, without what follows `//`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The type that a line defines. A type that an `impl` names is indented and has no visibility.
fn defined(line: &str) -> Option<&str> {
    let mut words = words(line).filter(|word| !["pub", "crate", "super", "in", "unsafe"].contains(word));
    let kind = words.next()?;
    let is_type = ["struct", "enum", "trait", "union"].contains(&kind) || kind == "type" && !line.starts_with(' ');
    words.next().filter(|name| is_type && name.starts_with(char::is_uppercase))
}

fn definitions(sources: &[Source]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for source in sources {
        for name in source.text.lines().filter_map(defined) {
            found.entry(name).or_default().push(&source.path);
        }
    }
    found
}

#[test]
fn a_type_name_stands_once() {
    let sources = production();
    let definitions = definitions(&sources);
    assert!(definitions.len() > 300, "{}", definitions.len());
    let is_repeated = |name: &str| REPEATED.iter().any(|(repeated, _)| *repeated == name);
    let twice = definitions.iter().filter(|(name, files)| files.len() > 1 && !is_repeated(name));
    let violations: Vec<_> = twice.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect();
    report("type names that stand more than once; give each the noun of its module", &violations);
}

#[test]
fn words_that_were_given_up_do_not_come_back() {
    let mut violations = Vec::new();
    for source in production() {
        for (number, line) in source.text.lines().enumerate() {
            let given_up = GIVEN_UP.iter().filter(|(old, _)| words(line).any(|word| word == *old));
            violations.extend(given_up.map(|(old, new)| format!("{}:{}: {old}, now {new}", source.path, number + 1)));
        }
    }
    report("words that were given up", &violations);
}

#[test]
fn definitions_are_found_whatever_stands_around_them() {
    for (line, name) in [
        ("pub(crate) struct Node {", Some("Node")),
        ("    enum Inner<T> { A }", Some("Inner")),
        ("pub trait Store: Send {", Some("Store")),
        ("type Events = Vec<Event>;", Some("Events")),
        ("    type Result = ();", None),
        ("// struct Gone", None),
        ("impl Node {", None),
    ] {
        assert_eq!(defined(line), name, "{line}");
    }
    assert!(!is_test("crates/domain/src/fact.rs"));
}
