//! Cuts texts into slices that are safe and quick to count.

/// The most bytes of a slice. A whole text in slices of this size counts about one token in 70,000 more than in one.
pub(super) const SLICE_BYTES: usize = 64 << 10;

/// In how many pieces a long text is sampled.
const SAMPLES: usize = 8;

/// The parts of a text, none longer than a slice, cut in front of a blank where one is near.
pub(super) fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (slice, after) = rest.split_at(cut(rest));
        rest = after;
        Some(slice)
    })
}

/// Pieces of a text from all over it, together about as long as a slice: all of a text that is no longer than that.
pub(super) fn samples(text: &str) -> Vec<&str> {
    if text.len() <= SLICE_BYTES {
        return vec![text];
    }
    let length = SLICE_BYTES / SAMPLES;
    let apart = (text.len() - length) / (SAMPLES - 1);
    let piece = |number| {
        let start = text.floor_char_boundary(number * apart);
        let end = text.floor_char_boundary(start + length);
        &text[start..end]
    };
    (0..SAMPLES).map(piece).collect()
}

/// Where the first slice ends. A blank goes with the word after it, as the vocabularies have it.
fn cut(text: &str) -> usize {
    if text.len() <= SLICE_BYTES {
        return text.len();
    }
    let most = text.floor_char_boundary(SLICE_BYTES);
    match text[..most].rfind(' ') {
        Some(blank) if blank > most / 2 => blank,
        Some(_) | None => most,
    }
}
