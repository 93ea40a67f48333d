//! How events are written as JSON and read again, with what clients sent as it was sent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::value::RawValue;

use super::ResponseEvent;
use crate::Response;

impl Serialize for ResponseEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

// Not derived: the tag would have the response buffered, and so lose how its client wrote the schemas in it. Needs the
// deserializer of `serde_json`.
impl<'de> Deserialize<'de> for ResponseEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Tag {
            #[serde(rename = "type")]
            kind: String,
        }

        #[derive(Deserialize)]
        struct Lifecycle {
            sequence_number: u64,
            response: Box<Response>,
        }

        let event = Box::<RawValue>::deserialize(deserializer)?;
        let Tag { kind } = serde_json::from_str(event.get()).map_err(D::Error::custom)?;
        let lifecycle = || serde_json::from_str::<Lifecycle>(event.get()).map_err(D::Error::custom);
        macro_rules! lifecycle {
            ($variant:ident) => {
                lifecycle().map(|Lifecycle { sequence_number, response }| Self::$variant { sequence_number, response })
            };
        }
        match kind.as_str() {
            "response.created" => lifecycle!(Created),
            "response.queued" => lifecycle!(Queued),
            "response.in_progress" => lifecycle!(InProgress),
            "response.completed" => lifecycle!(Completed),
            "response.incomplete" => lifecycle!(Incomplete),
            "response.failed" => lifecycle!(Failed),
            _ => Self::deserialize(&mut serde_json::Deserializer::from_str(event.get())).map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::ResponseEvent;

    #[test]
    fn an_event_that_is_read_and_written_is_the_same_text_whatever_its_client_sent() {
        let schema = r#"{"z":1.0,"a":9223372036854775808,"m":[1e400],"a":123456789012345678901234567890}"#;
        let parameters = [
            r#""temperature":1.0,"top_p":1.0,"presence_penalty":0.0,"frequency_penalty":0.0,"top_logprobs":0"#,
            r#""max_output_tokens":null,"max_tool_calls":null"#,
            &format!(r#""tools":[{{"type":"function","name":"f","description":null,"parameters":{schema},"strict":null}}]"#),
            r#""tool_choice":"auto","parallel_tool_calls":true"#,
            &format!(r#""text":{{"format":{{"type":"json_schema","name":"n","description":null,"schema":{schema},"strict":true}}}}"#),
            r#""reasoning":null,"truncation":"disabled","service_tier":"default","user":null,"safety_identifier":null"#,
            &format!(r#""prompt_cache_key":null,"prompt_cache_options":{schema}"#),
        ]
        .join(",");
        let response = format!(
            r#"{{"id":"resp_019aa1b2c3d47000800000000000f01d","object":"response","created_at":1,"status":"queued","completed_at":null,"error":null,"incomplete_details":null,"model":"m","output":[],"usage":null,"instructions":null,"previous_response_id":null,"background":true,"store":true,"metadata":{{"z":"1","a":"2"}},{parameters}}}"#
        );
        for kind in ["created", "queued", "in_progress", "completed", "incomplete", "failed"] {
            let text = format!(r#"{{"type":"response.{kind}","sequence_number":7,"response":{response}}}"#);
            let event: ResponseEvent = serde_json::from_str(&text).unwrap();
            assert_eq!((event.name(), event.sequence_number()), (format!("response.{kind}").as_str(), 7));
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
        for text in [
            r#"{"type":"response.output_text.delta","sequence_number":1,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"a","logprobs":[]}"#,
            r#"{"type":"response.web_search_call.searching","sequence_number":1,"item_id":"ws_1","output_index":0,"z":1,"a":2}"#,
        ] {
            let event: ResponseEvent = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
        assert!(serde_json::from_str::<ResponseEvent>(r#"{"type":"response.created","sequence_number":7}"#).is_err());
    }
}
