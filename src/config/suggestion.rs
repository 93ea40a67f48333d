//! Suggestions for words that there are not.

/// The known word that is so near to `word` that it was probably meant.
pub(super) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = normalized(word);
    let letters = word.chars().count();
    let distance = |known: &'a str| (strsim::damerau_levenshtein(&word, &normalized(known)), known);
    let all: Vec<(usize, &str)> = known.into_iter().map(distance).collect();
    let (distance, found) = *all.iter().min_by_key(|(distance, _)| *distance)?;
    let mut longer = all.iter().filter(|(_, known)| letters > 3 && normalized(known).contains(&word));
    match (distance <= (letters / 3).max(1) && letters > 0, longer.next(), longer.next()) {
        (true, _, _) => Some(found),
        (false, Some((_, only)), None) => Some(only),
        (false, _, _) => None,
    }
}

/// The word in small letters, without what is often confused: underscores, dashes and dots.
fn normalized(word: &str) -> String {
    let letters = word.chars().filter(|letter| !matches!(letter, '_' | '-' | '.'));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_word_is_taken_for_a_near_one_and_not_for_a_far_one() {
        let known = ["listen", "workers", "keep_alive", "server.listen", "max_retries", "max_queue"];
        for (word, meant) in [
            ("listn", Some("listen")),
            ("keepalive", Some("keep_alive")),
            ("Keep-Alive", Some("keep_alive")),
            ("worekrs", Some("workers")),
            ("server_listen", Some("server.listen")),
            ("retries", Some("max_retries")),
            ("max", None),
            ("port", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(word, known), meant, "{word}");
        }
    }
}
