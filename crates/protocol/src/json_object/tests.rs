#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::{ContentPart, InputItem, Item, Json, JsonObject, ResponseEvent};

/// Numbers that no type holds, halves of characters, keys that come twice and in no order.
const ODD: &str = r#""z":1e400,"half":"\ud83d","n":123456789012345678901234567890.0,"a":{"b":1,"a":2,"b":3},"z":null"#;

/// Reads the text as that, and asserts that it is written the same.
fn read<T: DeserializeOwned + Serialize>(written: &str) -> T {
    let read = serde_json::from_str(written).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), written);
    read
}

#[test]
fn unknown_fields_of_an_item_stay_as_they_were_written() {
    for (kind, known) in [
        ("message", r#""id":"msg_1","role":"assistant","status":"completed","content":[]"#),
        ("reasoning", r#""id":"rs_1","summary":[],"status":"completed""#),
        ("function_call", r#""id":"fc_1","call_id":"c","name":"f","arguments":"{}","status":"completed""#),
    ] {
        let item: Item = read(&format!(r#"{{"type":"{kind}",{known},{ODD}}}"#));
        assert!(!matches!(item, Item::Other(_)));
        let type_last = format!(r#"{{{ODD}, {known}, "type": "{kind}"}}"#);
        assert_eq!(serde_json::from_str::<Item>(&type_last).unwrap(), item);
    }
    let other = |kind: &str| format!(r#"{{"id":"x_1","type":"{kind}",{ODD}}}"#);
    // Also where its type is one that is known, and it has another form.
    for kind in ["web_search_call", "message"] {
        assert!(matches!(read(&other(kind)), Item::Other(_)));
    }
}

#[test]
fn what_stands_in_parts_and_events_stays_as_it_was_written() {
    let place = r#""sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0"#;
    for part in [
        format!(r#"{{"type":"input_text","text":"x","prompt_cache_breakpoint":{{{ODD}}}}}"#),
        format!(r#"{{"type":"output_text","text":"x","annotations":[{{{ODD}}},{{}}],"logprobs":[]}}"#),
        r#"{"type":"refusal","refusal":"no"}"#.to_owned(),
        r#"{"type":"reasoning_text","text":"x"}"#.to_owned(),
    ] {
        read::<ContentPart>(&part);
        for name in ["added", "done"] {
            let event = read(&format!(r#"{{"type":"response.content_part.{name}",{place},"part":{part}}}"#));
            assert!(!matches!(event, ResponseEvent::Other(_)));
        }
    }
    let annotation = format!(r#""annotation_index":0,"annotation":{{{ODD}}}"#);
    read::<ResponseEvent>(&format!(r#"{{"type":"response.output_text.annotation.added",{place},{annotation}}}"#));
    let item = format!(r#"{{"id":"ws_1","type":"web_search_call",{ODD}}}"#);
    for name in ["added", "done"] {
        let place = r#""sequence_number":1,"output_index":0"#;
        read::<ResponseEvent>(&format!(r#"{{"type":"response.output_item.{name}",{place},"item":{item}}}"#));
    }
    let place = r#""sequence_number":1,"item_id":"ws_1","output_index":0"#;
    read::<ResponseEvent>(&format!(r#"{{"type":"response.web_search_call.searching",{place},{ODD}}}"#));
    assert!(serde_json::from_str::<ContentPart>(r#"{"type":"input_image"}"#).is_err());
}

#[test]
fn unknown_fields_of_an_input_item_stay_as_they_were_written() {
    let written = format!(r#"{{"type":"message","role":"assistant","content":"x",{ODD}}}"#);
    let item: InputItem = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&item).unwrap(), written);
    let spaced: InputItem = serde_json::from_str(r#"{ "a" : [ 1 , "b c" ] , "role": null }"#).unwrap();
    assert_eq!(serde_json::to_string(&spaced).unwrap(), r#"{"a":[1,"b c"]}"#);
}

#[test]
fn what_is_known_is_read_as_strictly_as_ever() {
    for (written, expected) in [
        (r#"{"role":1}"#, "invalid type"),
        (r#"{"role":"user","role":"user"}"#, "duplicate field `role`"),
        (r#"["message"]"#, "an item object"),
        (r#"{"a":tru}"#, "expected"),
    ] {
        let error = serde_json::from_str::<InputItem>(written).map(drop).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(Json::MOST_LEVELS + 1), "]".repeat(Json::MOST_LEVELS + 1));
    let error = serde_json::from_str::<InputItem>(&deep).map(drop).unwrap_err();
    assert!(error.to_string().starts_with(Json::TOO_DEEP), "{error}");
}

#[test]
fn what_is_unknown_costs_no_more_than_its_text() {
    let written = format!(r#"{{"a":[{}0]}}"#, r#"{"":0},"#.repeat(10_000));
    let item: InputItem = serde_json::from_str(&written).unwrap();
    assert_eq!(item.extra.text.len(), written.len());
    assert!(item.extra.text.capacity() <= 2 * written.len());
}

#[test]
fn fields_are_found_added_and_left_out() {
    let fields = |value: serde_json::Value| serde_json::from_value::<JsonObject>(value).unwrap();
    let mut object = fields(json!({"b": "x", "a": null}));
    object.push("b", &json!(2).into());
    assert_eq!(object.get("b").unwrap().as_str(), "2");
    assert!(object.contains_key("a") && !object.contains_key("c"));
    object.retain(|key, value| key == "b" && !value.is_null());
    assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"b":"x","b":2}"#);
    assert_eq!((object.text("b"), object.as_str()), (None, r#"{"b":"x","b":2}"#));
    object.replace([("b", "y"), ("c", "z")].into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
    assert_eq!((object.text("b").as_deref(), object.as_str()), (Some("y"), r#"{"b":"y","c":"z"}"#));
    assert_eq!(object.clone().without(&["b", "x"]).as_str(), r#"{"c":"z"}"#);
    object.retain(|_, _| false);
    assert!(object.is_empty());
    assert_eq!(object, JsonObject::new());
    assert_eq!(serde_json::to_string(&object).unwrap(), "{}");
}

#[test]
fn of_many_pieces_each_key_is_as_the_last_piece_has_it_and_where_that_stands() {
    let raw = |text: &str| serde_json::from_str::<JsonObject>(text).unwrap();
    let pieces = [raw(r#"{"a":1,"b":2}"#), raw(r#"{"c":3.10,"c":4}"#), raw(r#"{"a":"x"}"#)];
    assert_eq!(JsonObject::merged(&pieces).as_str(), r#"{"b":2,"c":3.10,"c":4,"a":"x"}"#);
    assert!(JsonObject::merged(&[]).is_empty());
    let many: Vec<_> = (0..20_000).map(|key| raw(&format!(r#"{{"{key}":0}}"#))).collect();
    assert_eq!(JsonObject::merged(&many).iter().count(), many.len());
}
