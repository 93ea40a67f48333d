//! Turns the persons of a phrase around: what I say of myself, you say of me.

use super::sentence::Word;

const PAIRS: &[([&str; 2], &str)] = &[
    (["i", "am"], "you are"),
    (["i", "was"], "you were"),
    (["you", "are"], "I am"),
    (["you", "were"], "I was"),
    (["am", "i"], "are you"),
    (["are", "you"], "am I"),
];

const SINGLES: &[(&str, &str)] = &[
    ("i", "you"),
    ("me", "you"),
    ("my", "your"),
    ("mine", "yours"),
    ("myself", "yourself"),
    ("am", "are"),
    ("you", "I"),
    ("your", "my"),
    ("yours", "mine"),
    ("yourself", "myself"),
];

/// The phrase as the other one would say it.
pub(super) fn reflect(words: &[Word]) -> String {
    let mut turned = Vec::with_capacity(words.len());
    let mut rest = words;
    while let [first, after @ ..] = rest {
        let pair = after
            .first()
            .and_then(|second| PAIRS.iter().find(|([one, two], _)| *one == first.plain && *two == second.plain));
        match pair {
            Some((_, phrase)) => {
                turned.push(*phrase);
                rest = &after[1..];
            }
            None => {
                turned.push(single(first, after.is_empty()));
                rest = after;
            }
        }
    }
    turned.join(" ")
}

fn single(word: &Word, last: bool) -> &str {
    // "you" is me where something is done to it, which in a phrase is most often its end.
    if last && word.plain == "you" {
        return "me";
    }
    SINGLES.iter().find(|(from, _)| *from == word.plain).map_or(word.shown.as_str(), |(_, to)| to)
}
