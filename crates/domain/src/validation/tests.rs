#![expect(clippy::unwrap_used, reason = "tests")]

mod output_form;
mod shape;
mod tools;

use serde_json::{Value, json};

use super::{Offence, ValidatedRequest, Violation, validate};
use crate::LimitOptions;
use antiphon_protocol::{ContentPart, CreateResponse, Item, ItemStatus, JsonObject, ResponseId, Role};

fn check_with(body: Value, limits: &LimitOptions) -> Result<ValidatedRequest, Violation> {
    let create: CreateResponse = serde_json::from_value(body).unwrap();
    validate(create, ResponseId::new(), limits)
}

/// A minimal request with these keys put over it.
fn check(keys: Value) -> Result<ValidatedRequest, Violation> {
    let mut body = json!({"model": "m", "input": "hi"});
    body.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    check_with(body, &LimitOptions::default())
}

#[track_caller]
fn refused(keys: Value, param: &str, offence: Offence) {
    let Err(violation) = check(keys.clone()) else { unreachable!("{keys} was accepted") };
    assert_eq!((violation.param.as_str(), violation.offence), (param, offence), "{keys}");
}

#[track_caller]
fn accepted(keys: Value) -> ValidatedRequest {
    check(keys.clone()).unwrap_or_else(|violation| unreachable!("{keys}: {violation}"))
}

#[test]
fn what_must_be_there_is_named() {
    for (body, param) in [(json!({"input": "hi"}), "model"), (json!({"model": "m"}), "input")] {
        let violation = check_with(body, &LimitOptions::default()).unwrap_err();
        assert_eq!((violation.param.as_str(), violation.offence), (param, Offence::Missing));
        assert_eq!(violation.message, format!("Missing required parameter: '{param}'."));
    }
}

#[test]
fn an_id_with_a_control_character_is_refused() {
    let item = json!({"role": "user", "content": "hi", "id": "msg_\u{0}"});
    refused(json!({"input": [item]}), "input[0].id", Offence::Invalid);
}

#[test]
fn a_null_is_the_same_as_a_missing_key() {
    let keys = [
        "instructions",
        "previous_response_id",
        "metadata",
        "temperature",
        "top_p",
        "max_output_tokens",
        "truncation",
        "store",
        "stream",
        "stream_options",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "include",
        "service_tier",
        "background",
        "conversation",
        "prompt",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tool_calls",
        "text",
        "reasoning",
        "top_logprobs",
        "context_management",
        "moderation",
        "prompt_cache_retention",
        "prompt_cache_options",
    ];
    let nulls = keys.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
    let (nulls, absent) = (accepted(Value::Object(nulls)), accepted(json!({})));
    assert_eq!(nulls.request, absent.request);
    assert!(nulls.request.store && !nulls.stream);
}

#[test]
fn ranges_hold_at_their_ends_and_not_beyond() {
    for keys in [
        json!({"temperature": 0}),
        json!({"temperature": 2.0}),
        json!({"top_p": 0}),
        json!({"top_p": 1}),
        json!({"max_output_tokens": 16}),
        json!({"max_output_tokens": 1_000_000}),
        json!({"max_tool_calls": 1}),
        json!({"max_tool_calls": u32::MAX}),
        json!({"top_logprobs": 0}),
        json!({"top_logprobs": 20}),
    ] {
        accepted(keys);
    }
    for (param, values) in [
        ("temperature", vec![json!(-0.001), json!(2.001), json!(1e300)]),
        ("top_p", vec![json!(-0.001), json!(1.001)]),
        ("max_output_tokens", vec![json!(15), json!(0), json!(-1), json!(1_000_001), json!(i64::MAX)]),
        ("max_tool_calls", vec![json!(0), json!(-1), json!(1_i64 << 32)]),
        ("top_logprobs", vec![json!(-1), json!(21), json!(256), json!(i64::MAX)]),
    ] {
        for value in values {
            refused(json!({ param: value }), param, Offence::Invalid);
        }
    }
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_hints_are_taken() {
    for (keys, param) in [
        (json!({"background": true, "store": false}), "background"),
        (json!({"conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "p"}}), "prompt"),
        (json!({"context_management": [{"type": "compaction"}]}), "context_management"),
        (json!({"moderation": {"model": "m"}}), "moderation"),
    ] {
        refused(keys, param, Offence::Unsupported);
    }
    for keys in [
        json!({"service_tier": "default"}),
        json!({"service_tier": "auto", "conversation": null}),
        json!({"service_tier": "flex"}),
        json!({"service_tier": "one-of-tomorrow"}),
        json!({"prompt_cache_retention": "in_memory", "prompt_cache_options": {}}),
        json!({"prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}),
        json!({"client_metadata": {"a": 1}, "unheard_of": [1, 2]}),
    ] {
        accepted(keys);
    }
    refused(json!({"prompt_cache_options": "explicit"}), "prompt_cache_options", Offence::Invalid);
}

#[test]
fn what_runs_without_a_client_must_be_stored() {
    assert!(accepted(json!({"background": true})).request.background);
    assert!(accepted(json!({"background": true, "store": true, "stream": true})).request.background);
    for foreground in [json!({}), json!({"background": null, "store": false}), json!({"background": false})] {
        assert!(!accepted(foreground).request.background);
    }
    refused(json!({"background": true, "store": false, "stream": true}), "background", Offence::Unsupported);
}

#[test]
fn stream_options_need_a_stream() {
    refused(json!({"stream_options": {"include_obfuscation": true}}), "stream_options", Offence::Invalid);
    let valid = accepted(json!({"stream": true, "stream_options": {"include_obfuscation": true}}));
    assert!(valid.stream && valid.view.include_obfuscation);
    assert!(!accepted(json!({"stream": true})).view.include_obfuscation);
}

#[test]
fn metadata_is_counted_and_measured() {
    let pairs = |count: usize| (0..count).map(|n| (format!("k{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    for (metadata, fits) in [
        (json!(pairs(16)), true),
        (json!(pairs(17)), false),
        (json!({"k".repeat(64): "v"}), true),
        (json!({"k".repeat(65): "v"}), false),
        (json!({"k": "ü".repeat(512)}), true),
        (json!({"k": "ü".repeat(513)}), false),
    ] {
        let checked = check(json!({ "metadata": metadata }));
        assert_eq!(checked.is_ok(), fits, "{metadata}");
        if let Err(violation) = checked {
            assert_eq!(violation.offence, Offence::Invalid);
            assert!(violation.param.starts_with("metadata"));
        }
    }
    refused(json!({"metadata": {"k": "v".repeat(11 * 1024)}}), "metadata", Offence::TooLarge);
}

#[test]
fn a_thought_in_words_and_sealed_counts_once() {
    let limits = LimitOptions { input_bytes: 500, ..LimitOptions::default() };
    let thought = |words: usize, sealed: usize| {
        let content = json!([{"type": "reasoning_text", "text": "w".repeat(words)}]);
        json!({"model": "m", "input": [{"type": "reasoning", "summary": [], "content": content,
            "encrypted_content": "s".repeat(sealed)}]})
    };
    for (words, sealed, is_taken) in [(250, 350, true), (350, 250, true), (10, 500, false), (500, 10, false)] {
        assert_eq!(check_with(thought(words, sealed), &limits).is_ok(), is_taken, "{words} {sealed}");
    }
}

#[test]
fn each_size_limit_holds_at_it_and_not_one_over() {
    let limits = LimitOptions { input_bytes: 100, metadata_bytes: 50, id_chars: 10, ..LimitOptions::default() };
    // As JSON the text has two quotes more, and `{"k":""}` eight bytes more than the value.
    type Body = fn(usize) -> Value;
    let cases: [(&str, usize, Body); 9] = [
        ("input", 98, |size| json!({"model": "m", "input": "i".repeat(size)})),
        ("instructions", 98, |size| json!({"model": "m", "input": "", "instructions": "i".repeat(size)})),
        // The rest of the JSON is that long: `[{"type":"function","name":"f","description":""}]`.
        ("tools", 51, |size| {
            let tool = json!({"type": "function", "name": "f", "description": "d".repeat(size)});
            json!({"model": "m", "input": "", "tools": [tool]})
        }),
        // `{"type":"function","name":"f","x":""}`: what is ignored counts too.
        ("tool_choice", 63, |size| {
            let choice = json!({"type": "function", "name": "f", "x": "x".repeat(size)});
            json!({"model": "m", "input": "", "tool_choice": choice, "tools": [{"type": "function", "name": "f"}]})
        }),
        // `{"format":{"type":"text"},"x":""}`.
        (
            "text",
            67,
            |size| json!({"model": "m", "input": "", "text": {"format": {"type": "text"}, "x": "x".repeat(size)}}),
        ),
        ("metadata", 42, |size| json!({"model": "m", "input": "", "metadata": {"k": "v".repeat(size)}})),
        ("user", 10, |size| json!({"model": "m", "input": "", "user": "u".repeat(size)})),
        ("prompt_cache_key", 64, |size| json!({"model": "m", "input": "", "prompt_cache_key": "u".repeat(size)})),
        ("safety_identifier", 64, |size| json!({"model": "m", "input": "", "safety_identifier": "u".repeat(size)})),
    ];
    for (param, limit, body) in cases {
        assert!(check_with(body(limit - 1), &limits).is_ok(), "{param}");
        assert!(check_with(body(limit), &limits).is_ok(), "{param}");
        assert_eq!(check_with(body(limit + 1), &limits).unwrap_err().param, param);
    }
}

#[test]
fn a_previous_response_is_an_id_or_not_found() {
    refused(json!({"previous_response_id": "resp_abc"}), "previous_response_id", Offence::PreviousNotFound);
    refused(json!({"previous_response_id": "msg_abc"}), "previous_response_id", Offence::Invalid);
    refused(json!({"previous_response_id": ""}), "previous_response_id", Offence::Invalid);
    let id = ResponseId::new();
    assert_eq!(accepted(json!({"previous_response_id": id})).request.previous_response_id, Some(id));
}

#[test]
fn messages_are_read_in_every_form_in_which_clients_write_them() {
    let valid = accepted(json!({"input": [
        {"role": "user", "content": "a"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "b"}]},
        {"role": "system", "content": "c", "id": null},
        {"role": "assistant", "content": "d"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "e", "annotations": [], "logprobs": []}]},
        {"role": "assistant", "content": [{"type": "input_text", "text": "f"}, {"type": "refusal", "refusal": "g"}]},
        {"role": "user", "content": "h", "id": "msg_mine", "status": "incomplete"},
    ]}));
    let said: Vec<_> = valid.input.iter().map(said).collect();
    assert_eq!(
        said,
        [
            (Role::User, "a".to_owned()),
            (Role::Developer, "b".to_owned()),
            (Role::System, "c".to_owned()),
            (Role::Assistant, "d".to_owned()),
            (Role::Assistant, "e".to_owned()),
            (Role::Assistant, "fg".to_owned()),
            (Role::User, "h".to_owned()),
        ]
    );
    let Item::Message(last) = &valid.input[6] else { unreachable!("a message") };
    assert_eq!((last.id.as_str(), last.status), ("msg_mine", ItemStatus::Incomplete));
    let ids: std::collections::HashSet<_> = valid.input.iter().map(Item::id).collect();
    assert_eq!(ids.len(), 7);
}

fn said(item: &Item) -> (Role, String) {
    let Item::Message(message) = item else { unreachable!("a message") };
    let texts = message.content.iter().map(|part| match part {
        ContentPart::InputText { text, .. } | ContentPart::ReasoningText { text } => text.as_str(),
        ContentPart::OutputText(output) => output.text.as_str(),
        ContentPart::Refusal { refusal } => refusal.as_str(),
    });
    (message.role, texts.collect())
}

#[test]
fn output_that_is_echoed_is_input() {
    let valid = accepted(json!({"input": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "s"}],
         "content": [{"type": "reasoning_text", "text": "t"}], "encrypted_content": null, "status": null},
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed",
         "parsed_arguments": {"a": 1}},
        {"type": "function_call_output", "call_id": "c", "output": "o"},
        {"type": "function_call", "call_id": "d", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "d", "output": [{"type": "input_text", "text": "p"}]},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": null,
         "content": [{"type": "output_text", "text": "e", "annotations": [{"type": "url"}], "logprobs": [], "parsed": null}]},
    ]}));
    assert_eq!(valid.input.len(), 6);
    let Item::FunctionCallOutput(output) = &valid.input[4] else { unreachable!("an output") };
    assert_eq!((output.output.as_str(), output.call_id.as_str()), ("p", "d"));
}

#[test]
fn what_is_only_echoed_for_the_model_is_kept_as_it_came() {
    let valid = accepted(json!({"input": [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "sealed", "format": "v1"},
        {"type": "message", "role": "assistant", "content": "a", "phase": "commentary", "signature": [1]},
        {"type": "function_call", "id": null, "call_id": "c", "name": "f", "arguments": "{}", "status": null,
         "namespace": "n", "caller": {"type": "direct"}, "nothing": null},
        {"type": "function_call_output", "id": null, "call_id": "c", "output": [
            {"type": "input_text", "text": "one, "}, {"type": "output_text", "text": "two"}], "status": null},
    ]}));
    let Item::Reasoning(thought) = &valid.input[0] else { unreachable!("a thought") };
    assert_eq!(thought.encrypted_content.as_deref(), Some("sealed"));
    let fields = |extra: &JsonObject| serde_json::to_value(extra).unwrap();
    assert_eq!(fields(&thought.extra), json!({"format": "v1"}));
    let Item::Message(message) = &valid.input[1] else { unreachable!("a message") };
    assert_eq!(fields(&message.extra), json!({"phase": "commentary", "signature": [1]}));
    let Item::FunctionCall(call) = &valid.input[2] else { unreachable!("a call") };
    assert!(call.id.as_str().starts_with("fc_") && call.status == ItemStatus::Completed);
    assert_eq!(fields(&call.extra), json!({"namespace": "n", "caller": {"type": "direct"}}));
    let Item::FunctionCallOutput(output) = &valid.input[3] else { unreachable!("an output") };
    assert_eq!(output.output, "one, two");
}

#[test]
fn annotations_on_a_text_of_the_models_are_kept_as_they_came() {
    let with = |annotations: &str| {
        let part = format!(r#"{{"type":"output_text","text":"a","annotations":{annotations}}}"#);
        input_of(&format!(r#"{{"role":"assistant","content":[{part}]}}"#))
    };
    let odd = r#"[{"type":"x","a":{"n":12345678901234567890123,"n":1e400},"h":"\ud83d","h":-0.0},{}]"#;
    for (sent, kept) in [(odd, odd), ("[]", "[]"), ("null", "[]")] {
        let items = with(sent).unwrap();
        let Item::Message(message) = &items[0] else { unreachable!("a message") };
        let ContentPart::OutputText(part) = &message.content[0] else { unreachable!("a text") };
        assert_eq!(serde_json::to_string(&part.annotations).unwrap(), kept);
    }
    for no_annotations in ["7", "{}", r#"[1]"#, r#"[{"a":null},[]]"#, &format!(r#"[{{"a":{}}}]"#, nested(120))] {
        assert_eq!(with(no_annotations).unwrap_err(), "input[0].content[0].annotations", "{no_annotations}");
    }
}

fn input_of(items: &str) -> Result<Vec<Item>, String> {
    let create: CreateResponse = serde_json::from_str(&format!(r#"{{"model":"m","input":[{items}]}}"#)).unwrap();
    let checked = validate(create, ResponseId::new(), &LimitOptions::default());
    checked.map(|valid| valid.input).map_err(|violation| violation.param)
}

#[test]
fn unknown_fields_are_not_looked_at_where_they_are_dropped() {
    let with = |role: &str| input_of(&format!(r#"{{"role":"{role}","content":"x","a":{}}}"#, nested(100))).map(drop);
    assert_eq!(with("user"), Ok(()));
    assert_eq!(with("assistant"), Err("input[0].a".to_owned()));
}

/// No type of number or text holds these, and no map.
#[test]
fn unknown_fields_are_kept_whatever_is_in_them() {
    let odd =
        r#""x":1e400,"half":"\ud83d","long":123456789012345678901234567890.10,"b":{"b":1,"a":2,"b":-0},"x":[0.0]"#;
    for item in [
        r#""type":"message","role":"assistant","content":"a""#,
        r#""type":"reasoning","summary":[]"#,
        r#""type":"function_call","call_id":"c","name":"f","arguments":"{}""#,
    ] {
        let kept = input_of(&format!("{{{item},{odd}}}")).unwrap();
        let written = serde_json::to_string(&kept[0]).unwrap();
        assert!(written.ends_with(&format!(",{odd}}}")), "{written}");
    }
    let part = format!(r#"{{"type":"input_text","text":"x","prompt_cache_breakpoint":{{{odd}}}}}"#);
    let kept = input_of(&format!(r#"{{"role":"user","content":[{part}]}}"#)).unwrap();
    let written = serde_json::to_string(&kept[0]).unwrap();
    assert!(written.contains(&part), "{written}");
}

#[test]
fn schemas_and_parameters_are_no_deeper_than_providers_can_echo() {
    let asked = |levels: u32| {
        let schema = json!({"x": nested(levels - 1)});
        let tool = json!({"type": "function", "name": "f", "parameters": schema});
        let format = json!({"type": "json_schema", "name": "s", "schema": schema});
        [json!({"tools": [tool]}), json!({"text": {"format": format}})]
    };
    asked(100).into_iter().map(accepted).for_each(drop);
    let [tools, text] = asked(101);
    refused(tools, "tools[0].parameters", Offence::Invalid);
    refused(text, "text.format.schema", Offence::Invalid);
}

fn nested(levels: u32) -> Value {
    (0..levels).fold(Value::Null, |inner, _| json!([inner]))
}

#[test]
fn a_breakpoint_of_the_cache_is_a_hint_that_is_kept_and_never_refused() {
    let kept = |given: Value| {
        let part = json!({"type": "input_text", "text": "x", "prompt_cache_breakpoint": given});
        let valid = accepted(json!({"input": [{"role": "user", "content": [part]}]}));
        let Item::Message(message) = &valid.input[0] else { unreachable!("a message") };
        let ContentPart::InputText { prompt_cache_breakpoint, .. } = &message.content[0] else {
            unreachable!("a text")
        };
        prompt_cache_breakpoint.as_ref().map(|fields| serde_json::to_value(fields).unwrap())
    };
    let explicit = json!({"mode": "explicit", "ttl": "12h"});
    assert_eq!(kept(explicit.clone()), Some(explicit));
    for odd in [Value::Null, json!(true), json!("explicit"), json!([1]), json!({"x": nested(100)})] {
        assert_eq!(kept(odd), None);
    }
}

#[test]
fn items_that_can_not_be_used_are_named_by_their_place() {
    for (item, param, offence) in [
        (json!({"type": "item_reference", "id": "msg_1"}), "input[1].type", Offence::Unsupported),
        (json!({"id": "msg_1"}), "input[1].type", Offence::Unsupported),
        (json!({"type": "computer_call", "id": "x", "output": {"a": 1}}), "input[1].type", Offence::Unsupported),
        (json!({"type": "no such"}), "input[1].type", Offence::Invalid),
        (json!({}), "input[1].type", Offence::Missing),
        (json!({"role": "tool", "content": "x"}), "input[1].role", Offence::Invalid),
        (json!({"type": "message", "content": "x"}), "input[1].role", Offence::Missing),
        (json!({"role": "user"}), "input[1].content", Offence::Missing),
        (json!({"role": "user", "content": {}}), "input[1].content", Offence::Invalid),
        (json!({"role": "user", "content": "x", "status": "odd"}), "input[1].status", Offence::Invalid),
        (json!({"role": "user", "content": "x", "id": ""}), "input[1].id", Offence::Invalid),
        (
            json!({"role": "user", "content": [{"type": "input_text", "text": "x"}, {"type": "input_image", "image_url": "u"}]}),
            "input[1].content[1].type",
            Offence::Unsupported,
        ),
        (
            json!({"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}),
            "input[1].content[0].type",
            Offence::Unsupported,
        ),
        (
            json!({"role": "user", "content": [{"type": "output_text", "text": "x"}]}),
            "input[1].content[0].type",
            Offence::Invalid,
        ),
        (json!({"role": "user", "content": [{"text": "x"}]}), "input[1].content[0].type", Offence::Missing),
        (json!({"role": "user", "content": [{"type": "input_text"}]}), "input[1].content[0].text", Offence::Missing),
        (json!({"type": "function_call", "name": "f", "arguments": "{}"}), "input[1].call_id", Offence::Missing),
        (
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}),
            "input[1].arguments",
            Offence::Invalid,
        ),
        (json!({"type": "function_call_output", "call_id": "c"}), "input[1].output", Offence::Missing),
        (json!({"type": "reasoning", "summary": [], "x": nested(100)}), "input[1].x", Offence::Invalid),
    ] {
        refused(json!({"input": [{"role": "user", "content": "first"}, item]}), param, offence);
    }
    refused(json!({"input": []}), "input", Offence::Invalid);
}
