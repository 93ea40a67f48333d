//! What may import what: the exact list, which a change of the structure has to change too.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, is_test, report, root, sources};

/// The crates of the workspace, each with those that it needs. Cargo refuses a circle.
const CRATES: &[(&str, &[&str])] = &[
    ("antiphon-entities", &[]),
    ("antiphon-fault-points", &[]),
    ("antiphon-migration", &[]),
    ("antiphon-protocol", &[]),
    ("antiphon-supervision", &[]),
    ("antiphon-domain", &["antiphon-protocol"]),
    ("antiphon-clock", &["antiphon-domain"]),
    ("antiphon-tokens", &["antiphon-domain", "antiphon-protocol"]),
    ("antiphon-providers", &["antiphon-clock", "antiphon-domain", "antiphon-protocol", "antiphon-tokens"]),
    ("antiphon-store", &["antiphon-clock", "antiphon-domain", "antiphon-protocol"]),
    (
        "antiphon-store-sql",
        &[
            "antiphon-domain",
            "antiphon-entities",
            "antiphon-fault-points",
            "antiphon-migration",
            "antiphon-protocol",
            "antiphon-store",
        ],
    ),
    (
        "antiphon",
        &[
            "antiphon-clock",
            "antiphon-domain",
            "antiphon-fault-points",
            "antiphon-protocol",
            "antiphon-providers",
            "antiphon-store",
            "antiphon-store-sql",
            "antiphon-supervision",
            "antiphon-tokens",
        ],
    ),
    ("antiphon-bench", &["antiphon"]),
    ("antiphon-chaos", &["antiphon"]),
    ("antiphon-fuzz", &["antiphon-domain", "antiphon-protocol", "antiphon-providers"]),
    ("without-server", &["antiphon"]),
];

/// The modules of the library, each with those that it imports. What stands on top of all (`main`, `lib`) and the testkit
/// may import every one.
const MODULES: &[(&str, &[&str])] = &[
    ("store", &[]),
    ("vault", &["protocol", "store"]),
    ("access", &["domain", "protocol", "store", "vault"]),
    ("journal", &["domain", "protocol", "store", "vault"]),
    ("refusal", &["domain", "journal", "protocol", "provider", "store", "tokens", "vault"]),
    ("actors", &["clock", "domain", "fault", "journal", "protocol", "provider", "refusal", "store", "tokens", "vault"]),
    ("admission", &["actors", "domain", "protocol", "refusal"]),
    (
        "antiphon",
        &[
            "access",
            "actors",
            "admission",
            "clock",
            "domain",
            "journal",
            "protocol",
            "provider",
            "refusal",
            "store",
            "tokens",
            "vault",
        ],
    ),
    (
        "http",
        &["access", "actors", "admission", "antiphon", "domain", "fault", "protocol", "provider", "refusal", "store"],
    ),
    ("config", &["actors", "domain", "http", "provider", "store", "vault"]),
    (
        "cli",
        &[
            "access",
            "admission",
            "antiphon",
            "clock",
            "config",
            "domain",
            "http",
            "protocol",
            "provider",
            "store",
            "tokens",
            "vault",
        ],
    ),
    ("telemetry", &["config"]),
];

/// What the two lowest crates must not know.
const IMPURE: &[&str] = &[
    "actix",
    "tokio",
    "sea_orm",
    "reqwest",
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "tracing",
];

/// What may import every module.
const TOP: &[&str] = &["main", "lib", "testkit"];

/// The top module that a file belongs to.
fn module(path: &str) -> &str {
    let inside = path.trim_start_matches("src/");
    inside.split('/').next().unwrap_or(inside).trim_end_matches(".rs")
}

/// The names that follow every `crate::`, also in a list of braces.
fn imports(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    code.split("crate::").skip(1).flat_map(first_names).collect()
}

pub(super) fn first_names(after: &str) -> Vec<String> {
    let ident = |text: &str| -> String { text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(list) = after.strip_prefix('{') else { return vec![ident(after)] };
    let (mut depth, mut names, mut item) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(std::mem::take(&mut item)),
            _ => {}
        }
        if depth == 0 && c != ',' {
            item.push(c);
        }
    }
    names.push(item);
    names.iter().map(|name| ident(name.trim())).filter(|name| !name.is_empty()).collect()
}

pub(super) type Edges = BTreeMap<String, BTreeSet<String>>;

fn listed(list: &[(&str, &[&str])]) -> Edges {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    list.iter().map(|(name, needs)| (name.to_string(), names(needs))).collect()
}

/// What is in one and not in the other, in words.
fn differences(found: &Edges, listed: &Edges) -> Vec<String> {
    let nothing = BTreeSet::new();
    let names: BTreeSet<_> = found.keys().chain(listed.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let (found, listed) = (found.get(name).unwrap_or(&nothing), listed.get(name).unwrap_or(&nothing));
        differences.extend(found.difference(listed).map(|other| format!("{name} imports {other}: not in the list")));
        differences.extend(listed.difference(found).map(|other| format!("{name} no longer imports {other}")));
    }
    differences
}

/// A name that comes back to itself, if there is one.
pub(super) fn circle(edges: &Edges) -> Option<&String> {
    let mut left: BTreeSet<&String> = edges.keys().collect();
    loop {
        let leaf = left.iter().copied().find(|name| edges[*name].iter().all(|other| !left.contains(other)));
        match leaf {
            Some(leaf) => left.remove(leaf),
            None => return left.first().copied(),
        };
    }
}

#[test]
fn modules_import_exactly_what_the_list_says() {
    let mut found = Edges::new();
    for source in sources("src", &[".rs"]).iter().filter(|source| !is_test(&source.path)) {
        let own = module(&source.path);
        if !TOP.contains(&own) {
            let others = imports(&source.text).into_iter().filter(|other| other != own && !other.is_empty());
            found.entry(own.to_owned()).or_default().extend(others);
        }
    }
    report("imports between modules", &differences(&found, &listed(MODULES)));
    assert_eq!(circle(&found), None, "imports run in a circle");
}

#[test]
fn crates_need_exactly_what_the_list_says() {
    let mut found = Edges::new();
    for manifest in sources(".", &["Cargo.toml"]) {
        found.extend(needs(&manifest));
    }
    report("crates of the workspace", &differences(&found, &listed(CRATES)));
}

/// A crate of the workspace, and those that its manifest names. What its tests need does not count.
fn needs(manifest: &Source) -> Option<(String, BTreeSet<String>)> {
    let (_, package) = manifest.text.split_once("[package]")?;
    let name = package.lines().find_map(|line| line.strip_prefix("name = "))?.trim_matches('"').to_owned();
    let (_, after) = package.split_once("\n[dependencies]\n")?;
    let dependencies = after.split("\n[").next()?.lines();
    let names =
        dependencies.filter_map(|line| line.split(['.', ' ']).next()).filter(|name| name.starts_with("antiphon"));
    Some((name, names.map(str::to_owned).collect()))
}

#[test]
fn no_module_imports_through_the_root() {
    let mut violations = Vec::new();
    for source in sources("src", &[".rs"]).iter().filter(|source| !TOP.contains(&module(&source.path))) {
        for import in imports(&source.text) {
            if import.starts_with(char::is_uppercase) {
                violations.push(format!("{} imports crate::{import}; name its module", source.path));
            }
        }
    }
    report("imports that hide their module", &violations);
}

#[test]
fn protocol_and_domain_are_pure() {
    let mut violations = Vec::new();
    for source in [sources("crates/protocol/src", &[".rs"]), sources("crates/domain/src", &[".rs"])].concat() {
        if is_test(&source.path) {
            continue;
        }
        for (number, line) in source.text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for word in IMPURE.iter().filter(|word| code.contains(*word)) {
                violations.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    report("the lowest crates do IO, read a clock or know a framework", &violations);
}

/// That a crate uses only what its manifest names is the compiler's word; what that may be is said here.
#[test]
fn supervision_needs_nothing_else_of_the_workspace() {
    let manifest = std::fs::read_to_string(root().join("crates/supervision/Cargo.toml")).unwrap();
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap();
    let dependencies = after.split("\n[").next().unwrap().lines();
    let names: Vec<_> = dependencies.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).collect();
    assert_eq!(names, ["actix", "actix-rt", "parking_lot", "thiserror", "tokio", "tracing"]);
}

#[test]
fn only_the_sql_adapter_and_its_tables_depend_on_sea_orm() {
    let mut found = Vec::new();
    let harness = |path: &str| path.starts_with("harness/");
    for manifest in sources(".", &["Cargo.toml"]).into_iter().filter(|manifest| !harness(&manifest.path)) {
        let (_, after) = manifest.text.split_once("\n[dependencies]\n").unwrap_or_default();
        let dependencies = after.split("\n[").next().unwrap_or_default();
        if dependencies.lines().any(|line| line.starts_with("sea-orm")) {
            found.push(manifest.path);
        }
    }
    assert_eq!(found, ["crates/store-sql/Cargo.toml", "entities/Cargo.toml", "migration/Cargo.toml"]);
}

#[test]
fn a_circle_is_found_and_a_tree_is_none() {
    let tree = listed(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &[])]);
    assert_eq!(circle(&tree), None);
    let ring = listed(&[("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
    assert_eq!(circle(&ring).map(String::as_str), Some("a"));
    assert_eq!(differences(&ring, &tree).len(), 2);
}

#[test]
fn the_import_reader_sees_single_names_lists_and_nested_lists() {
    let text = "use crate::store;\nuse crate::{vault::{Vault, Error}, access::Accounts, domain};\n// crate::actors\n";
    assert_eq!(imports(text), ["store", "vault", "access", "domain"]);
}
