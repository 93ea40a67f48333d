//! Keys in the words of a provider: some quote the one that they were asked with.

use std::collections::HashSet;

use antiphon_domain::{ProviderRejection, without_controls};
use secrecy::{ExposeSecret, SecretString};

/// What stands where a key stood.
const REPLACEMENT: &str = "[key]";

/// As much in common with the key makes a word a part of it, in characters.
const PART: usize = 8;

/// How keys of this server and of providers begin.
const BEGINNINGS: [&str; 13] =
    ["ak_", "sk-", "sk_", "gsk_", "xai-", "aiza", "hf_", "nvapi-", "pplx-", "csk-", "tgp_", "fw_", "r8_"];

/// What a provider said, without the key or anything that looks like one. A key that is no longer than an ordinary word
/// is looked for in the message alone: parameters and codes are ordinary words.
pub(super) fn hide_key(rejection: ProviderRejection, key: Option<&SecretString>) -> ProviderRejection {
    let key = key.map(ExposeSecret::expose_secret).filter(|key| !key.is_empty());
    let (in_message, in_names) = (HiddenKey::of(key), HiddenKey::of(key.filter(|key| key.len() >= PART)));
    let hidden = |text: Option<String>, key: &HiddenKey<'_>| text.map(|text| key.hide(&text));
    ProviderRejection {
        message: hidden(rejection.message, &in_message),
        param: hidden(rejection.param, &in_names),
        code: hidden(rejection.code, &in_names),
        status: rejection.status,
    }
}

/// A key, and its parts.
struct HiddenKey<'a> {
    key: Option<&'a str>,
    /// None of a key that is shorter than a part.
    parts: HashSet<&'a [u8]>,
}

impl<'a> HiddenKey<'a> {
    fn of(key: Option<&'a str>) -> Self {
        Self { key, parts: key.map_or_else(HashSet::new, |key| key.as_bytes().windows(PART).collect()) }
    }

    /// The text without control characters and without the key.
    fn hide(&self, text: &str) -> String {
        let mut text = without_controls(text);
        if let Some(key) = self.key.filter(|key| key.len() >= PART) {
            text = text.replace(key, REPLACEMENT);
        }
        let mut hidden = String::with_capacity(text.len());
        for piece in text.split_inclusive(|char| !is_of_word(char)) {
            let word = piece.trim_end_matches(|char| !is_of_word(char));
            hidden.push_str(if self.is_hidden(word) { REPLACEMENT } else { word });
            hidden.push_str(&piece[word.len()..]);
        }
        hidden
    }

    fn is_hidden(&self, word: &str) -> bool {
        let lower = word.to_ascii_lowercase();
        let begins_as_keys = lower.len() >= PART && BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning));
        let is_masked = word.contains("***");
        // What is shorter than a part is the key only as a whole word.
        let is_key = self.key.is_some_and(|key| !bare(key).is_empty() && bare(word) == bare(key));
        begins_as_keys || is_masked || is_key || word.as_bytes().windows(PART).any(|part| self.parts.contains(part))
    }
}

fn is_of_word(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '*' | '.' | '+' | '/' | '=' | '~')
}

/// A word without what may stand around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|char: char| !char.is_ascii_alphanumeric())
}
