//! How events are written as JSON and read again, with what clients and providers sent as it was sent.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{ContentPart, Item, ItemId, OtherEvent, Response, ResponseEvent};
use crate::JsonObject;
use crate::json_object::{KeepsUnknownFields, tagged, with_unknown_fields};

impl Serialize for ResponseEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl KeepsUnknownFields for OtherEvent {
    const EXPECTED: &'static str = "an event object";

    fn read_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    fn unknown_fields(&mut self) -> &mut JsonObject {
        &mut self.fields
    }
}

impl<'de> Deserialize<'de> for OtherEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        with_unknown_fields(deserializer)
    }
}

impl Serialize for OtherEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

// Not derived where anything is in the event that was written elsewhere: the tag would have it buffered, and so lose how
// it was written. Needs the deserializer of `serde_json`.
impl<'de> Deserialize<'de> for ResponseEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (kind, written) = tagged(deserializer)?;
        let text = written.get();
        macro_rules! read {
            ($variant:ident { $($field:ident: $type:ty),* }) => {{
                #[derive(Deserialize)]
                struct Fields { $($field: $type),* }
                serde_json::from_str(text).map(|Fields { $($field),* }| Self::$variant { $($field),* })
            }};
        }
        macro_rules! read_lifecycle {
            ($variant:ident) => {
                read!($variant { sequence_number: u64, response: Box<Response> })
            };
        }
        macro_rules! read_item {
            ($variant:ident) => {
                read!($variant { sequence_number: u64, output_index: u32, item: Box<Item> })
            };
        }
        macro_rules! read_of_part {
            ($variant:ident { $($field:ident: $type:ty),* }) => {
                read!($variant {
                    sequence_number: u64, item_id: ItemId, output_index: u32, content_index: u32, $($field: $type),*
                })
            };
        }
        let event = match kind.as_str() {
            "response.created" => read_lifecycle!(Created),
            "response.queued" => read_lifecycle!(Queued),
            "response.in_progress" => read_lifecycle!(InProgress),
            "response.completed" => read_lifecycle!(Completed),
            "response.incomplete" => read_lifecycle!(Incomplete),
            "response.failed" => read_lifecycle!(Failed),
            "response.output_item.added" => read_item!(OutputItemAdded),
            "response.output_item.done" => read_item!(OutputItemDone),
            "response.content_part.added" => read_of_part!(ContentPartAdded { part: ContentPart }),
            "response.content_part.done" => read_of_part!(ContentPartDone { part: ContentPart }),
            "response.output_text.annotation.added" => {
                read_of_part!(AnnotationAdded { annotation_index: u32, annotation: JsonObject })
            }
            _ => Self::deserialize(&mut serde_json::Deserializer::from_str(text))
                .or_else(|_| serde_json::from_str(text).map(Self::Other)),
        };
        event.map_err(D::Error::custom)
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
