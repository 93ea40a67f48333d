use std::sync::Arc;

use serde_json::{Value, json};

use super::super::ResponsesForm;
use super::super::request::ResponsesBody;
use super::{fields, origin, sealed};
use crate::ProviderRequest;
use crate::seal::{Origin, Protocol, Sealed};
use antiphon_domain::{Prompt, Request, Target};
use antiphon_protocol::{
    AllowedTool, ContentPart, FunctionCall, FunctionCallOutput, FunctionTool, Item, ItemId, ItemStatus, JsonObject,
    Message, NarrowChoice, OtherItem, OutputText, Reasoning, ReasoningConfig, ReasoningText, ResponseId, Role,
    SummaryText, TextConfig, TextFormat, Tool, ToolChoice, ToolMode, Verbosity,
};

fn id() -> ItemId {
    ItemId::of_input("own_", ResponseId::new(), 0)
}

fn message(role: Role, content: Vec<ContentPart>, extra: Value) -> Item {
    Item::Message(Message { id: id(), role, status: ItemStatus::Incomplete, content, extra: fields(extra) })
}

fn said(text: &str) -> ContentPart {
    ContentPart::input_text(text)
}

fn cached(text: &str) -> ContentPart {
    let prompt_cache_breakpoint = Some(fields(json!({ "mode": "explicit" })));
    ContentPart::InputText { text: text.to_owned(), prompt_cache_breakpoint }
}

fn citation(kind: &str) -> JsonObject {
    fields(json!({ "type": kind, "start_index": 0, "end_index": 1, "title": "t", "url": "https://a", "x": 1 }))
}

fn written(text: &str) -> ContentPart {
    // One of another protocol, and one that this protocol's servers would refuse.
    let half = fields(json!({ "type": "url_citation", "x": 1 }));
    let annotations = vec![citation("url_citation"), citation("char_location"), half];
    ContentPart::OutputText(OutputText { text: text.to_owned(), annotations, ..OutputText::default() })
}

fn thought(encrypted_content: Option<&str>) -> Item {
    Item::Reasoning(Reasoning {
        id: id(),
        summary: vec![SummaryText { text: "in short".to_owned() }],
        content: vec![ReasoningText { text: "at length".to_owned() }],
        encrypted_content: encrypted_content.map(str::to_owned),
        status: ItemStatus::Completed,
        extra: fields(json!({ "x": 1 })),
    })
}

fn call(extra: JsonObject) -> Item {
    let (call_id, name, arguments) = ("c1".to_owned(), "f".to_owned(), "{}".to_owned());
    Item::FunctionCall(FunctionCall { id: id(), call_id, name, arguments, status: ItemStatus::Completed, extra })
}

fn body(request: &ProviderRequest) -> Value {
    serde_json::to_value(ResponsesBody::new(request, ResponsesForm::default())).unwrap()
}

fn request(items: Vec<Item>) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), plain(), Prompt { instructions: None, items })
}

fn plain() -> Request {
    Request::new("model", 77)
}

fn asking(asked: Request) -> ProviderRequest {
    ProviderRequest { request: Arc::new(asked), ..request(Vec::new()) }
}

fn function(name: &str, description: Option<&str>, strict: Option<bool>) -> Tool {
    let parameters = description.map(|_| json!({ "type": "object" }));
    Tool::Function(FunctionTool {
        name: name.to_owned(),
        description: description.map(str::to_owned),
        parameters: parameters.map(Into::into),
        strict,
    })
}

#[test]
fn a_request_that_wishes_for_nothing_says_nothing_more() {
    let asked = Request {
        tool_choice: ToolChoice::Mode(ToolMode::Required),
        parallel_tool_calls: Some(false),
        reasoning: Some(ReasoningConfig::default()),
        ..plain()
    };
    let request = ProviderRequest {
        request_id: "req_1".to_owned(),
        request: Arc::new(asked),
        ..request(vec![message(Role::User, vec![said("Hi")], json!({}))])
    };
    let input = json!([{ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Hi" }] }]);
    let expected = json!({ "model": "m", "input": input, "stream": true, "store": false, "max_output_tokens": 77 });
    assert_eq!(body(&request), expected);
}

#[test]
fn items_go_without_ids_and_statuses_and_thoughts_only_if_they_are_sealed() {
    let output = Item::FunctionCallOutput(FunctionCallOutput {
        id: id(),
        call_id: "c1".to_owned(),
        output: "42".to_owned(),
        status: ItemStatus::Completed,
    });
    let another = Origin::of(Protocol::Responses, &Target::new("another", "m"));
    let kind = "acme:search".to_owned();
    let found = fields(json!({ "status": "completed", "query": { "deep": true }, "type": "x" }));
    let request = request(vec![
        message(Role::Developer, vec![said("rules")], json!({})),
        message(Role::System, vec![said("older rules")], json!({})),
        message(Role::User, vec![said("one"), cached("two")], json!({ "phase": "final_answer", "x": 1 })),
        thought(Some(&sealed("c2VhbGVk"))),
        thought(Some("c2VhbGVk: as 0.1.0 kept it")),
        thought(Some("anthropic.thinking.c2ln")),
        thought(another.seal(&Sealed::Encrypted { data: "x".to_owned() }).as_deref()),
        thought(None),
        message(Role::Assistant, vec![written("a"), written("")], json!({ "phase": "commentary", "x": 1 })),
        call(fields(json!({ "namespace": "maths", "id": "fc_up", "name": "g" }))),
        output,
        Item::Other(OtherItem { id: id(), kind, fields: found }),
        message(Role::Assistant, vec![ContentPart::Refusal { refusal: "no".to_owned() }], json!({})),
        message(Role::Assistant, vec![written("")], json!({})),
    ]);
    let expected = json!([
        { "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": "rules" }] },
        { "type": "message", "role": "system", "content": [{ "type": "input_text", "text": "older rules" }] },
        { "type": "message", "role": "user", "content":
            [{ "type": "input_text", "text": "one" },
             { "type": "input_text", "text": "two", "prompt_cache_breakpoint": { "mode": "explicit" } }] },
        { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "in short" }],
            "encrypted_content": "c2VhbGVk", "x": 1 },
        { "type": "reasoning", "summary": [{ "type": "summary_text", "text": "in short" }],
            "encrypted_content": "c2VhbGVk: as 0.1.0 kept it", "x": 1 },
        { "type": "message", "role": "assistant", "phase": "commentary", "x": 1,
            "content": [{ "type": "output_text", "text": "a", "annotations": [citation("url_citation")] }] },
        { "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "namespace": "maths" },
        { "type": "function_call_output", "call_id": "c1", "output": "42" },
        { "type": "acme:search", "status": "completed", "query": { "deep": true } },
        { "type": "message", "role": "assistant", "content": [{ "type": "refusal", "refusal": "no" }] },
    ]);
    assert_eq!(body(&request)["input"], expected);
}

/// Without a mark they are of a client that keeps the fields of the API and drops others, or of a log of 0.1.0.
#[test]
fn unknown_fields_and_items_go_to_their_own_model_and_those_without_a_mark_to_all() {
    let another = Origin::of(Protocol::Responses, &Target::new("another", "m"));
    let sent = |mark: &dyn Fn(JsonObject) -> JsonObject| {
        let unknown = || mark(fields(json!({ "namespace": "maths", "phase": "commentary" })));
        let mut thought = thought(Some(&sealed("c2VhbGVk")));
        if let Item::Reasoning(thought) = &mut thought {
            thought.extra = unknown();
        }
        let request = request(vec![
            call(unknown()),
            Item::Message(Message {
                id: id(),
                role: Role::Assistant,
                status: ItemStatus::Completed,
                content: vec![written("a")],
                extra: unknown(),
            }),
            thought,
            Item::Other(OtherItem { id: id(), kind: "web_search_call".to_owned(), fields: unknown() }),
        ]);
        let body = body(&request);
        let told = |item: &Value| {
            assert_eq!(item["antiphon_origin"], Value::Null);
            (item["type"].as_str().unwrap().to_owned(), item["namespace"] == "maths", item["phase"] == "commentary")
        };
        body["input"].as_array().unwrap().iter().map(told).collect::<Vec<_>>()
    };
    let all = ["function_call", "message", "reasoning", "web_search_call"].map(|kind| (kind.to_owned(), true, true));
    assert_eq!(sent(&|fields| fields), all);
    assert_eq!(sent(&|fields| origin().mark(fields)), all);
    // The phase of a message is known to each model of this API.
    let known = [("function_call", false), ("message", true), ("reasoning", false)];
    assert_eq!(sent(&|fields| another.mark(fields)), known.map(|(kind, phase)| (kind.to_owned(), false, phase)));
}

#[test]
fn every_wish_is_said_in_the_protocols_own_words() {
    let request = Request {
        temperature: Some(0.5),
        top_p: Some(0.25),
        tools: vec![function("f", Some("does"), Some(false)), function("g", None, None)],
        tool_choice: ToolChoice::Narrow(NarrowChoice::Function { name: "f".to_owned() }),
        parallel_tool_calls: Some(false),
        text: TextConfig {
            format: TextFormat::JsonSchema {
                name: "s".to_owned(),
                description: None,
                schema: json!({ "type": "object" }).into(),
                strict: Some(true),
            },
            verbosity: Some(Verbosity::Low),
        },
        reasoning: Some(ReasoningConfig { effort: Some("high".to_owned()), ..ReasoningConfig::default() }),
        top_logprobs: 2,
        include: vec![Request::INCLUDE_ENCRYPTED_REASONING.to_owned(), Request::INCLUDE_LOGPROBS.to_owned()],
        safety_identifier: Some("u1".to_owned()),
        prompt_cache_key: Some("k1".to_owned()),
        ..plain()
    };
    let prompt = Prompt { instructions: Some("Be brief.".to_owned()), items: vec![] };
    let request = ProviderRequest { prompt: Arc::new(prompt), ..asking(request) };
    let expected = json!({
        "model": "m",
        "input": [],
        "instructions": "Be brief.",
        "stream": true,
        "store": false,
        "max_output_tokens": 77,
        "temperature": 0.5,
        "top_p": 0.25,
        "tools": [
            { "type": "function", "name": "f", "description": "does", "parameters": { "type": "object" }, "strict": false },
            { "type": "function", "name": "g", "parameters": null },
        ],
        "tool_choice": { "type": "function", "name": "f" },
        "parallel_tool_calls": false,
        "text": {
            "format": { "type": "json_schema", "name": "s", "schema": { "type": "object" }, "strict": true },
            "verbosity": "low",
        },
        "reasoning": { "effort": "high" },
        "top_logprobs": 2,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content"],
        "safety_identifier": "u1",
        "prompt_cache_key": "k1",
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn of_a_choice_among_tools_that_are_all_sent_only_the_mode_is_left() {
    let allowed = |mode| {
        let tools = vec![AllowedTool::Function { name: "f".to_owned() }];
        ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, tools })
    };
    for (choice, word) in [
        (ToolChoice::default(), "auto"),
        (ToolChoice::Mode(ToolMode::Required), "required"),
        (allowed(ToolMode::Auto), "auto"),
        (allowed(ToolMode::Required), "required"),
    ] {
        let request = Request { tools: vec![function("f", None, None)], tool_choice: choice, ..plain() };
        assert_eq!(body(&asking(request))["tool_choice"], word);
    }
}

#[test]
fn a_form_of_text_that_is_the_default_is_not_said() {
    let json_object = TextConfig { format: TextFormat::JsonObject, verbosity: None };
    let short = TextConfig { format: TextFormat::Text, verbosity: Some(Verbosity::High) };
    for (text, said) in [
        (TextConfig::default(), None),
        (json_object, Some(json!({ "format": { "type": "json_object" } }))),
        (short, Some(json!({ "format": { "type": "text" }, "verbosity": "high" }))),
    ] {
        assert_eq!(body(&asking(Request { text, ..plain() })).get("text"), said.as_ref());
    }
}

#[test]
fn a_limit_of_the_output_is_sent_where_the_request_or_the_model_has_one() {
    for (limit, cap, sent) in
        [(None, None, None), (Some(64), None, Some(64)), (Some(64), Some(32), Some(32)), (None, Some(32), Some(32))]
    {
        let mut asked = asking(Request { max_output_tokens: limit, ..plain() });
        asked.target.max_output_tokens_cap = cap;
        assert_eq!(body(&asked).get("max_output_tokens").and_then(Value::as_u64), sent, "{limit:?} {cap:?}");
    }
}

#[test]
fn hints_are_passed_on_as_they_were_sent() {
    let reasoning = ReasoningConfig {
        context: Some("all_turns".to_owned()),
        mode: Some("pro".to_owned()),
        ..ReasoningConfig::default()
    };
    let asked = Request {
        reasoning: Some(reasoning),
        prompt_cache_retention: Some("24h".to_owned()),
        prompt_cache_options: Some(json!({ "ttl": "30m", "mode": "explicit" }).into()),
        service_tier: Some("flex".to_owned()),
        ..plain()
    };
    let body = serde_json::to_string(&ResponsesBody::new(&asking(asked), ResponsesForm::default())).unwrap();
    for part in [
        r#""reasoning":{"context":"all_turns","mode":"pro"}"#,
        r#""prompt_cache_retention":"24h""#,
        r#""prompt_cache_options":{"ttl":"30m","mode":"explicit"}"#,
        r#""service_tier":"flex""#,
    ] {
        assert!(body.contains(part), "no {part} in {body}");
    }
}

#[test]
fn thoughts_are_asked_for_where_the_provider_is_to_send_them_whatever_the_client_wants() {
    let included = |include: Vec<String>, asks_for_encrypted_reasoning| {
        let form = ResponsesForm { asks_for_encrypted_reasoning, ..ResponsesForm::default() };
        let body = serde_json::to_value(ResponsesBody::new(&asking(Request { include, ..plain() }), form)).unwrap();
        body.get("include").cloned()
    };
    let encrypted = || Request::INCLUDE_ENCRYPTED_REASONING.to_owned();
    assert_eq!(included(vec![], false), None);
    assert_eq!(included(vec![], true), Some(json!([encrypted()])));
    assert_eq!(included(vec![encrypted()], true), Some(json!([encrypted()])));
}
