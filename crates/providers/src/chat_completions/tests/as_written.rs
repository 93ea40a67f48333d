//! What a provider wrote stays as it was written.

use super::{curious, decode};
use crate::ProviderEvent;
use crate::odd_json::{HELD_BY_TEXT_ALONE, counts_of};
use crate::seal::{Origin, Protocol, Sealed};

#[test]
fn arguments_details_of_thoughts_and_fields_of_calls_stay_as_they_were_written() {
    let origin = Origin::of(Protocol::ChatCompletions, &curious().target);
    for value in HELD_BY_TEXT_ALONE {
        // Of a key that comes twice, both stay.
        let x = format!(r#""x":0,"x":{value}"#);
        let detail = |text: &str| {
            format!(
                r#"{{"type":"reasoning.text","index":0,"text":"{text}","odd":{value},"more":{{{x}}},"list":[{value}]}}"#
            )
        };
        let call =
            format!(r#"{{"index":0,"id":"c","function":{{"name":"weather","arguments":{{{x}}}}},"more":{{{x}}}}}"#);
        let stream: String = [
            format!(r#"{{"delta":{{"reasoning_details":[{}]}}}}"#, detail("h")),
            format!(r#"{{"delta":{{"reasoning_details":[{}]}}}}"#, detail("m")),
            format!(r#"{{"delta":{{"tool_calls":[{call}]}}}}"#),
            r#"{"delta":{},"finish_reason":"tool_calls"}"#.to_owned(),
        ]
        .iter()
        .map(|choice| format!("data: {{\"choices\":[{choice}]}}\n\n"))
        .collect();
        let (events, result) = decode([format!("{stream}data: [DONE]\n\n").as_bytes()]);
        assert_eq!(result, Ok(()), "{value} {events:?}");
        assert_eq!(counts_of(&x, &events), [1, 1], "{value}");
        let details = events.iter().find_map(|event| {
            let ProviderEvent::EncryptedReasoning { encrypted_content } = event else { return None };
            let Some(Sealed::Thought(thought)) = origin.open(encrypted_content) else { return None };
            Some(thought.details.iter().map(|detail| detail.as_str().to_owned()).collect::<Vec<_>>())
        });
        assert_eq!(details, Some(vec![detail("hm")]), "{value}");
    }
}
