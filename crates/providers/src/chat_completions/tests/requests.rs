use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::request::ChatBody;
use super::super::{ChatForm, OutputLimitField, SystemMessages};
use super::asking;
use crate::ProviderRequest;
use antiphon_domain::{CallPairs, Prompt, Request, Target};
use antiphon_protocol::{
    AllowedTool, ContentPart, FunctionCall, FunctionCallOutput, FunctionTool, Item, ItemId, ItemStatus, JsonObject,
    Message, NarrowChoice, OutputText, Reasoning, ReasoningConfig, ReasoningText, ResponseId, Role, TextConfig,
    TextFormat, Tool, ToolChoice, ToolMode, Verbosity,
};

fn message(role: Role, content: Vec<ContentPart>) -> Item {
    Item::Message(Message { id: id(), role, status: ItemStatus::Completed, content, extra: JsonObject::new() })
}

fn id() -> ItemId {
    ItemId::of_input("msg", ResponseId::new(), 0)
}

fn said(text: &str) -> ContentPart {
    ContentPart::input_text(text)
}

fn written(text: &str) -> ContentPart {
    ContentPart::OutputText(OutputText { text: text.to_owned(), ..OutputText::default() })
}

fn call(call_id: &str) -> Item {
    Item::FunctionCall(FunctionCall {
        id: id(),
        call_id: call_id.to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        status: ItemStatus::Completed,
        extra: JsonObject::new(),
    })
}

fn output(call_id: &str, output: &str) -> Item {
    let (call_id, output) = (call_id.to_owned(), output.to_owned());
    Item::FunctionCallOutput(FunctionCallOutput { id: id(), call_id, output, status: ItemStatus::Completed })
}

fn thought(text: &str) -> Item {
    Item::Reasoning(Reasoning {
        id: id(),
        summary: Vec::new(),
        content: vec![ReasoningText { text: text.to_owned() }],
        encrypted_content: Some("sealed".to_owned()),
        status: ItemStatus::Completed,
        extra: JsonObject::new(),
    })
}

fn request(items: Vec<Item>) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), plain(), Prompt { instructions: None, items })
}

fn plain() -> Request {
    Request::new("model", 7)
}

fn body(request: &ProviderRequest) -> Value {
    serde_json::to_value(ChatBody::new(request, &ChatForm::default())).unwrap()
}

/// The messages, as one line each: who speaks, what, and the ids of the calls.
fn told(items: Vec<Item>) -> Vec<String> {
    let body = body(&request(items));
    let line = |message: &Value| {
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let calls: String = calls.map(|call| format!(" {}", call["id"].as_str().unwrap())).collect();
        let id = message["tool_call_id"].as_str().map(|id| format!(" {id}")).unwrap_or_default();
        let content = message["content"].as_str().map(|text| format!(": {text}")).unwrap_or_default();
        format!("{}{calls}{id}{content}", message["role"].as_str().unwrap())
    };
    body["messages"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn a_request_holds_what_was_asked_and_nothing_else() {
    let request = ProviderRequest {
        request_id: "req_1".to_owned(),
        prompt: Arc::new(Prompt { instructions: Some("Be brief.".to_owned()), items: conversation() }),
        ..asking(Request { top_p: Some(0.5), ..plain() })
    };
    let called = |id| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{}" } });
    let expected = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "Be brief.\n\nrules" },
            { "role": "user", "content": "one\n\ntwo" },
            { "role": "assistant", "content": "ab", "tool_calls": [called("c1"), called("c2")] },
            { "role": "tool", "tool_call_id": "c1", "content": "41" },
            { "role": "tool", "tool_call_id": "c2", "content": "42" },
            { "role": "assistant", "content": null, "refusal": "no" },
            { "role": "user", "content": "go on" },
        ],
        "stream": true,
        "stream_options": { "include_usage": true },
        "top_p": 0.5,
        "max_completion_tokens": 7,
    });
    assert_eq!(body(&request), expected);
}

fn conversation() -> Vec<Item> {
    vec![
        message(Role::Developer, vec![said("rules")]),
        message(Role::User, vec![said("one"), said("two")]),
        message(Role::Assistant, vec![written("a"), written("b")]),
        call("c1"),
        thought("hm"),
        call("c2"),
        output("c2", "42"),
        output("c1", "41"),
        message(Role::Assistant, vec![ContentPart::Refusal { refusal: "no".to_owned() }]),
        message(Role::Assistant, vec![written("")]),
        message(Role::User, vec![said("go on")]),
    ]
}

/// Templates of models refuse a system message in another place, and servers refuse parts in it.
#[test]
fn instructions_and_developers_are_one_leading_message_unless_they_are_to_stay_in_place() {
    let developers = vec![
        message(Role::Developer, vec![said("Skills."), said(""), said("Permissions.")]),
        message(Role::User, vec![said("hi")]),
        message(Role::Assistant, vec![written("x")]),
        message(Role::System, vec![said("Be brief.")]),
        message(Role::User, vec![said("go")]),
    ];
    let told = |instructions: Option<&str>, items: &[Item], system_messages| {
        let prompt = Prompt { instructions: instructions.map(str::to_owned), items: items.to_vec() };
        let form = ChatForm { system_messages, ..ChatForm::default() };
        let asked = ProviderRequest::new(Target::new("p", "m"), plain(), prompt);
        let body = serde_json::to_value(ChatBody::new(&asked, &form)).unwrap();
        let line = |message: &Value| format!("{}: {}", message["role"], message["content"]).replace('"', "");
        body["messages"].as_array().unwrap().iter().map(line).collect::<Vec<_>>()
    };
    let merged = r"system: Core rules.\n\nSkills.\n\nPermissions.\n\nBe brief.";
    let (first, second) = ("system: Core rules.", r"system: Skills.\n\nPermissions.");
    let (user, model, last) = ("user: hi", "assistant: x", "user: go");
    assert_eq!(told(Some("Core rules."), &developers, SystemMessages::Merged), [merged, user, model, last]);
    let in_place = [first, second, user, model, "system: Be brief.", last];
    assert_eq!(told(Some("Core rules."), &developers, SystemMessages::InPlace), in_place);
    let nobody = [message(Role::Developer, vec![said("")]), message(Role::User, vec![said("hi")])];
    for where_they_stand in [SystemMessages::Merged, SystemMessages::InPlace] {
        assert_eq!(told(Some(""), &nobody, where_they_stand), [user]);
    }
}

#[test]
fn answers_stand_right_behind_their_calls() {
    let user = || message(Role::User, vec![said("u")]);
    let model = || message(Role::Assistant, vec![written("a")]);
    for (what, items, expected) in [
        (
            "one turn after the other",
            vec![call("1"), output("1", "x"), call("2"), output("2", "y")],
            vec!["assistant 1", "tool 1: x", "assistant 2", "tool 2: y"],
        ),
        (
            "something lies in between",
            vec![call("1"), user(), thought("hm"), output("1", "x")],
            vec!["assistant 1", "tool 1: x", "user: u"],
        ),
        (
            "answered late, after another turn began",
            vec![call("1"), user(), call("2"), output("2", "y"), output("1", "x")],
            vec!["assistant 1", "tool 1: x", "user: u", "assistant 2", "tool 2: y"],
        ),
        (
            "half answered before the next call",
            vec![call("1"), call("2"), output("1", "x"), call("3"), output("2", "y"), output("3", "z")],
            vec!["assistant 1 2", "tool 1: x", "tool 2: y", "assistant 3", "tool 3: z"],
        ),
        (
            "words between the calls of one answer",
            vec![call("1"), model(), call("2"), output("1", "x"), output("2", "y")],
            vec!["assistant 1", "tool 1: x", "assistant 2: a", "tool 2: y"],
        ),
        (
            "an id that is used in every turn",
            vec![call("1"), output("1", "x"), call("1"), output("1", "y")],
            vec!["assistant 1", "tool 1: x", "assistant 1", "tool 1: y"],
        ),
        (
            "an id that is used twice in one turn",
            vec![call("1"), call("1"), output("1", "x"), output("1", "y")],
            vec!["assistant 1 1", "tool 1: x", "tool 1: y"],
        ),
        ("two answers", vec![call("1"), output("1", "x"), output("1", "y")], vec!["assistant 1", "tool 1: x"]),
        ("an answer before its call", vec![output("1", "x"), call("1")], vec!["assistant 1", "tool 1: x"]),
        ("an answer to no call", vec![user(), output("1", "x")], vec!["user: u"]),
    ] {
        assert_eq!(told(items), expected, "{what}");
    }
}

#[test]
fn a_call_that_was_cut_before_its_first_argument_is_told_as_one_without_any() {
    let Item::FunctionCall(cut) = call("c1") else { unreachable!() };
    let cut = Item::FunctionCall(FunctionCall { arguments: String::new(), ..cut });
    let body = body(&request(vec![cut]));
    assert_eq!(body["messages"][0]["tool_calls"][0]["function"], json!({ "name": "f", "arguments": "{}" }));
}

/// Every kind of item, with few ids, so that calls and answers meet in all ways.
fn any_items() -> impl Strategy<Value = Vec<Item>> {
    let kinds = prop::collection::vec((0..5u8, 0..4u8), 0..16);
    kinds.prop_map(|kinds| {
        let item = |(place, (kind, id)): (usize, (u8, u8))| match kind {
            0 => message(Role::User, vec![said(&format!("<{place}>"))]),
            1 => message(Role::Assistant, vec![written(&format!("<{place}>"))]),
            2 => call(&id.to_string()),
            3 => output(&id.to_string(), &format!("<{place}>")),
            _ => thought("hm"),
        };
        kinds.into_iter().enumerate().map(item).collect()
    })
}

/// What must be told of an item: its words. None of a thought, or of an output that answers no call.
fn must_be_told(position: usize, item: &Item, pairs: &CallPairs<'_>) -> Option<String> {
    match item {
        Item::Message(message) => message.content.iter().find_map(|part| match part {
            ContentPart::InputText { text, .. } => Some(text.clone()),
            ContentPart::OutputText(part) => Some(part.text.clone()),
            ContentPart::Refusal { .. } | ContentPart::ReasoningText { .. } => None,
        }),
        Item::FunctionCallOutput(output) => pairs.position_of_call(position).map(|_| output.output.clone()),
        Item::FunctionCall(_) | Item::Reasoning(_) | Item::Other(_) => None,
    }
}

proptest! {
    #[test]
    fn every_sequence_of_items_is_told_as_a_server_takes_it(items in any_items()) {
        let body = body(&request(items.clone()));
        let mut open: Vec<&str> = Vec::new();
        for message in body["messages"].as_array().unwrap() {
            if message["role"] == "tool" {
                let id = message["tool_call_id"].as_str().unwrap();
                let call = open.iter().position(|call| *call == id);
                prop_assert!(call.is_some(), "an answer without its call right before it: {body}");
                open.drain(..=call.unwrap_or_default());
            } else {
                let calls = message["tool_calls"].as_array().into_iter().flatten();
                open = calls.map(|call| call["id"].as_str().unwrap()).collect();
            }
        }
        let told = body["messages"].to_string();
        let pairs = CallPairs::of(&items, &[]);
        for (position, item) in items.iter().enumerate() {
            let Some(words) = must_be_told(position, item, &pairs) else { continue };
            prop_assert_eq!(told.matches(&words).count(), 1, "{}", words);
        }
        let calls = items.iter().filter(|item| matches!(item, Item::FunctionCall(_))).count();
        prop_assert_eq!(told.matches("\"arguments\"").count(), calls);
    }
}

fn function(name: &str) -> Tool {
    Tool::Function(FunctionTool { name: name.to_owned(), description: None, parameters: None, strict: None })
}

#[test]
fn tools_are_nested_and_have_only_what_the_client_gave() {
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let full = Tool::Function(FunctionTool {
        name: "weather".to_owned(),
        description: Some("Looks outside.".to_owned()),
        parameters: Some(schema.clone().into()),
        strict: Some(true),
    });
    let body = body(&asking(Request { tools: vec![full, function("ring")], ..plain() }));
    let weather = json!({ "name": "weather", "description": "Looks outside.", "parameters": schema, "strict": true });
    let expected =
        json!([{ "type": "function", "function": weather }, { "type": "function", "function": { "name": "ring" } }]);
    assert_eq!(body["tools"], expected);
    assert_eq!((body.get("tool_choice"), body.get("parallel_tool_calls")), (None, None));
}

#[test]
fn a_choice_of_tools_is_told_where_there_are_tools() {
    let name = || "f".to_owned();
    let allowed = |mode| NarrowChoice::AllowedTools { mode, tools: vec![AllowedTool::Function { name: name() }] };
    for (choice, expected) in [
        (ToolChoice::default(), None),
        (ToolChoice::Mode(ToolMode::Required), Some(json!("required"))),
        (
            ToolChoice::Narrow(NarrowChoice::Function { name: name() }),
            Some(json!({ "type": "function", "function": { "name": "f" } })),
        ),
        (ToolChoice::Narrow(allowed(ToolMode::Auto)), None),
        (ToolChoice::Narrow(allowed(ToolMode::Required)), Some(json!("required"))),
    ] {
        let without = Request { tool_choice: choice, parallel_tool_calls: Some(false), ..plain() };
        let with = Request { tools: vec![function("f")], ..without.clone() };
        let (with, without) = (body(&asking(with)), body(&asking(without)));
        assert_eq!((with.get("tool_choice"), &with["parallel_tool_calls"]), (expected.as_ref(), &json!(false)));
        for field in ["tools", "tool_choice", "parallel_tool_calls"] {
            assert_eq!(without.get(field), None, "{field} without tools");
        }
    }
}

#[test]
fn the_form_of_the_text_is_told_where_it_is_not_plain() {
    let schema = |description: Option<&str>, strict| TextFormat::JsonSchema {
        name: "answer".to_owned(),
        description: description.map(str::to_owned),
        schema: json!({ "type": "object" }).into(),
        strict,
    };
    let bare = json!({ "name": "answer", "schema": { "type": "object" } });
    let full = json!({ "name": "answer", "schema": { "type": "object" }, "description": "d", "strict": false });
    for (format, expected) in [
        (TextFormat::Text, None),
        (TextFormat::JsonObject, Some(json!({ "type": "json_object" }))),
        (schema(None, None), Some(json!({ "type": "json_schema", "json_schema": bare }))),
        (schema(Some("d"), Some(false)), Some(json!({ "type": "json_schema", "json_schema": full }))),
    ] {
        let text = TextConfig { format, verbosity: None };
        assert_eq!(body(&asking(Request { text, ..plain() })).get("response_format"), expected.as_ref());
    }
}

#[test]
fn effort_verbosity_and_probabilities_are_told_where_they_were_asked_for() {
    let fields = ["verbosity", "reasoning_effort", "logprobs", "top_logprobs"];
    let of = |request: Request| {
        let body = body(&asking(request));
        fields.map(|field| body.get(field).cloned())
    };
    let effort = |effort: Option<&str>| {
        Some(ReasoningConfig { effort: effort.map(str::to_owned), ..ReasoningConfig::default() })
    };
    let text = TextConfig { verbosity: Some(Verbosity::Low), ..TextConfig::default() };
    let include = || vec![Request::INCLUDE_LOGPROBS.to_owned()];
    assert_eq!(of(plain()), [None, None, None, None]);
    assert_eq!(of(Request { reasoning: effort(None), ..plain() }), [None, None, None, None]);
    assert_eq!(
        of(Request { text, reasoning: effort(Some("high")), include: include(), ..plain() }),
        [Some(json!("low")), Some(json!("high")), Some(json!(true)), None]
    );
    let probable = Request { top_logprobs: 3, include: include(), ..plain() };
    assert_eq!(of(probable), [None, None, Some(json!(true)), Some(json!(3))]);
}

#[test]
fn a_server_that_refuses_the_question_is_not_asked_for_usage() {
    let form = ChatForm { asks_for_usage: false, ..ChatForm::default() };
    let body = serde_json::to_value(ChatBody::new(&request(vec![]), &form)).unwrap();
    assert_eq!(body.get("stream_options"), None);
}

#[test]
fn the_limit_can_go_by_its_older_name() {
    let form = ChatForm { output_limit_field: OutputLimitField::MaxTokens, ..ChatForm::default() };
    let body = serde_json::to_value(ChatBody::new(&request(vec![]), &form)).unwrap();
    assert_eq!((&body["max_tokens"], body.get("max_completion_tokens")), (&json!(7), None));
}

#[test]
fn a_limit_of_the_output_is_sent_where_the_request_or_the_model_has_one() {
    for (limit, cap, sent) in
        [(None, None, None), (Some(64), None, Some(64)), (Some(64), Some(32), Some(32)), (None, Some(32), Some(32))]
    {
        let mut asked = asking(Request { max_output_tokens: limit, ..plain() });
        asked.target.max_output_tokens_cap = cap;
        assert_eq!(body(&asked).get("max_completion_tokens").and_then(Value::as_u64), sent, "{limit:?} {cap:?}");
    }
}

#[test]
fn who_asks_the_cache_key_and_the_tier_are_passed_on() {
    let asked = Request {
        safety_identifier: Some("who".to_owned()),
        prompt_cache_key: Some("key".to_owned()),
        service_tier: Some("flex".to_owned()),
        ..plain()
    };
    let asked = asking(asked);
    let body = body(&asked);
    assert_eq!((&body["safety_identifier"], &body["prompt_cache_key"]), (&json!("who"), &json!("key")));
    assert_eq!(body["service_tier"], json!("flex"));
    let form = ChatForm { passes_hints: false, ..ChatForm::default() };
    let body = serde_json::to_value(ChatBody::new(&asked, &form)).unwrap();
    assert!(["safety_identifier", "prompt_cache_key", "service_tier"].iter().all(|hint| body.get(hint).is_none()));
}
