//! What a deserializer's error says, in plain words.

use crate::config::suggestion::closest;

/// What is wrong with a value, without a quote of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ValueError {
    /// There is no key of that name; these are there.
    UnknownKey { name: String, known: Vec<String> },
    /// Something else was expected.
    Value(String),
}

impl ValueError {
    /// Reads the error of a deserializer, which is in serde's words.
    pub(super) fn of(error: &str, value: &str) -> Self {
        if let Some(rest) = error.strip_prefix("unknown field ") {
            let mut quoted = quoted(rest).into_iter();
            let name = quoted.next().unwrap_or_default();
            return Self::UnknownKey { name, known: quoted.collect() };
        }
        if error.starts_with("unknown variant ") {
            let words: Vec<String> = quoted(error).into_iter().skip(1).collect();
            return Self::Value(format!("expected {}{}", one_of(&words), suggestion(value, &words)));
        }
        if error == "invalid socket address syntax" {
            return Self::Value(ADDRESS.to_owned());
        }
        let is_mismatch = error.starts_with("invalid type: ") || error.starts_with("invalid value: ");
        match error.rsplit_once(", expected ").filter(|_| is_mismatch) {
            Some((_, expected)) => Self::Value(in_words_of_the_file(expected)),
            None => Self::Value(error.to_owned()),
        }
    }
}

const ADDRESS: &str = "expected an address and a port, such as \"127.0.0.1:8080\"";

/// The type that was expected: Rust's name for it, in words of the file.
fn in_words_of_the_file(expected: &str) -> String {
    if expected.starts_with("struct ") || expected == "a map" {
        return "this is a section: its keys go below it".to_owned();
    }
    match expected {
        "usize" | "u32" | "u64" | "an integer" | "an unsigned 64 bit or less integer" => {
            "expected a whole number, 0 or more".to_owned()
        }
        "a nonzero usize" => "expected a whole number, 1 or more".to_owned(),
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

fn suggestion(value: &str, words: &[String]) -> String {
    match closest(value, words.iter().map(String::as_str)) {
        Some(word) => format!("; did you mean \"{word}\"?"),
        None => String::new(),
    }
}
