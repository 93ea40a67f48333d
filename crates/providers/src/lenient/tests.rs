use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{place, text, word};
use crate::text_piece::TextPiece;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    #[serde(deserialize_with = "text")]
    text: Option<TextPiece>,
    #[serde(deserialize_with = "word")]
    word: Option<String>,
    #[serde(deserialize_with = "place")]
    place: Option<u64>,
}

type Read = (Option<String>, Option<String>, Option<u64>);

fn read(value: &Value) -> Result<Read, serde_json::Error> {
    let fields = json!({ "text": value, "word": value, "place": value, "other": value }).to_string();
    let Fields { text, word, place } = serde_json::from_str(&fields)?;
    Ok((text.map(TextPiece::into_text), word, place))
}

#[test]
fn a_field_is_read_where_it_makes_sense_and_is_none_otherwise() {
    let some = |text: &str| Some(text.to_owned());
    for (value, expected) in [
        (json!("a \"b\""), (some("a \"b\""), some("a \"b\""), None)),
        (json!("7"), (some("7"), some("7"), Some(7))),
        (json!(7), (None, some("7"), Some(7))),
        (json!(-7), (None, some("-7"), None)),
        (json!(7.5), (None, some("7.5"), None)),
        (json!(""), (None, None, None)),
        (json!(null), (None, None, None)),
        (json!(true), (None, None, None)),
        (json!(["7"]), (None, None, None)),
        (json!({ "7": 7 }), (None, None, None)),
    ] {
        assert_eq!(read(&value).ok(), Some(expected), "{value}");
    }
}

proptest! {
    #[test]
    fn numbers_that_are_too_large_and_halves_of_characters_break_nothing(number in "[1-9][0-9]{0,40}(e[0-9]{1,9})?") {
        let fields = format!("{{\"text\":{number},\"word\":{number},\"place\":{number},\"other\":\"\\ud800\"}}");
        let read = serde_json::from_str::<Fields>(&fields);
        prop_assert_eq!(read.ok().and_then(|fields| fields.word), Some(number));
    }
}
