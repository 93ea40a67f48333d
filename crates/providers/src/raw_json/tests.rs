#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MOST_LEVELS, has_more_values, mended, readable, select};

#[test]
fn values_are_counted_and_texts_are_one_each() {
    const MOST: usize = 1000;
    let list = |value: &str, times: usize| format!("[{}0]", format!("{value},").repeat(times));
    for (json, has_more) in [
        (list("7", MOST - 2), false),
        (list("7", MOST - 1), true),
        (list(r#"{"":0}"#, MOST / 2 + 1), true),
        (list("[[]]", MOST / 2), true),
        (list(r#""\"[,{,,\\""#, MOST - 2), false),
        (json!({ "text": ",[{\"\\".repeat(MOST) }).to_string(), false),
    ] {
        assert_eq!(has_more_values(&json, MOST), has_more, "{}", &json[..20]);
    }
}

#[test]
fn only_the_fields_that_are_needed_are_read() {
    let read = |json: &str| select(json, &["a", "b"]);
    assert_eq!(
        read(r#"{"c":[1e999],"b": {"x":1e999} ,"a":1,"\u0061":2,"d":"\ud83e"}"#),
        Some(r#"{"b":{"x":1e999},"a":2}"#.to_owned())
    );
    assert_eq!(
        (read("{}"), read("[1]"), read("{\"a\":1"), read("{\"a\":1} x")),
        (Some("{}".to_owned()), None, None, None)
    );
}

#[test]
fn what_is_too_deep_is_null_and_costs_nothing_beside_it() {
    let deep = |levels: usize| format!("{}[{}\"]\"{}{}", "[".repeat(levels), "{\"a\":", "}", "]".repeat(levels + 1));
    let json = format!("{{\"a\":{},\"b\":\"x\",\"n\":1e400}}", deep(100_000));
    let value = readable(&json).unwrap();
    assert_eq!((&value["b"], &value["n"]), (&json!("x"), &Value::Null));
    assert_eq!(mended(&json).matches('[').count(), MOST_LEVELS - 1);
}

proptest! {
    #[test]
    fn json_that_can_be_read_is_not_changed(text in "[\\PC\u{1f980}\"\\\\,{\\[]{0,12}", number in any::<f64>(), whole in any::<i64>()) {
        let value = json!({ "t": [text, { text.clone(): number }], "n": [whole, null, true, {}, []] });
        let json = value.to_string();
        prop_assert_eq!(mended(&json), json.clone());
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        prop_assert_eq!(serde_json::from_str::<Value>(&mended(&format!("\"{escaped}\""))).unwrap(), json!(text));
    }
}
