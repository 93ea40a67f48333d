use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{WORDS, WordMeaning, finish_reason, folded, meaning};
use crate::{Error, Report};
use antiphon_domain::FinishReason;

const UNKNOWN: Option<Result<FinishReason, Error>> =
    Some(Err(Error::Protocol { what: "a reason to finish that is not known" }));

#[test]
fn words_in_every_spelling_end_an_answer_as_they_say() {
    let length = || Some(Ok(FinishReason::Length));
    let filtered = || Some(Ok(FinishReason::ContentFilter));
    let failed = || Some(Err(Error::Reported(Report::Other)));
    let table = [
        ("stop", Some(Ok(FinishReason::Stop))),
        ("STOP", Some(Ok(FinishReason::Stop))),
        ("toolCalls", Some(Ok(FinishReason::ToolCalls))),
        ("MAX_TOKENS", length()),
        ("Length", length()),
        ("max-output-tokens", length()),
        ("token_limit", length()),
        ("SAFETY", filtered()),
        ("CONTENT_FILTER", filtered()),
        ("RECITATION", filtered()),
        ("PROHIBITED_CONTENT", filtered()),
        ("refusal", filtered()),
        ("ERROR", failed()),
        ("cancelled", failed()),
        ("timeout", failed()),
        ("MALFORMED_FUNCTION_CALL", failed()),
        ("repetition", failed()),
        ("content_filter: RECITATION", filtered()),
        ("content_filter: PROHIBITED_CONTENT", filtered()),
        ("content_filter: OF_THE_FUTURE", filtered()),
        ("function_call_filter: MALFORMED_FUNCTION_CALL", failed()),
        ("of_the_future: of_the_future", UNKNOWN),
        ("stop: of_the_future", UNKNOWN),
        ("of_the_future: stop", UNKNOWN),
        ("blacklist", filtered()),
        ("FINISH", Some(Ok(FinishReason::Stop))),
        ("STOP_CRITERIA_MET", Some(Ok(FinishReason::Stop))),
        ("null", None),
        ("", None),
        ("no_such_word", UNKNOWN),
    ];
    for (word, reason) in table {
        assert_eq!(finish_reason(word), reason, "{word}");
    }
}

#[test]
fn no_word_has_two_meanings() {
    let words: BTreeSet<String> = WORDS.iter().map(|(word, _)| folded(word).collect()).collect();
    assert_eq!(words.len(), WORDS.len());
}

proptest! {
    #[test]
    fn a_known_word_means_the_same_however_it_is_written(
        (word, known) in prop::sample::select(WORDS),
        upper in prop::collection::vec(any::<bool>(), 40),
        between in prop::sample::select(&["", "_", "-", " "][..]),
    ) {
        let cased = word.chars().zip(upper).map(|(char, upper)| if upper { char.to_ascii_uppercase() } else { char });
        let written = cased.collect::<String>().replace('_', between);
        prop_assert_eq!(meaning(&written), Some(known));
    }

    #[test]
    fn a_word_that_is_not_known_is_never_a_success(word in "[a-z_]{1,20}|\\PC{1,40}") {
        let success = [WordMeaning::Stop, WordMeaning::ToolCalls];
        if !WORDS.iter().any(|(known, meaning)| success.contains(meaning) && folded(known).eq(folded(&word))) {
            prop_assert!(!matches!(finish_reason(&word), Some(Ok(FinishReason::Stop | FinishReason::ToolCalls))));
        }
    }
}
