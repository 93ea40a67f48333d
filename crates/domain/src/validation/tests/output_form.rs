use serde_json::{Value, json};

use super::{accepted, refused};
use crate::{Offence, Request};
use antiphon_protocol::{ReasoningConfig, TextConfig, TextFormat, Verbosity};

fn text(text: Value) -> TextConfig {
    accepted(json!({ "text": text })).request.text
}

#[test]
fn the_form_of_the_text_is_plain_json_or_json_by_a_schema() {
    for plain in [json!(null), json!({}), json!({"format": null}), json!({"format": {"type": "text"}})] {
        assert_eq!(text(plain), TextConfig::default());
    }
    assert_eq!(text(json!({"format": {"type": "json_object"}})).format, TextFormat::JsonObject);
    let schema = json!({"type": "object"});
    let bare = json!({"type": "json_schema", "name": "n", "schema": schema});
    let format = |description, strict| TextFormat::JsonSchema {
        name: "n".to_owned(),
        description,
        schema: schema.clone().into(),
        strict,
    };
    assert_eq!(text(json!({ "format": bare })).format, format(None, None));
    let mut whole = bare;
    whole["description"] = "d".into();
    whole["strict"] = true.into();
    assert_eq!(text(json!({ "format": whole })).format, format(Some("d".to_owned()), Some(true)));
    for (word, verbosity) in [("low", Verbosity::Low), ("medium", Verbosity::Medium), ("high", Verbosity::High)] {
        assert_eq!(text(json!({ "verbosity": word })).verbosity, Some(verbosity));
    }
}

#[test]
fn a_form_that_can_not_be_had_is_named() {
    let schema = |keys: Value| {
        let mut format = json!({"type": "json_schema", "name": "n", "schema": {}});
        format.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        json!({ "format": format })
    };
    for (text, param, offence) in [
        (json!({"format": "json_object"}), "text.format", Offence::Invalid),
        (json!({"format": {}}), "text.format.type", Offence::Missing),
        (json!({"format": {"type": "xml"}}), "text.format.type", Offence::Invalid),
        (schema(json!({"name": null})), "text.format.name", Offence::Missing),
        (schema(json!({"name": "two words"})), "text.format.name", Offence::Invalid),
        (schema(json!({"schema": null})), "text.format.schema", Offence::Missing),
        (schema(json!({"schema": "{}"})), "text.format.schema", Offence::Invalid),
        (schema(json!({"strict": 1})), "text.format.strict", Offence::Invalid),
        (schema(json!({"description": []})), "text.format.description", Offence::Invalid),
        // The form of Chat Completions.
        (
            json!({"format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}}),
            "text.format.name",
            Offence::Missing,
        ),
        (json!({"verbosity": "chatty"}), "text.verbosity", Offence::Invalid),
        (json!({"verbosity": 1}), "text.verbosity", Offence::Invalid),
    ] {
        refused(json!({ "text": text }), param, offence);
    }
}

#[test]
fn how_hard_to_think_is_a_word_that_the_provider_knows_or_not() {
    let reasoning = |reasoning: Value| accepted(json!({ "reasoning": reasoning })).request.reasoning;
    for nothing in [json!(null), json!({}), json!({"effort": null, "summary": null, "mode": null, "context": null})] {
        assert_eq!(reasoning(nothing), None);
    }
    for effort in ["none", "minimal", "low", "medium", "high", "xhigh", "max", "one-of-tomorrow"] {
        let expected = ReasoningConfig { effort: Some(effort.to_owned()), ..ReasoningConfig::default() };
        assert_eq!(reasoning(json!({ "effort": effort })), Some(expected));
    }
    let mode = reasoning(json!({"mode": "pro", "context": "all_turns"})).unwrap();
    assert_eq!((mode.mode.as_deref(), mode.context.as_deref()), (Some("pro"), Some("all_turns")));
    for summary in ["auto", "concise", "detailed"] {
        let expected = Some(ReasoningConfig { summary: Some(summary.to_owned()), ..ReasoningConfig::default() });
        assert_eq!(reasoning(json!({ "summary": summary })), expected);
        assert_eq!(reasoning(json!({ "generate_summary": summary })), expected, "its old name");
        assert_eq!(reasoning(json!({ "summary": summary, "generate_summary": summary })), expected);
    }
    for (reasoning, param, offence) in [
        (json!({"effort": "very hard"}), "reasoning.effort", Offence::Invalid),
        (json!({"effort": ""}), "reasoning.effort", Offence::Invalid),
        (json!({"effort": "x".repeat(65)}), "reasoning.effort", Offence::Invalid),
        (json!({"effort": 3}), "reasoning.effort", Offence::Invalid),
        (json!({"summary": "none"}), "reasoning.summary", Offence::Invalid),
        (json!({"generate_summary": "none"}), "reasoning.generate_summary", Offence::Invalid),
        (json!({"summary": "auto", "generate_summary": "concise"}), "reasoning.generate_summary", Offence::Invalid),
        (json!({"mode": {}}), "reasoning.mode", Offence::Invalid),
        (json!({"context": 1}), "reasoning.context", Offence::Invalid),
    ] {
        refused(json!({ "reasoning": reasoning }), param, offence);
    }
}

#[test]
fn who_asks_for_alternatives_of_tokens_gets_their_probabilities() {
    let logprobs = Request::INCLUDE_LOGPROBS;
    for (keys, top, include) in [
        (json!({}), 0, &[] as &[&str]),
        (json!({"top_logprobs": 0}), 0, &[]),
        (json!({"top_logprobs": 20}), 20, &[logprobs]),
        (json!({"include": [logprobs]}), 0, &[logprobs]),
        (json!({"include": [logprobs, logprobs], "top_logprobs": 2}), 2, &[logprobs]),
        (json!({"include": ["reasoning.encrypted_content"]}), 0, &[Request::INCLUDE_ENCRYPTED_REASONING]),
        (json!({"include": ["file_search_call.results", "message.input_image.image_url"]}), 0, &[]),
    ] {
        let valid = accepted(keys.clone());
        let included: Vec<&str> = valid.request.include.iter().map(String::as_str).collect();
        assert_eq!((valid.request.top_logprobs, included.as_slice()), (top, include), "{keys}");
    }
    refused(json!({"include": ["no such"]}), "include", Offence::Invalid);
}
