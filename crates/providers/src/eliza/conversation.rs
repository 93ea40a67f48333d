//! The conversation itself: pure, and the same every time.

use std::collections::{HashMap, VecDeque};

use super::pattern::{can_fill, put_together, take_apart};
use super::script::{CLOSING, FALLBACKS, GREETING, KEYWORDS, Keyword, MEMORIES};
use super::sentence::{Word, sentences};

/// The most messages, counted from the last, that are remembered.
const MOST_MESSAGES: usize = 50;

/// The most phrases that are kept for later.
const MOST_MEMORIES: usize = 8;

/// What ELIZA answers to the last of the user's messages, after all those before it.
pub(super) fn reply(messages: &[&str]) -> String {
    let skipped = messages.len().saturating_sub(MOST_MESSAGES);
    let mut listener = Listener::default();
    let mut answer = GREETING.to_owned();
    for message in &messages[skipped..] {
        answer = listener.answer(message);
    }
    answer
}

#[derive(Default)]
struct Listener {
    /// How often each list of answers was used, by its address in the script.
    used: HashMap<*const &'static str, usize>,
    memories: VecDeque<String>,
}

impl Listener {
    fn answer(&mut self, message: &str) -> String {
        let sentences = sentences(message);
        let mut found: Vec<(&Keyword, &[Word])> =
            sentences.iter().flat_map(|words| keywords(words).map(|keyword| (keyword, words.as_slice()))).collect();
        found.sort_by_key(|(keyword, _)| std::cmp::Reverse(keyword.rank));
        let answer = found.iter().find_map(|(keyword, words)| self.by_rule(keyword, words));
        let answer = answer.or_else(|| self.memories.pop_front()).unwrap_or_else(|| self.fallback(&sentences));
        sentences.iter().for_each(|words| self.remember(words));
        answer
    }

    fn by_rule(&mut self, keyword: &Keyword, words: &[Word]) -> Option<String> {
        keyword.rules.iter().find_map(|rule| {
            let parts = take_apart(rule.pattern, words)?;
            // Some templates need words where the sentence has none.
            (0..rule.answers.len())
                .map(|_| self.next(rule.answers))
                .find(|template| can_fill(template, &parts))
                .map(|template| put_together(template, &parts))
        })
    }

    fn fallback(&mut self, sentences: &[Vec<Word>]) -> String {
        self.next(if sentences.is_empty() { CLOSING } else { FALLBACKS }).to_owned()
    }

    /// Keeps what the user tells of himself, to come back to it when there is nothing else to say.
    fn remember(&mut self, words: &[Word]) {
        let Some(parts) = take_apart("* my *", words) else { return };
        let template = self.next(MEMORIES);
        if can_fill(template, &parts) && self.memories.len() < MOST_MEMORIES {
            self.memories.push_back(put_together(template, &parts));
        }
    }

    fn next(&mut self, answers: &'static [&'static str]) -> &'static str {
        let used = self.used.entry(answers.as_ptr()).or_default();
        let answer = answers.get(*used % answers.len().max(1)).copied().unwrap_or_default();
        *used += 1;
        answer
    }
}

/// The keywords of a sentence, in its order.
fn keywords(words: &[Word]) -> impl Iterator<Item = &'static Keyword> {
    words.iter().filter_map(|word| KEYWORDS.iter().find(|keyword| keyword.words.contains(&word.plain.as_str())))
}
