//! Whoever runs the server finds every warning and every cause in `docs/operations.md`.

use antiphon::domain::Cause;

use super::{production, report, root};

/// The texts of all warnings and errors that are logged: the last text of each call of the macros.
fn lines(code: &str) -> Vec<String> {
    let calls = |name: &str| code.split(name).skip(1).filter_map(last_text).collect::<Vec<_>>();
    [calls("tracing::warn!("), calls("tracing::error!(")].concat()
}

/// The last text up to the end of a call.
fn last_text(after: &str) -> Option<String> {
    let (mut depth, mut begun, mut last) = (1, None, None);
    let mut letters = after.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (letter, begun) {
            ('\\', Some(_)) => drop(letters.next()),
            ('"', Some(begun)) => last = Some(after[begun..at].to_owned()),
            ('(', None) => depth += 1,
            (')', None) => depth -= 1,
            _ => {}
        }
        if letter == '"' {
            begun = if begun.is_none() { Some(at + 1) } else { None };
        }
        if depth == 0 {
            return last;
        }
    }
    None
}

#[test]
fn every_warning_and_every_cause_is_explained_to_those_who_run_the_server() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let mut missing = Vec::new();
    let mut found = 0;
    for source in production() {
        for line in lines(&source.text) {
            found += 1;
            // The warnings about a dangerous configuration are sentences of their own.
            if line != "{warning}" && !page.contains(&format!("`{line}`")) {
                missing.push(format!("{}: {line}", source.path));
            }
        }
    }
    assert!(found > 50, "{found}");
    let causes = Cause::ALL.iter().map(|cause| cause.as_str());
    missing.extend(causes.filter(|cause| !page.contains(&format!("| `{cause}` |"))).map(str::to_owned));
    report("docs/operations.md", &missing);
}

#[test]
fn every_code_of_a_request_that_is_refused_is_explained_once() {
    let page = std::fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let list = page.split("Requests that are refused before there is a response").nth(1).unwrap();
    let list = list.split("\n\n").next().unwrap();
    let code = std::fs::read_to_string(root().join("src/http/error_code.rs")).unwrap();
    let names = code.split("fn as_str").nth(1).unwrap().split("fn status").next().unwrap();
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert!(names.len() > 20, "{names:?}");
    let odd = names.iter().filter(|name| list.matches(&format!("`{name}`")).count() != 1);
    report("docs/operations.md", &odd.map(|name| format!("`{name}` is not there once")).collect::<Vec<_>>());
}

#[test]
fn the_last_text_of_a_call_is_its_line() {
    let code = "tracing::warn!(error = %error, \"first :)\");\n{ tracing::error!(\n    a = f(\"x\"),\n    \"second (it\"\n); }\n\
                Err(e) => tracing::warn!(e = \"k\", \"third\"), \"none\"";
    assert_eq!(lines(code), ["first :)", "third", "second (it"]);
}
