//! Functions that the client runs: what the provider is told of them, and of what they answered.

use antiphon::testkit::{Script, ScriptedProvider};
use serde_json::{Value, json};

use crate::support::{Client, Events, Running, Site};

fn call(index: u64, id: &str, arguments: &str) -> Value {
    let function = json!({ "name": "weather", "arguments": arguments });
    json!({ "tool_calls": [{ "index": index, "id": id, "type": "function", "function": function }] })
}

/// A model that calls twice, and one that then speaks.
async fn start() -> (ScriptedProvider, Site, Running) {
    let provider = ScriptedProvider::start();
    let calls = Script::new().delta(call(0, "call_a", "{\"city\":\"Paris\"}"));
    let calls = calls.delta(call(1, "call_b", "{\"city\":\"Oslo\"}"));
    provider.script("calls", calls.clone().finish("tool_calls").usage(10, 5).done());
    let cut = Script::new().delta(call(0, "call_a", "{\"city\":\"Paris\"}")).delta(call(1, "call_b", "{\"ci"));
    provider.script("stalls", cut.stall());
    provider.script("speaks", Script::answer(["Sunny."]));
    let site = Site::with_models(&provider, &["calls", "stalls", "speaks"]);
    let server = site.start().await;
    (provider, site, server)
}

fn tools() -> Value {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    json!([{ "type": "function", "name": "weather", "parameters": parameters, "strict": true }])
}

fn output(call_id: &str, output: impl Into<Value>) -> Value {
    json!({ "type": "function_call_output", "call_id": call_id, "output": output.into() })
}

async fn two_calls(client: &Client) -> Value {
    let made = client.create(&json!({ "model": "calls", "input": "Weather?", "tools": tools() })).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.json()
}

/// What the provider was told last: role, ids of its calls or of the call that it answers, and text.
fn told(provider: &ScriptedProvider) -> Vec<(String, Vec<String>, String)> {
    let last = provider.requests().pop().unwrap().body;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = last["messages"].as_array().unwrap().iter().map(|message| {
        let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| text(&call["id"]));
        let answered = message["tool_call_id"].as_str().map(str::to_owned);
        (text(&message["role"]), calls.chain(answered).collect(), text(&message["content"]))
    });
    messages.collect()
}

fn message(role: &str, ids: &[&str], text: &str) -> (String, Vec<String>, String) {
    (role.to_owned(), ids.iter().map(|id| (*id).to_owned()).collect(), text.to_owned())
}

/// What the provider must be told after both calls were answered.
fn conversation(a: &str, b: &str) -> Vec<(String, Vec<String>, String)> {
    vec![
        message("user", &[], "Weather?"),
        message("assistant", &["call_a", "call_b"], ""),
        message("tool", &["call_a"], a),
        message("tool", &["call_b"], b),
    ]
}

#[tokio::test]
async fn two_calls_are_answered_in_any_order_by_id_or_with_the_items_sent_back() {
    let (provider, _site, server) = start().await;
    let client = server.client();
    let made = two_calls(&client).await;
    let items = made["output"].as_array().unwrap();
    let calls: Vec<_> = items.iter().map(|item| (&item["type"], &item["call_id"], &item["arguments"])).collect();
    let function_call = json!("function_call");
    assert_eq!(
        calls,
        [
            (&function_call, &json!("call_a"), &json!("{\"city\":\"Paris\"}")),
            (&function_call, &json!("call_b"), &json!("{\"city\":\"Oslo\"}")),
        ]
    );
    assert_eq!((&made["status"], &made["tools"][0]["strict"]), (&json!("completed"), &json!(true)));

    let parts = json!([{ "type": "input_text", "text": "rain" }]);
    let answers = [output("call_b", parts), output("call_a", "sun")];
    let by_id = json!({ "model": "speaks", "previous_response_id": made["id"], "input": answers });
    assert_eq!(client.create(&by_id).await.output_text(), "Sunny.");
    assert_eq!(told(&provider), conversation("sun", "rain"));

    let question = json!({ "role": "user", "content": "Weather?" });
    let mut echoed = items.clone();
    // As the openai package dumps what it has parsed.
    echoed[0]["parsed_arguments"] = json!({ "city": "Paris" });
    echoed[1]["id"] = Value::Null;
    for input in [
        [[question.clone()].as_slice(), &echoed, &answers].concat(),
        [[question].as_slice(), &answers, &echoed].concat(),
    ] {
        assert_eq!(client.create(&json!({ "model": "speaks", "input": input })).await.output_text(), "Sunny.");
        assert_eq!(told(&provider), conversation("sun", "rain"));
    }
}

#[tokio::test]
async fn whole_calls_need_an_answer_and_those_of_an_interrupted_response_do_not() {
    let (provider, _site, server) = start().await;
    let client = server.client();
    let made = two_calls(&client).await;
    let asked = provider.requests().len();
    let (id, items) = (&made["id"], made["output"].as_array().unwrap());
    for (body, unanswered) in [
        (json!({ "model": "speaks", "input": items }), "call_a"),
        (json!({ "model": "speaks", "previous_response_id": id, "input": "Never mind." }), "call_a"),
        (json!({ "model": "speaks", "previous_response_id": id, "input": [output("call_a", "sun")] }), "call_b"),
    ] {
        let refused = client.create(&body).await;
        assert_eq!(refused.error(), (400, None, Some("input".to_owned())));
        let message = format!("No tool output found for function call {unanswered}.");
        assert_eq!(refused.json()["error"]["message"], message);
    }
    assert_eq!(provider.requests().len(), asked);

    let body = json!({ "model": "stalls", "input": "Weather?", "tools": tools(), "stream": true });
    let mut events = Events::of(client.creation(&body)).await;
    while !events.frames.last().is_some_and(|frame| frame.contains("{\\\"ci")) {
        assert!(events.next().await.is_some(), "{:#?}", events.frames);
    }
    let cancelled = client.cancel(&events.id()).await.json();
    let cut = &cancelled["output"][1];
    assert_eq!((&cut["status"], &cut["arguments"]), (&json!("incomplete"), &json!("{\"ci")));
    let (question, on) =
        (json!({ "role": "user", "content": "Weather?" }), json!({ "role": "user", "content": "On." }));
    let echoed = [&[question], cancelled["output"].as_array().unwrap().as_slice(), &[on]].concat();
    let unanswered = "This call was not answered.";
    let mut expected = conversation(unanswered, unanswered);
    expected.push(message("user", &[], "On."));
    for input in [
        json!({ "model": "speaks", "input": echoed }),
        json!({ "model": "speaks", "input": "On.", "previous_response_id": cancelled["id"] }),
    ] {
        assert_eq!(client.create(&input).await.status, 200);
        assert_eq!(told(&provider), expected);
        let sent = &provider.requests().pop().unwrap().body["messages"][1]["tool_calls"];
        assert_eq!(sent[1]["function"]["arguments"], "{}", "half an object is none");
    }
}

#[tokio::test]
async fn what_is_asked_for_reaches_the_provider_and_is_echoed() {
    let (provider, _site, server) = start().await;
    let client = server.client();
    let schema = json!({ "type": "object", "properties": {}, "additionalProperties": false });
    let asked = json!({
        "model": "speaks",
        "input": "Weather?",
        "tools": tools(),
        "tool_choice": { "type": "function", "name": "weather" },
        "parallel_tool_calls": false,
        "max_tool_calls": 2,
        "text": {
            "format": { "type": "json_schema", "name": "report", "description": null, "schema": schema, "strict": true },
            "verbosity": "low",
        },
        "reasoning": { "effort": "low", "summary": null },
        "top_logprobs": 2,
    });
    let made = client.create(&asked).await.json();
    for key in ["tool_choice", "parallel_tool_calls", "max_tool_calls", "text", "reasoning", "top_logprobs"] {
        assert_eq!(made[key], asked[key], "{key}");
    }
    let sent = provider.requests().pop().unwrap().body;
    assert_eq!(sent["tools"][0]["function"]["name"], "weather");
    assert_eq!(sent["tool_choice"], json!({ "type": "function", "function": { "name": "weather" } }));
    assert_eq!(sent["parallel_tool_calls"], false);
    let format = &sent["response_format"];
    assert_eq!((&format["type"], &format["json_schema"]["name"]), (&json!("json_schema"), &json!("report")));
    assert_eq!((&format["json_schema"]["schema"], &format["json_schema"]["strict"]), (&schema, &json!(true)));
    assert_eq!((&sent["verbosity"], &sent["reasoning_effort"]), (&json!("low"), &json!("low")));
    assert_eq!((&sent["logprobs"], &sent["top_logprobs"]), (&json!(true), &json!(2)));

    let forbidden = json!({ "model": "speaks", "input": "Weather?", "tools": tools(), "tool_choice": "none" });
    assert_eq!(client.create(&forbidden).await.json()["tools"][0]["name"], "weather", "echoed all the same");
    let sent = provider.requests().pop().unwrap().body;
    assert!(sent.get("tools").is_none() && sent.get("tool_choice").is_none(), "{sent}");
}
