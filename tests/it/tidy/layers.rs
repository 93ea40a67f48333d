use super::{is_test, report, root, sources};

/// The modules of the crate, lowest first. Those of one line may use each other, and all that are above them
/// here. The adapters behind the ports are in the ports' own modules.
const LAYERS: &[&[&str]] = &[
    &["protocol"],
    &["domain"],
    &["clock", "fault"],
    &["store"],
    &["vault"],
    &["access", "journal", "provider", "tokens"],
    &["refusal"],
    &["actors"],
    // Asks the actors for what was said before.
    &["admission"],
    &["antiphon"],
    &["config", "http", "telemetry"],
    &["cli", "serve"],
    &["main", "lib", "testkit"],
];

/// What the two lowest layers must not know.
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

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

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

fn first_names(after: &str) -> Vec<String> {
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

#[test]
fn imports_point_one_way() {
    let mut violations = Vec::new();
    for source in sources("src", &[".rs"]).iter().filter(|source| !is_test(&source.path)) {
        let Some(own) = layer(module(&source.path)) else {
            violations.push(format!("{}: this module has no layer yet; give it one in tests/it/tidy", source.path));
            continue;
        };
        for import in imports(&source.text) {
            if layer(&import).is_some_and(|other| other > own) {
                violations.push(format!("{} imports {import}", source.path));
            }
        }
    }
    report("imports against the arrows of the architecture", &violations);
}

#[test]
fn no_module_imports_through_the_root() {
    let mut violations = Vec::new();
    let top = LAYERS.len() - 1;
    for source in sources("src", &[".rs"]).iter().filter(|source| layer(module(&source.path)) != Some(top)) {
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
    report("the lowest layers do IO, read a clock or know a framework", &violations);
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
fn the_import_reader_sees_single_names_lists_and_nested_lists() {
    let text = "use crate::store;\nuse crate::{vault::{Vault, Error}, access::Principal, domain};\n// crate::actors\n";
    assert_eq!(imports(text), ["store", "vault", "access", "domain"]);
}
