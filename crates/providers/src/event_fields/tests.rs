#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::EventFields;
use crate::text_piece::{TextJoiner, TextPiece};

fn read(data: &str) -> Option<serde_json::Value> {
    EventFields::parse(data, 1000).map(|event| event.fields.into_read().into())
}

#[test]
fn what_can_not_be_read_costs_nothing_but_itself() {
    for (data, fields) in [
        (r#"{"a":"\ud83e","b":"x"}"#, json!({ "a": "\u{fffd}", "b": "x" })),
        (r#"{"a":"\udd80y","b":"\ud83e\ud83e\udd80"}"#, json!({ "a": "\u{fffd}y", "b": "\u{fffd}\u{1f980}" })),
        (r#"{"a":"\\\ud83e","\uD83E":["\\ud83e"]}"#, json!({ "a": "\\\u{fffd}", "\u{fffd}": ["\\ud83e"] })),
        (r#"{"b":{"n":1e999,"a":["x",-1e999]}}"#, json!({ "b": { "n": null, "a": ["x", null] } })),
        (r#"{"a":"\ud83e\n\u00fc\""}"#, json!({ "a": "\u{fffd}\n\u{fc}\"" })),
    ] {
        assert_eq!(read(data), Some(fields), "{data}");
    }
    for nonsense in
        ["[1]", "7", "", "{\"a\":\"\\", "{\"a\":\"\\u\u{fc}\"}", "{\"a\":\"\\ud83e", "{\"a\":\"\\\u{1f980}\"}"]
    {
        assert_eq!(read(nonsense), None, "{nonsense}");
    }
}

#[derive(Deserialize)]
struct Piece {
    delta: TextPiece,
}

proptest! {
    /// Servers that cut text by the units of UTF-16 may cut it anywhere.
    #[test]
    fn text_that_is_cut_anywhere_is_the_same_text(text in "[a-z\u{1f980}\u{fc}\\\\\"]{0,12}", cuts in prop::collection::vec(0..24_usize, 0..4)) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(units.len())).chain([0, units.len()]).collect();
        cuts.sort_unstable();
        let (mut joiner, mut joined) = (TextJoiner::default(), String::new());
        for (from, to) in cuts.iter().zip(&cuts[1..]) {
            let escaped: String = units[*from..*to].iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let data = format!("{{\"n\":1,\"delta\":\"{escaped}\"}}");
            let event = EventFields::parse(&data, 1000).unwrap();
            let piece = event.pieces().map(|Piece { delta }| delta);
            joined += &joiner.join(piece.unwrap_or_else(|| TextPiece::Whole(event.text("delta").unwrap().to_owned())));
        }
        joined.extend(joiner.end());
        prop_assert_eq!(joined, text);
    }

    #[test]
    fn any_text_is_an_event_or_none(text in "(\\{|\"|\\\\|u|d83e|\u{fc}|:|\\}){0,20}") {
        let _event = read(&text);
    }
}
