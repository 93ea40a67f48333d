//! From what a deserializer says to what people are told.

use crate::config::nearest::nearest;

/// What is wrong with a value, without a quote of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// There is no key of that name; these are there.
    UnknownKey { name: String, known: Vec<String> },
    /// Something else was expected.
    Value(String),
}

impl Reason {
    /// The reason in a deserializer's error, which says it in serde's words.
    pub(super) fn of(told: &str, value: &str) -> Self {
        if let Some(rest) = told.strip_prefix("unknown field ") {
            let mut quoted = quoted(rest).into_iter();
            let name = quoted.next().unwrap_or_default();
            return Self::UnknownKey { name, known: quoted.collect() };
        }
        if told.starts_with("unknown variant ") {
            let words: Vec<String> = quoted(told).into_iter().skip(1).collect();
            return Self::Value(format!("expected {}{}", one_of(&words), meant(value, &words)));
        }
        if told == "invalid socket address syntax" {
            return Self::Value(ADDRESS.to_owned());
        }
        let is_mismatch = told.starts_with("invalid type: ") || told.starts_with("invalid value: ");
        match told.rsplit_once(", expected ").filter(|_| is_mismatch) {
            Some((_, expected)) => Self::Value(plainly(expected)),
            None => Self::Value(told.to_owned()),
        }
    }
}

const ADDRESS: &str = "expected an address and a port, such as \"127.0.0.1:8080\"";

/// What Rust calls the type that was expected, in words of the file.
pub(super) fn plainly(expected: &str) -> String {
    if expected.starts_with("struct ") || expected == "a map" {
        return "this is a section: its keys go below it".to_owned();
    }
    match expected {
        "usize" | "u32" | "u64" | "an integer" | "an unsigned 64 bit or less integer" => {
            "expected a whole number, 0 or more".to_owned()
        }
        "a boolean" => "expected true or false".to_owned(),
        "a string" | "path string" => "expected a text in quotes".to_owned(),
        "socket address" => ADDRESS.to_owned(),
        other => format!("expected {other}"),
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn one_of(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        all => all.concat(),
    }
}

fn meant(value: &str, words: &[String]) -> String {
    match nearest(value, words.iter().map(String::as_str)) {
        Some(word) => format!("; did you mean \"{word}\"?"),
        None => String::new(),
    }
}
