//! What a provider wrote stays as it was written.

use serde_json::Value;

use super::decode;
use crate::odd_json::{HELD_BY_TEXT_ALONE, counts_of};

/// How often a field of that value is told, of blocks that all have it.
fn told(value: &str, stream: impl Fn(&str) -> Vec<String>) -> Vec<usize> {
    // Of a key that comes twice, both stay.
    let field = format!(r#""x":0,"x":{value}"#);
    let stream: String = stream(&field).iter().map(|event| format!("data: {event}\n\n")).collect();
    let (events, result) = decode([stream.as_bytes()]);
    assert_eq!(result, Ok(()), "{value} {events:?}");
    counts_of(&field, &events)
}

#[test]
fn arguments_notes_and_fields_stay_as_they_were_written() {
    let blocks = |x: &str| {
        let input = Value::from(format!("{{{x}}}"));
        vec![
            r#"{"type":"message_start","message":{"id":"msg_1","content":[]}}"#.to_owned(),
            format!(
                r#"{{"type":"content_block_start","index":0,
                    "content_block":{{"type":"tool_use","id":"t","name":"f","input":{{{x}}},{x}}}}}"#
            )
            .replace('\n', ""),
            r#"{"type":"content_block_stop","index":0}"#.to_owned(),
            format!(r#"{{"type":"content_block_start","index":1,"content_block":{{"type":"search",{x}}}}}"#),
            format!(
                r#"{{"type":"content_block_delta","index":1,"delta":{{"type":"input_json_delta","partial_json":{input}}}}}"#
            ),
            r#"{"type":"content_block_stop","index":1}"#.to_owned(),
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":"Hi"}}"#.to_owned(),
            format!(
                r#"{{"type":"content_block_delta","index":2,"delta":{{"type":"citations_delta","citation":{{{x}}}}}}}"#
            ),
            r#"{"type":"content_block_stop","index":2}"#.to_owned(),
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#.to_owned(),
            r#"{"type":"message_stop"}"#.to_owned(),
        ]
    };
    let whole = |x: &str| {
        let call = format!(r#"{{"type":"tool_use","id":"t","name":"f","input":{{{x}}},{x}}}"#);
        let search = format!(r#"{{"type":"search",{x}}}"#);
        vec![format!(r#"{{"type":"message","content":[{call},{search}],"stop_reason":"tool_use"}}"#)]
    };
    for value in HELD_BY_TEXT_ALONE {
        assert_eq!(told(value, blocks), [1, 1, 1, 2, 1], "{value}");
        assert_eq!(told(value, whole), [1, 1, 1, 1], "{value}");
    }
}
