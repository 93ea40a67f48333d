//! Takes sentences apart and puts answers together.

use super::reflect::reflect;
use super::sentence::Word;

/// Matches the words against a pattern: words stand for themselves, `a|b` for either, `*` for any number of words.
/// Gives back what stood for each `*` and each alternative, in order.
pub(super) fn take_apart<'a>(pattern: &str, words: &'a [Word]) -> Option<Vec<&'a [Word]>> {
    let elements: Vec<&str> = pattern.split(' ').collect();
    let mut parts = Vec::new();
    matches(&elements, words, &mut parts).then_some(parts)
}

fn matches<'a>(elements: &[&str], words: &'a [Word], parts: &mut Vec<&'a [Word]>) -> bool {
    let Some((element, elements)) = elements.split_first() else { return words.is_empty() };
    if *element == "*" {
        return (0..=words.len()).any(|taken| attempt(elements, words, taken, parts));
    }
    let Some(word) = words.first() else { return false };
    if element.contains('|') {
        return element.split('|').any(|one| one == word.plain) && attempt(elements, words, 1, parts);
    }
    *element == word.plain && matches(elements, &words[1..], parts)
}

fn attempt<'a>(elements: &[&str], words: &'a [Word], taken: usize, parts: &mut Vec<&'a [Word]>) -> bool {
    let depth = parts.len();
    parts.push(&words[..taken]);
    let matched = matches(elements, &words[taken..], parts);
    if !matched {
        parts.truncate(depth);
    }
    matched
}

/// Fills `{1}`, `{2}` ... of a template with the parts, their persons turned around.
pub(super) fn put_together(template: &str, parts: &[&[Word]]) -> String {
    let mut answer = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        answer.push_str(before);
        let (number, after) = after.split_once('}').unwrap_or((after, ""));
        let part = number.parse::<usize>().ok().and_then(|number| parts.get(number.wrapping_sub(1)));
        answer.push_str(&part.map(|words| reflect(words)).unwrap_or_default());
        rest = after;
    }
    answer.push_str(rest);
    answer
}

/// Whether every part that the template uses has words in it.
pub(super) fn can_fill(template: &str, parts: &[&[Word]]) -> bool {
    parts.iter().enumerate().all(|(at, words)| !words.is_empty() || !template.contains(&format!("{{{}}}", at + 1)))
}
