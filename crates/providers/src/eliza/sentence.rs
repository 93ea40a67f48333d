//! What the user said, as words.

/// The most characters of one message that are listened to.
const MOST_CHARS: usize = 2_000;

/// A word as it was written and as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) shown: String,
    pub(super) plain: String,
}

/// Short forms, taken apart so that the rules see their words.
const SPELLED_OUT: &[(&str, &[&str])] = &[
    ("i'm", &["i", "am"]),
    ("im", &["i", "am"]),
    ("i've", &["i", "have"]),
    ("i'd", &["i", "would"]),
    ("i'll", &["i", "will"]),
    ("you're", &["you", "are"]),
    ("you've", &["you", "have"]),
    ("what's", &["what", "is"]),
    ("who's", &["who", "is"]),
    ("it's", &["it", "is"]),
    ("that's", &["that", "is"]),
    ("dont", &["don't"]),
    ("cant", &["can't"]),
    ("cannot", &["can't"]),
    ("wont", &["won't"]),
    ("mom", &["mother"]),
    ("mum", &["mother"]),
    ("dad", &["father"]),
];

/// The sentences of a message, each a list of words; sentences without a word are left out.
pub(super) fn sentences(message: &str) -> Vec<Vec<Word>> {
    let shortened: String = message.chars().take(MOST_CHARS).collect();
    shortened.split(ends_sentence).map(words).filter(|words| !words.is_empty()).collect()
}

fn ends_sentence(char: char) -> bool {
    matches!(char, '.' | ',' | ';' | ':' | '!' | '?' | '\n' | '(' | ')')
}

fn words(sentence: &str) -> Vec<Word> {
    let kept = |char: char| char.is_alphanumeric() || matches!(char, '\'' | '\u{2019}' | '-' | '_');
    sentence.split(|char| !kept(char)).filter(|word| word.contains(char::is_alphanumeric)).flat_map(word).collect()
}

fn word(shown: &str) -> Vec<Word> {
    let plain = shown.replace('\u{2019}', "'").to_lowercase();
    match SPELLED_OUT.iter().find(|(short, _)| *short == plain) {
        Some((_, long)) => {
            long.iter().map(|word| Word { shown: (*word).to_owned(), plain: (*word).to_owned() }).collect()
        }
        None => vec![Word { shown: shown.to_owned(), plain }],
    }
}
