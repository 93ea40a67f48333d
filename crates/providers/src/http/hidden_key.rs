//! Keys in the words of a provider: some quote the one that they were asked with.

use antiphon_domain::without_controls;
use secrecy::{ExposeSecret, SecretString};

/// What stands where a key stood.
const REPLACEMENT: &str = "[key]";

/// As much in common with the key makes a word a part of it, in characters.
const PART: usize = 8;

/// How keys of this server and of providers begin.
const BEGINNINGS: [&str; 13] =
    ["ak_", "sk-", "sk_", "gsk_", "xai-", "aiza", "hf_", "nvapi-", "pplx-", "csk-", "tgp_", "fw_", "r8_"];

/// The text without control characters, and without the key or anything that looks like one.
pub(super) fn hide_key(text: &str, key: Option<&SecretString>) -> String {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| !key.is_empty());
    let mut text = without_controls(text);
    if let Some(key) = key {
        text = text.replace(key, REPLACEMENT);
    }
    let mut hidden = String::with_capacity(text.len());
    let mut word = String::new();
    for char in text.chars() {
        if is_of_word(char) {
            word.push(char);
            continue;
        }
        hidden.push_str(shown(&word, key));
        word.clear();
        hidden.push(char);
    }
    hidden.push_str(shown(&word, key));
    hidden
}

fn is_of_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '*' | '.' | '+' | '/' | '=' | '~')
}

fn shown<'a>(word: &'a str, key: Option<&str>) -> &'a str {
    let lower = word.to_ascii_lowercase();
    let begins_as_keys = lower.len() >= PART && BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning));
    let is_masked = word.contains("***");
    if begins_as_keys || is_masked || key.is_some_and(|key| has_part(word, key)) { REPLACEMENT } else { word }
}

/// Whether a word and the key share that many characters in a row. Both are ASCII.
fn has_part(word: &str, key: &str) -> bool {
    key.as_bytes().windows(PART).any(|part| word.as_bytes().windows(PART).any(|of_word| of_word == part))
}
