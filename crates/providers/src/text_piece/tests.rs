#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;

use super::{TextJoiner, TextPiece};

/// What comes of pieces that are written as those JSON strings.
fn joined(pieces: &[String]) -> String {
    let mut joiner = TextJoiner::default();
    let mut text = String::new();
    for piece in pieces {
        text.push_str(&joiner.join(TextPiece::parse(piece).unwrap()));
    }
    text.extend(joiner.end());
    text
}

/// The text as one JSON string of escapes alone.
fn escaped(units: &[u16]) -> String {
    let escapes: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{escapes}\"")
}

#[test]
fn halves_in_two_pieces_are_one_character() {
    for (pieces, text) in [
        (&[r#""a\ud83e""#, r#""\udd80b""#][..], "a\u{1f980}b"),
        (&[r#""\ud83e""#, r#""""#, r#""\udd80""#], "\u{1f980}"),
        (&[r#""\ud83e\udd80""#, r#""\u00e9\"""#], "\u{1f980}\u{e9}\""),
        (&[r#""\ud83e""#, r#""b""#], "\u{fffd}b"),
        (&[r#""a\udd80b""#, r#""\ud83e""#], "a\u{fffd}b\u{fffd}"),
        (&[r#""\ud83e\ud83e""#, r#""\udd80""#], "\u{fffd}\u{1f980}"),
    ] {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        assert_eq!(joined(&pieces), text, "{pieces:?}");
    }
}

#[test]
fn only_a_json_string_is_text() {
    for json in ["7", "null", "{}", "[\"a\"]", "\"a", "\"a\"b\"", "\"\\q\""] {
        assert_eq!(TextPiece::parse(json), None, "{json}");
    }
}

proptest! {
    #[test]
    fn text_is_the_same_however_its_utf16_is_cut(text in ".{0,24}", cuts in prop::collection::vec(0_usize..60, 0..6)) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(units.len())).chain([0, units.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<String> = cuts.windows(2).map(|pair| escaped(&units[pair[0]..pair[1]])).collect();
        prop_assert_eq!(joined(&pieces), text);
    }

    #[test]
    fn halves_that_stand_alone_become_what_utf16_makes_of_them(
        units in prop::collection::vec(prop_oneof![0xD7FE_u16..0xE002, 0x20_u16..0x7F], 0..12),
        cut in 0_usize..12,
    ) {
        let cut = cut.min(units.len());
        let pieces = [escaped(&units[..cut]), escaped(&units[cut..])];
        prop_assert_eq!(joined(&pieces), String::from_utf16_lossy(&units));
        prop_assert_eq!(TextPiece::parse(&escaped(&units)).unwrap().into_text(), String::from_utf16_lossy(&units));
    }
}
