use std::collections::BTreeSet;

use super::{Source, report, root, sources};

/// The families of guarantees and how many each has, numbered from 1. The ids are stable: a line keeps its own for ever.
const FAMILIES: &[(&str, u32)] =
    &[("RESP-", 47), ("GATE-", 47), ("RELAY-", 34), ("AGENT-", 56), ("KNOW-", 30), ("FIELD-", 31), ("P", 78)];

/// Whether there is a guarantee of that id. Numbers have two digits where the family's name ends in a hyphen.
fn is_known(id: &str) -> bool {
    FAMILIES.iter().any(|(family, last)| {
        let number = id.strip_prefix(family).and_then(|number| number.parse::<u32>().ok());
        let written = |number: u32| if family.ends_with('-') { format!("{number:02}") } else { number.to_string() };
        number.is_some_and(|number| (1..=*last).contains(&number) && id == format!("{family}{}", written(number)))
    })
}

/// `| id | module::path::test_name | the one-line change that made it fail |`
struct Row {
    id: String,
    test: String,
    change: String,
}

fn rows(text: &str) -> Vec<Row> {
    let cells = |line: &str| -> Option<Row> {
        let mut cells = line.strip_prefix('|')?.split('|').map(|cell| cell.trim().trim_matches('`').to_owned());
        let row = Row { id: cells.next()?, test: cells.next()?, change: cells.next()? };
        (row.id.contains('-') || row.id.starts_with('P')).then_some(row)
    };
    text.lines().filter(|line| !line.starts_with("|-") && !line.starts_with("| -")).filter_map(cells).collect()
}

/// The module that a file is: `src/vault/tests/ring.rs` is `vault::tests::ring`, and `crates/domain/src/breaker.rs` is
/// `domain::breaker`.
fn module(path: &str) -> String {
    let path = path.trim_start_matches("src/").trim_start_matches("tests/").trim_start_matches("crates/");
    let path = path.replacen("/src/", "/", 1);
    let path = path.trim_end_matches(".rs").trim_end_matches(".py").trim_end_matches("/mod");
    path.replace('/', "::")
}

fn exists(test: &str, sources: &[Source]) -> bool {
    let Some((path, name)) = test.rsplit_once("::") else { return false };
    let path = module(path);
    let (rust, python) = (format!("fn {name}("), format!("def {name}("));
    let matching = |source: &&Source| module(&source.path).ends_with(&path);
    sources.iter().filter(matching).any(|source| source.text.contains(&rust) || source.text.contains(&python))
}

#[test]
fn every_test_named_for_a_guarantee_exists() {
    let text = std::fs::read_to_string(root().join("docs/guarantees.md")).unwrap();
    let mut code = sources("src", &[".rs"]);
    code.extend(sources("crates", &[".rs"]));
    code.extend(sources("tests", &[".rs", ".py"]));
    let rows = rows(&text);
    assert!(!rows.is_empty(), "docs/guarantees.md has no rows");
    let mut violations = Vec::new();
    for row in &rows {
        if !exists(&row.test, &code) {
            violations.push(format!("{}: there is no test {}", row.id, row.test));
        }
        if !is_known(&row.id) {
            violations.push(format!("{}: there is no such guarantee", row.id));
        }
        if row.change.is_empty() {
            violations.push(format!("{}: says no change that made {} fail", row.id, row.test));
        }
    }
    let pairs: BTreeSet<_> = rows.iter().map(|row| (&row.id, &row.test)).collect();
    if pairs.len() != rows.len() {
        violations.push("a row is there twice".to_owned());
    }
    report("docs/guarantees.md", &violations);
}

#[test]
fn a_test_that_is_not_there_is_found_out() {
    let source = |path: &str| Source { path: path.to_owned(), text: "fn it_holds() {}".to_owned() };
    let sources = [source("src/vault/tests/ring.rs"), source("crates/domain/src/breaker.rs")];
    assert!(exists("vault::tests::ring::it_holds", &sources));
    assert!(exists("src/vault/tests/ring.rs::it_holds", &sources));
    assert!(exists("domain::breaker::it_holds", &sources));
    assert!(!exists("vault::tests::ring::it_is_gone", &sources));
    assert!(!exists("vault::tests::content::it_holds", &sources));
}

#[test]
fn ids_of_guarantees_are_known_by_their_families_and_numbers() {
    for id in ["RESP-01", "RESP-47", "FIELD-31", "P1", "P78"] {
        assert!(is_known(id), "{id}");
    }
    for id in ["RESP-1", "RESP-48", "RESP-00", "P0", "P01", "P79", "FOO-01", "P"] {
        assert!(!is_known(id), "{id}");
    }
}
