//! What a provider wrote stays as it was written.

use super::decode;
use crate::ProviderEvent;
use crate::odd_json::{HELD_BY_TEXT_ALONE, counts_of};

/// The event of an item: what happens to it, and the item.
fn event(what: &str, place: u32, more: &str) -> String {
    format!(r#"data: {{"type":"response.{what}","output_index":{place},{more}}}"#)
}

fn call(id: &str, x: &str) -> String {
    format!(r#"{{"type":"function_call","id":"{id}","call_id":"{id}","name":"f","arguments":{{{x}}},{x}}}"#)
}

#[test]
fn arguments_notes_and_fields_stay_as_they_were_written() {
    for value in HELD_BY_TEXT_ALONE {
        // Of a key that comes twice, both stay.
        let x = format!(r#""x":0,"x":{value}"#);
        let search = format!(r#"{{"type":"acme:search","id":"s",{x}}}"#);
        let note = format!(r#"{{"type":"url_citation",{x}}}"#);
        let message = format!(r#"{{"type":"message","id":"m","content":[],{x}}}"#);
        let thought = format!(r#"{{"type":"reasoning","id":"r","summary":[],{x}}}"#);
        let stream = [
            event("output_item.done", 0, &format!(r#""item":{}"#, call("c1", &x))),
            event("output_item.added", 1, &format!(r#""item":{search}"#)),
            event("acme.searching", 1, &x),
            event("output_item.done", 1, &format!(r#""item":{search}"#)),
            event("output_text.delta", 2, r#""item_id":"m","delta":"Hi""#),
            event("output_text.annotation.added", 2, &format!(r#""annotation":{note}"#)),
            event("content_part.done", 2, &format!(r#""part":{{"text":"Hi","annotations":[{note},{note}]}}"#)),
            event("output_item.done", 2, &format!(r#""item":{message}"#)),
            event("output_item.added", 3, r#""item":{"type":"reasoning","id":"r"}"#),
            event("reasoning_text.delta", 3, r#""delta":"hm""#),
            event("output_item.done", 3, &format!(r#""item":{thought}"#)),
            event(
                "completed",
                0,
                &format!(r#""response":{{"status":"completed","output":[{},{}]}}"#, call("c1", &x), call("c2", &x)),
            ),
        ];
        let (events, result) = decode([format!("{}\n\n", stream.join("\n\n")).as_bytes()]);
        assert_eq!(result, Ok(()), "{value} {events:?}");
        // The first call, the item and its event, two notes, the message, the thought, and the call at the end.
        assert_eq!(counts_of(&x, &events), [1; 11], "{value}");
    }
}

#[test]
fn an_item_of_an_unknown_kind_has_the_type_that_was_read() {
    let item = r#""item":{"type":"acme\ud83d","id":"s"}"#;
    let (said, _) =
        decode([[event("output_item.added", 0, item), event("output_item.done", 0, item)].join("\n\n").as_bytes()]);
    let kinds: Vec<_> = said
        .iter()
        .filter_map(|event| {
            let ProviderEvent::OtherItemStarted { fields, .. } = event else { return None };
            fields.text("type")
        })
        .collect();
    assert_eq!(kinds, ["acme\u{fffd}"]);
}
