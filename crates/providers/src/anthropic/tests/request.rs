use std::sync::Arc;

use serde_json::{Value, json};

use super::super::request::{AnthropicBody, unsupported};
use super::{answered, asked, asking, budget, call, message, output, plain, request, thought};
use crate::{AnthropicOptions, ProviderRequest};
use antiphon_domain::{Prompt, Request, Target};
use antiphon_protocol::{
    AllowedTool, ContentPart, FunctionTool, NarrowChoice, ReasoningConfig, Role, TextConfig, TextFormat, Tool,
    ToolChoice, ToolMode, Verbosity,
};

fn body(request: &ProviderRequest) -> Value {
    serde_json::to_value(AnthropicBody::new(request, &budget())).unwrap()
}

fn function(name: &str, parameters: Option<Value>) -> Tool {
    let parameters = parameters.map(Into::into);
    Tool::Function(FunctionTool { name: name.to_owned(), description: None, parameters, strict: None })
}

fn with_effort(effort: &str, max_output_tokens: u32) -> Request {
    let reasoning = Some(ReasoningConfig { effort: Some(effort.to_owned()), ..ReasoningConfig::default() });
    Request { reasoning, max_output_tokens: Some(max_output_tokens), ..plain() }
}

/// Something that the model can think about, asked for in that way.
fn question(request: Request) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), request, Prompt { instructions: None, items: vec![asked("a")] })
}

fn said(role: Role, text: &str) -> antiphon_protocol::Item {
    message(role, vec![ContentPart::input_text(text)])
}

#[test]
fn a_request_holds_what_was_asked_and_nothing_else() {
    let tool = FunctionTool {
        name: "f".to_owned(),
        description: Some("does it".to_owned()),
        parameters: Some(json!({ "type": "object", "properties": { "a": { "type": "string" } } }).into()),
        strict: Some(true),
    };
    let items = vec![said(Role::Developer, "Rules."), asked("a"), said(Role::System, " "), answered("b")];
    let items = [items, vec![said(Role::System, "More rules."), asked("c")]].concat();
    let request = Request {
        temperature: Some(0.3),
        top_p: Some(0.5),
        tools: vec![Tool::Function(tool)],
        safety_identifier: Some("user-7".to_owned()),
        prompt_cache_key: Some("key".to_owned()),
        ..plain()
    };
    let prompt = Prompt { instructions: Some("Be brief.".to_owned()), items };
    let request = ProviderRequest { request_id: "req_1".to_owned(), prompt: Arc::new(prompt), ..asking(request) };
    let expected = json!({
        "model": "m",
        "max_tokens": 8192,
        "system": "Be brief.\n\nRules.\n\nMore rules.",
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "a" }] },
            { "role": "assistant", "content": [{ "type": "text", "text": "b" }] },
            { "role": "user", "content": [{ "type": "text", "text": "c" }] },
        ],
        "stream": true,
        "temperature": 0.3,
        "top_p": 0.5,
        "tools": [{
            "name": "f",
            "description": "does it",
            "input_schema": { "type": "object", "properties": { "a": { "type": "string" } } },
        }],
        "tool_choice": { "type": "auto" },
        "metadata": { "user_id": "user-7" },
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn what_was_left_to_the_provider_is_left_out() {
    let expected = json!({ "model": "m", "max_tokens": 8192, "messages": [], "stream": true });
    assert_eq!(body(&request(Vec::new())), expected);
}

#[test]
fn a_temperature_above_the_highest_becomes_the_highest() {
    for (asked, sent) in [(0.0, 0.0), (1.0, 1.0), (1.2, 1.0), (2.0, 1.0)] {
        let request = Request { temperature: Some(asked), ..plain() };
        assert_eq!(body(&asking(request))["temperature"], json!(sent), "{asked}");
    }
}

#[test]
fn every_choice_of_tools_has_its_form() {
    let one = |mode| {
        let tools = vec![AllowedTool::Function { name: "f".to_owned() }];
        ToolChoice::Narrow(NarrowChoice::AllowedTools { mode, tools })
    };
    let named = ToolChoice::Narrow(NarrowChoice::Function { name: "f".to_owned() });
    for (choice, parallel, expected) in [
        (ToolChoice::Mode(ToolMode::Auto), None, json!({ "type": "auto" })),
        (ToolChoice::Mode(ToolMode::Auto), Some(true), json!({ "type": "auto" })),
        (ToolChoice::Mode(ToolMode::Auto), Some(false), json!({ "type": "auto", "disable_parallel_tool_use": true })),
        (
            ToolChoice::Mode(ToolMode::Required),
            Some(false),
            json!({ "type": "any", "disable_parallel_tool_use": true }),
        ),
        (named.clone(), None, json!({ "type": "tool", "name": "f" })),
        (named, Some(false), json!({ "type": "tool", "name": "f", "disable_parallel_tool_use": true })),
        (one(ToolMode::Auto), None, json!({ "type": "auto" })),
        (one(ToolMode::Required), None, json!({ "type": "any" })),
    ] {
        let tools = vec![function("f", None)];
        let with = Request { tools, tool_choice: choice.clone(), parallel_tool_calls: parallel, ..plain() };
        let without = Request { tools: Vec::new(), ..with.clone() };
        assert_eq!(body(&asking(with))["tool_choice"], expected, "{choice:?} {parallel:?}");
        assert_eq!(body(&asking(without)).get("tool_choice"), None, "a choice among no tools");
    }
}

#[test]
fn arguments_are_always_said_to_be_an_object() {
    for (parameters, schema) in [
        (None, json!({ "type": "object" })),
        (Some(Value::Null), json!({ "type": "object" })),
        (Some(json!({})), json!({ "type": "object" })),
        (Some(json!({ "properties": {} })), json!({ "type": "object", "properties": {} })),
        (Some(json!({ "type": "object", "required": [] })), json!({ "type": "object", "required": [] })),
    ] {
        let request = Request { tools: vec![function("f", parameters)], ..plain() };
        assert_eq!(body(&asking(request))["tools"], json!([{ "name": "f", "input_schema": schema }]));
    }
}

#[test]
fn an_effort_is_a_share_of_the_output() {
    for (effort, output, budget) in [
        ("low", 8192, Some(2048)),
        ("medium", 8192, Some(4096)),
        ("high", 8192, Some(6144)),
        ("xhigh", 8192, Some(7168)),
        ("max", 8192, Some(7168)),
        ("low", 2048, Some(1024)),
        ("high", 1025, Some(1024)),
        ("max", 1024, None),
        ("none", 8192, None),
        ("minimal", 8192, None),
        ("high", u32::MAX, Some(u32::MAX / 8 * 6)),
    ] {
        let request = Request { temperature: Some(0.5), top_p: Some(0.5), ..with_effort(effort, output) };
        let body = body(&question(request));
        let expected = budget.map(|budget| json!({ "type": "enabled", "budget_tokens": budget }));
        assert_eq!(body.get("thinking"), expected.as_ref(), "{effort} of {output}");
        let sampling = (body.get("temperature"), &body["top_p"]);
        match budget {
            Some(_) => assert_eq!(sampling, (None, &json!(0.95)), "{effort} of {output}"),
            None => assert_eq!(sampling, (Some(&json!(0.5)), &json!(0.5)), "{effort} of {output}"),
        }
    }
}

#[test]
fn there_is_no_thinking_where_the_protocol_refuses_it() {
    let signed = || thought(&["t"], Some("anthropic.thinking.s"));
    let calls = || vec![call("1", "{}"), output("1", "x")];
    for (items, thinks) in [
        (vec![asked("a")], true),
        (vec![asked("a"), answered("b"), asked("c")], true),
        (vec![], false),
        (vec![asked("a"), answered("b")], false),
        ([vec![asked("a")], calls()].concat(), false),
        ([vec![asked("a"), signed()], calls()].concat(), true),
        ([vec![asked("a"), signed()], calls(), calls()].concat(), true),
        ([vec![asked("a")], calls(), vec![signed()], calls()].concat(), false),
        ([vec![asked("a")], calls(), vec![answered("b"), asked("c")]].concat(), true),
        (calls(), false),
    ] {
        let request = ProviderRequest { request: Arc::new(with_effort("low", 8192)), ..request(items.clone()) };
        assert_eq!(body(&request).get("thinking").is_some(), thinks, "{items:?}");
    }
    let named = ToolChoice::Narrow(NarrowChoice::Function { name: "f".to_owned() });
    for (tool_choice, thinks) in
        [(ToolChoice::Mode(ToolMode::Auto), true), (ToolChoice::Mode(ToolMode::Required), false), (named, false)]
    {
        let tools = vec![function("f", None)];
        let request = Request { tools, tool_choice: tool_choice.clone(), ..with_effort("low", 8192) };
        assert_eq!(body(&question(request)).get("thinking").is_some(), thinks, "{tool_choice:?}");
    }
}

#[test]
fn a_schema_is_the_format_of_the_output() {
    let of = |schema: Value, description: Option<&str>| {
        let (name, description) = ("answer".to_owned(), description.map(str::to_owned));
        let format = TextFormat::JsonSchema { name, description, schema: schema.into(), strict: Some(true) };
        let text = TextConfig { format, verbosity: None };
        body(&asking(Request { text, ..plain() }))["output_config"].take()
    };
    let format = |schema: Value| json!({ "format": { "type": "json_schema", "schema": schema } });
    assert_eq!(of(json!({ "type": "object" }), None), format(json!({ "type": "object" })));
    let described = json!({ "type": "object", "description": "What it is." });
    assert_eq!(of(json!({ "type": "object" }), Some("What it is.")), format(described.clone()));
    assert_eq!(of(described.clone(), Some("Something else.")), format(described));
}

#[test]
fn newer_models_are_told_an_effort_and_think_as_they_see_fit() {
    let adaptive =
        |request| serde_json::to_value(AnthropicBody::new(&question(request), &AnthropicOptions::default())).unwrap();
    for effort in ["low", "medium", "high", "xhigh", "max"] {
        let body = adaptive(Request { temperature: Some(0.5), ..with_effort(effort, 20) });
        assert_eq!(
            (&body["thinking"], &body["output_config"]),
            (&json!({ "type": "adaptive" }), &json!({ "effort": effort }))
        );
        assert_eq!(body.get("temperature"), None);
    }
    let forced = ToolChoice::Mode(ToolMode::Required);
    let forced = Request { tools: vec![function("f", None)], tool_choice: forced, ..with_effort("low", 20) };
    assert_eq!(adaptive(forced).get("thinking"), None);
    let none = adaptive(with_effort("none", 20));
    assert_eq!((none.get("thinking"), none.get("output_config")), (None, None));
}

#[test]
fn where_no_function_may_be_called_any_more_those_that_were_are_named() {
    let items = vec![asked("a"), call("1", "{}"), output("1", "one"), asked("b")];
    let none = ToolChoice::Mode(ToolMode::None);
    let asked = Request { tool_choice: none, ..plain() };
    let body = body(&ProviderRequest { request: Arc::new(asked), ..request(items) });
    assert_eq!(body["tools"], json!([{ "name": "f", "input_schema": { "type": "object" } }]));
    assert_eq!(body["tool_choice"], json!({ "type": "none" }));
}

#[test]
fn the_limit_that_the_protocol_demands_is_the_requests_then_the_caps_then_the_providers() {
    for (limit, cap, sent) in [
        (Some(64), None, 64),
        (Some(64), Some(100), 64),
        (Some(64), Some(32), 32),
        (None, Some(100), 100),
        (None, None, AnthropicOptions::DEFAULT_MAX_TOKENS),
    ] {
        let mut asked = asking(Request { max_output_tokens: limit, ..plain() });
        asked.target.max_output_tokens_cap = cap;
        assert_eq!(body(&asked)["max_tokens"], sent, "{limit:?} {cap:?}");
    }
}

#[test]
fn what_the_protocol_has_no_form_for_is_named() {
    let text = |format, verbosity| Request { text: TextConfig { format, verbosity }, ..plain() };
    for (request, word) in [
        (Request { include: vec![Request::INCLUDE_LOGPROBS.to_owned()], ..plain() }, "top_logprobs"),
        (text(TextFormat::JsonObject, None), "text.format"),
        (with_effort("heroic", 8192), "effort"),
    ] {
        assert!(unsupported(&request).unwrap().contains(word), "{word}");
    }
    for request in [
        plain(),
        text(TextFormat::Text, Some(Verbosity::Low)),
        with_effort("none", 8192),
        with_effort("minimal", 8192),
        with_effort("max", 8192),
    ] {
        assert_eq!(unsupported(&request), None);
    }
}
