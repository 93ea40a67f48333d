//! Two turns with a function call at each provider of `docs/providers.md`, in front of a peer that refuses what that
//! provider is known to refuse: what it needs back of its first answer has to be in the second request.

use antiphon::testkit::{Script, ScriptedProvider};
use serde_json::{Value, json};

use super::{
    markdown::blocks,
    peers::{Known, everybody},
    providers::{PAGE, serve},
};

/// How a client goes on with a conversation.
#[derive(Debug, Clone, Copy)]
enum Client {
    /// By the id of the response.
    Chains,
    /// By sending all items back as they came.
    Echoes,
    /// The same, with nothing kept by this server, and by the client only what the oldest types have.
    KeepsOnlySealed,
}

/// What a provider answers first, and what it refuses afterwards.
struct Demand {
    heading: &'static str,
    first: fn() -> Script,
    /// Its own words for what is wrong with a request.
    objects: fn(&Value) -> Option<&'static str>,
}

fn call(more: Value) -> Value {
    let mut call =
        json!({ "index": 0, "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{}" } });
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "tool_calls": [call] })
}

fn calls() -> Value {
    call(json!({}))
}

fn finished(script: Script) -> Script {
    script.finish("tool_calls").usage(5, 7).done()
}

fn messages<'a>(body: &'a Value, role: &'a str) -> impl Iterator<Item = &'a Value> {
    body["messages"].as_array().into_iter().flatten().filter(move |message| message["role"] == role)
}

fn has_words(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

/// The fields of messages that every server knows.
fn other_fields<'a>(body: &'a Value, known: &'a [&str]) -> impl Iterator<Item = &'a String> {
    let messages = body["messages"].as_array().into_iter().flatten().filter_map(Value::as_object).flatten();
    let usual = ["role", "content", "tool_calls", "tool_call_id"];
    messages.map(|(key, _)| key).filter(move |key| !usual.contains(&key.as_str()) && !known.contains(&key.as_str()))
}

fn without_system_elsewhere(body: &Value) -> Option<&'static str> {
    let messages = body["messages"].as_array().into_iter().flatten().skip(1);
    messages.clone().any(|message| message["role"] == "system").then_some("System message must be at the beginning.")
}

fn deepseek(body: &Value) -> Option<&'static str> {
    let lacks = messages(body, "assistant").any(|message| !has_words(&message["reasoning_content"]));
    lacks.then_some("The `reasoning_content` in the thinking mode must be passed back to the API.")
}

fn kimi(body: &Value) -> Option<&'static str> {
    let lacks = |message: &Value| message["tool_calls"].is_array() && !has_words(&message["reasoning_content"]);
    let lacks = messages(body, "assistant").any(lacks);
    lacks.then_some("thinking is enabled but reasoning_content is missing in assistant tool call message at index 2")
}

fn minimax(body: &Value) -> Option<&'static str> {
    let details = |message: &Value| message["reasoning_details"][0]["text"].clone();
    let lacks = messages(body, "assistant").any(|message| details(message) != "I look.");
    lacks.then_some("invalid params, reasoning_details of the assistant message are missing")
}

fn gemini(body: &Value) -> Option<&'static str> {
    if other_fields(body, &[]).next().is_some() {
        return Some("Invalid JSON payload received. Unknown name at 'messages[1]': Cannot find field.");
    }
    let signature = |message: &Value| message["tool_calls"][0]["extra_content"]["google"]["thought_signature"].clone();
    let lacks = messages(body, "assistant").any(|message| signature(message) != "SIG==");
    lacks.then_some("Function call is missing a thought_signature in functionCall parts.")
}

fn openrouter(body: &Value) -> Option<&'static str> {
    let expected = json!([openrouter_detail("I look.", json!("SIG=="))]);
    let differs = messages(body, "assistant").any(|message| message["reasoning_details"] != expected);
    differs.then_some("messages.1.content.0: `thinking` blocks in the latest assistant message cannot be modified.")
}

fn openrouter_detail(text: &str, signature: Value) -> Value {
    json!({ "type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1", "index": 0 })
}

fn mistral(body: &Value) -> Option<&'static str> {
    let is_refused = body.get("stream_options").is_some() || body.get("max_completion_tokens").is_some();
    if is_refused || other_fields(body, &[]).next().is_some() {
        return Some("Extra inputs are not permitted");
    }
    let thinking = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "I look." }] }]);
    let lacks = messages(body, "assistant").any(|message| message["content"] != thinking);
    lacks.then_some("the thought of the assistant message is missing")
}

fn sglang(body: &Value) -> Option<&'static str> {
    let parts = body["messages"].as_array().into_iter().flatten().any(|message| message["content"].is_array());
    parts.then_some("can only concatenate str (not \"list\") to str").or_else(|| without_system_elsewhere(body))
}

/// The Responses API: thoughts come encrypted where that is asked for, and must be what was given.
fn xai(body: &Value) -> Option<&'static str> {
    if body["include"] != json!(["reasoning.encrypted_content"]) {
        return Some("nobody asked for the thoughts");
    }
    let items = || body["input"].as_array().into_iter().flatten();
    let is_second = items().any(|item| item["type"] == "function_call_output");
    let thought = items().find(|item| item["type"] == "reasoning");
    let is_given = thought.is_some_and(|thought| thought["encrypted_content"] == "SEALED==");
    (is_second && !is_given).then_some("Could not decrypt the provided encrypted_content.")
}

fn anthropic(body: &Value) -> Option<&'static str> {
    let turns = body["messages"].as_array().into_iter().flatten().filter(|turn| turn["role"] == "assistant");
    let thinking = json!({ "type": "thinking", "thinking": "I look.", "signature": "SIG==" });
    let lacks = turns.clone().any(|turn| turn["content"][0] != thinking);
    lacks.then_some("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`.")
}

fn answer_of_xai() -> Script {
    let thought = json!({ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "SEALED==" });
    let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{}",
        "status": "completed" });
    let done =
        |place: u32, item: &Value| json!({ "type": "response.output_item.done", "output_index": place, "item": item });
    let whole = json!({ "id": "resp_up", "status": "completed", "output": [thought, call] });
    let told = [
        json!({ "type": "response.created", "response": { "id": "resp_up" } }),
        done(0, &thought),
        done(1, &call),
        json!({ "type": "response.completed", "response": whole }),
    ];
    told.iter().fold(Script::new(), |script, event| script.raw(format!("data: {event}\n\n")))
}

fn answer_of_anthropic() -> Script {
    let told = [
        json!({ "type": "message_start", "message": { "id": "msg_up", "type": "message", "role": "assistant", "content": [] } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "I look." } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "signature_delta", "signature": "SIG==" } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "tool_use", "id": "c1", "name": "weather", "input": {} } }),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": { "output_tokens": 9 } }),
        json!({ "type": "message_stop" }),
    ];
    told.iter().fold(Script::new(), |script, event| script.raw(format!("data: {event}\n\n")))
}

fn demands() -> Vec<Demand> {
    vec![
        Demand {
            heading: "DeepSeek",
            first: || finished(Script::new().reasoning("I look.").delta(calls())),
            objects: deepseek,
        },
        Demand {
            heading: "Kimi",
            first: || finished(Script::new().reasoning("I look.").delta(calls())),
            objects: kimi,
        },
        Demand {
            heading: "MiniMax",
            first: || {
                let detail = |text: &str| json!({ "type": "reasoning.text", "index": 0, "format": "MiniMax-response-v1", "text": text });
                let script = Script::new().delta(json!({ "reasoning_details": [detail("I ")] }));
                finished(script.delta(json!({ "reasoning_details": [detail("look.")] })).delta(calls()))
            },
            objects: minimax,
        },
        Demand {
            heading: "Google Gemini",
            first: || {
                let signed = json!({ "extra_content": { "google": { "thought_signature": "SIG==" } } });
                finished(Script::new().delta(call(signed)))
            },
            objects: gemini,
        },
    ]
}

/// The same of those who serve models of several makers, and of other protocols.
fn further_demands() -> Vec<Demand> {
    vec![
        Demand {
            heading: "OpenRouter",
            first: || {
                let words = openrouter_detail("I look.", Value::Null);
                let script = Script::new().delta(json!({ "reasoning": "I look.", "reasoning_details": [words] }));
                let signature =
                    json!({ "reasoning": null, "reasoning_details": [openrouter_detail("", json!("SIG=="))] });
                finished(script.delta(signature).delta(calls()))
            },
            objects: openrouter,
        },
        Demand {
            heading: "vLLM",
            first: || finished(Script::new().delta(json!({ "reasoning": "I look." })).delta(calls())),
            objects: without_system_elsewhere,
        },
        Demand {
            heading: "SGLang",
            first: || finished(Script::new().reasoning("I look.").delta(calls())),
            objects: sglang,
        },
        Demand {
            heading: "Mistral",
            first: || {
                let thinking = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "I look." }] }]);
                finished(Script::new().delta(json!({ "content": thinking })).delta(calls()))
            },
            objects: mistral,
        },
        Demand { heading: "xAI", first: answer_of_xai, objects: xai },
        Demand { heading: "Anthropic", first: answer_of_anthropic, objects: anthropic },
    ]
}

impl Client {
    fn first(self, model: &str) -> Value {
        let tool =
            json!({ "type": "function", "name": "weather", "parameters": { "type": "object", "properties": {} } });
        let asked = json!([
            { "role": "developer", "content": [{ "type": "input_text", "text": "Skills." }, { "type": "input_text", "text": "Permissions." }] },
            { "role": "user", "content": "How warm is it?" },
        ]);
        let mut request = json!({ "model": model, "instructions": "Core rules.", "input": asked, "tools": [tool],
            "max_output_tokens": 4096, "reasoning": { "effort": "high" } });
        if let Self::KeepsOnlySealed = self {
            request["store"] = json!(false);
            request["include"] = json!(["reasoning.encrypted_content"]);
        }
        request
    }

    /// The request that answers the call.
    fn second(self, mut request: Value, response: &Value) -> Value {
        let mut input = match self {
            Self::Chains => {
                request["previous_response_id"] = response["id"].clone();
                Vec::new()
            }
            Self::Echoes => {
                [&request["input"], &response["output"]].map(|items| items.as_array().unwrap().clone()).concat()
            }
            Self::KeepsOnlySealed => {
                let kept = response["output"].as_array().unwrap().iter().map(kept).collect();
                [request["input"].as_array().unwrap().clone(), kept].concat()
            }
        };
        input.push(json!({ "type": "function_call_output", "call_id": "c1", "output": "22" }));
        input.push(json!({ "role": "developer", "content": "Be brief." }));
        request["input"] = Value::Array(input);
        request
    }
}

/// An item as a client keeps it that knows the types of OpenAI's API and drops the rest.
fn kept(item: &Value) -> Value {
    let known = ["type", "id", "summary", "encrypted_content", "call_id", "name", "arguments", "role"];
    let fields = item.as_object().unwrap().iter().filter(|(key, _)| known.contains(&key.as_str()));
    Value::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
}

async fn check(demand: &Demand) {
    let block = blocks(PAGE, &["toml"]).into_iter().find(|block| block.heading == demand.heading).unwrap();
    let known: Known = everybody().into_iter().find(|known| known.heading == demand.heading).unwrap();
    let peer = ScriptedProvider::start();
    let objects = demand.objects;
    peer.refuse(move |request| objects(&request.body).map(str::to_owned));
    let (_site, server) = serve(&block, &known, &peer).await;
    let clients = [Client::Chains, Client::Echoes, Client::KeepsOnlySealed];
    for _ in clients {
        peer.script(known.model.1, (demand.first)());
        peer.script(known.model.1, known.answer.clone());
    }
    for client in clients {
        let request = client.first(known.model.0);
        let first = server.client().create(&request).await;
        assert_eq!(first.status, 200, "{} {client:?}: {}", demand.heading, first.text);
        let second = server.client().create(&client.second(request, &first.json())).await;
        assert_eq!(second.status, 200, "{} {client:?}: {}", demand.heading, second.text);
        let whole = format!("{}{}", known.thought, known.text);
        assert_eq!(second.output_text(), whole, "{} {client:?}", demand.heading);
    }
    assert_eq!(peer.requests().len(), 6, "{}", demand.heading);
}

#[tokio::test]
async fn every_provider_gets_back_what_it_needs_of_its_own_answer() {
    for demand in demands().into_iter().chain(further_demands()) {
        check(&demand).await;
    }
}
