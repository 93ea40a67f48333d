#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::json;

use crate::{Extra, InputItem, Json, JsonObject};

/// Numbers that no type holds, halves of characters, keys that come twice and in no order.
const ODD: &str = r#""z":1e400,"half":"\ud83d","n":123456789012345678901234567890.0,"a":{"b":1,"a":2,"b":3},"z":null"#;

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
    let fields = |value: serde_json::Value| JsonObject::from(serde_json::from_value::<Extra>(value).unwrap());
    let mut object = fields(json!({"b": "x", "a": null}));
    object.push("b", &json!(2).into());
    assert_eq!(object.get("b").unwrap().as_str(), "2");
    assert!(object.contains_key("a") && !object.contains_key("c"));
    object.retain(|key, value| key == "b" && !value.is_null());
    assert_eq!(serde_json::to_string(&object).unwrap(), r#"{"b":"x","b":2}"#);
    object.retain(|_, _| false);
    assert!(object.is_empty());
    assert_eq!(object, JsonObject::new());
    assert_eq!(serde_json::to_string(&object).unwrap(), "{}");
}
