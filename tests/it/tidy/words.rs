use super::{report, root, rust, sources};

/// Signs of unfinished work, and of tests that are switched off or say nothing. Cut in two, so that this file
/// does not hold them.
const UNFINISHED: &[(&str, &str)] = &[
    ("to", "do!"),
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("unimple", "mented"),
    ("not yet imple", "mented"),
    ("#[ig", "nore"),
    ("#[should", "_panic"),
    ("fn te", "st_"),
];

const MACHINE_PATHS: &[(&str, &str)] = &[("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/")];

const ENDINGS: &[&str] = &[".rs", ".toml", ".md", ".py", ".sh", ".lock", ".mjs", ".json", "run", "long"];

/// Libraries that would be a second TLS or crypto stack.
const BANNED: &[&str] = &["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"];

fn violations(words: &[(&str, &str)], sources: &[super::Source]) -> Vec<String> {
    let words: Vec<String> = words.iter().map(|(head, tail)| format!("{head}{tail}")).collect();
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {word}", source.path, number + 1));
            }
        }
    }
    found
}

#[test]
fn nothing_is_left_unfinished_or_switched_off() {
    report("unfinished work", &violations(UNFINISHED, &rust()));
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    report("paths of a machine", &violations(MACHINE_PATHS, &sources(".", ENDINGS)));
}

#[test]
fn no_lock_file_of_packages_names_a_server_to_fetch_them_from() {
    report("servers of packages", &violations(&[("\"resol", "ved\"")], &sources(".", &["package-lock.json"])));
}

#[test]
fn there_is_one_tls_library_on_one_crypto_library() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let is_banned = |name: &&&str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    let found: Vec<String> = BANNED.iter().filter(is_banned).map(ToString::to_string).collect();
    report("second crypto or TLS libraries", &found);
}

/// The Rust files that a page names, in code.
fn named_files(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2).filter(|code| code.ends_with(".rs") && code.contains('/') && !code.contains(' '))
}

#[test]
fn the_files_that_the_pages_name_are_there() {
    let mut violations = Vec::new();
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root().join(page)).unwrap();
        let missing = |file: &&str| !root().join(file).exists() && !root().join("src").join(file).exists();
        // Recipes have a name to be filled in.
        let named = named_files(&text).filter(|file| !file.contains("NAME") && !file.contains("NOUN"));
        violations.extend(named.filter(missing).map(|file| format!("{page}: {file}")));
    }
    report("files that are named and not there, from the root or from src", &violations);
}
