//! A server behind another: what one says of its provider's words is what the other hears.

use antiphon::{
    domain::{Cause, Fact, FinishReason},
    protocol::{InputTokensDetails, Item, JsonObject, OutputTokensDetails, Status, Tool, Usage},
    provider::{Error, ProviderEvent, Responses, UpstreamOptions},
    testkit::{Call, PuppetProvider, Script, ScriptedProvider},
};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Events, Served, Site};

/// A server that asks the one at that address.
async fn before(url: &str, key: &str) -> Served {
    let options = UpstreamOptions { api_key: Some(key.into()), ..UpstreamOptions::new(format!("{url}/v1")) };
    Served::start(Responses::new(options).unwrap()).await
}

/// A server whose provider says what the test says, and one before it.
struct Chain {
    near: Served,
    far: Served,
    puppet: PuppetProvider,
}

impl Chain {
    async fn start() -> Self {
        let puppet = PuppetProvider::default();
        let far = Served::start(puppet.clone()).await;
        let near = before(&far.url, &far.key).await;
        Self { near, far, puppet }
    }

    /// Asks one of the two; the provider has answered and said something.
    async fn begin(&self, client: &Client) -> (Events, Call) {
        let said = async {
            let call = self.puppet.asked().await;
            call.open();
            call.text("Hel");
            call
        };
        let (mut events, call) = tokio::join!(client.stream("m", "Why is the sky blue?"), said);
        events.read_until_text("Hel").await;
        (events, call)
    }

    /// Asks one of the two, with functions that the model may call, until the provider is asked.
    async fn offer(&self, client: &Client, input: Value, previous: Option<&str>) -> (Events, Call) {
        let tools: Vec<Value> =
            ["f", "g"].into_iter().map(|name| json!({ "type": "function", "name": name })).collect();
        let body =
            json!({ "model": "m", "input": input, "tools": tools, "stream": true, "previous_response_id": previous });
        let said = async {
            let call = self.puppet.asked().await;
            call.open();
            call
        };
        tokio::join!(Events::of(client.creation(&body)), said)
    }

    /// The far server's response, by the near server's log of its own.
    async fn far_id(&self, near_id: &str) -> String {
        let facts = self.near.facts(near_id).await;
        let opened = facts.into_iter().find_map(|fact| {
            let Fact::Provider { event: ProviderEvent::Opened { provider_response_id }, .. } = fact else {
                return None;
            };
            provider_response_id
        });
        opened.expect("the provider's id is a fact")
    }
}

fn fields(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

fn usage() -> Usage {
    Usage {
        input_tokens: 10,
        input_tokens_details: InputTokensDetails { cached_tokens: 4, cache_write_tokens: 1 },
        output_tokens: 20,
        output_tokens_details: OutputTokensDetails { reasoning_tokens: 5 },
        total_tokens: 30,
    }
}

/// Something of everything that a provider can say.
pub(crate) fn everything() -> Vec<ProviderEvent> {
    let text = |text: &str| ProviderEvent::Text { text: text.to_owned(), logprobs: Vec::new() };
    let search = |status: &str| fields(json!({ "type": "web_search_call", "status": status, "x_depth": [1, 2] }));
    vec![
        text("lo"),
        ProviderEvent::ContentPartFinished,
        text("Second part."),
        ProviderEvent::Annotation { annotation: fields(json!({ "type": "x_note", "page": 3 })) },
        ProviderEvent::ItemFinished { extra: fields(json!({ "phase": "commentary", "x_mood": "calm" })) },
        ProviderEvent::ReasoningSummary { part: 0, text: "In short".to_owned() },
        ProviderEvent::ReasoningSummary { part: 1, text: "and then".to_owned() },
        ProviderEvent::Reasoning { text: "hm".to_owned() },
        ProviderEvent::EncryptedReasoning { encrypted_content: "c2VhbGVk".to_owned() },
        ProviderEvent::ItemFinished { extra: fields(json!({ "x_effort": 2 })) },
        ProviderEvent::OtherItemStarted { item: 0, fields: search("in_progress") },
        ProviderEvent::OtherItemEvent {
            item: 0,
            event: "response.web_search_call.searching".to_owned(),
            fields: fields(json!({ "x_hits": 7 })),
        },
        ProviderEvent::OtherItemFinished { item: 0, fields: search("completed") },
        text("Bye"),
        ProviderEvent::ContentPartFinished,
        ProviderEvent::Refusal { text: "No more.".to_owned() },
        ProviderEvent::Usage(usage()),
        ProviderEvent::Finished(FinishReason::Stop),
    ]
}

/// The same without what differs by right from one response to the next, and from one server to the next: what is sealed
/// is sealed for whom it came from.
pub(crate) fn without_ids(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for own in ["id", "item_id", "created_at", "completed_at", "encrypted_content", "antiphon_origin"] {
                fields.shift_remove(own);
            }
            for field in fields.values_mut() {
                *field = without_ids(field.take());
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| *value = without_ids(value.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[tokio::test]
async fn an_answer_through_two_servers_is_event_for_event_the_answer_of_one() {
    let chain = Chain::start().await;
    let mut told = Vec::new();
    for client in [chain.far.client(), chain.near.client()] {
        let (mut events, call) = chain.begin(&client).await;
        call.events(everything());
        drop(call);
        assert_eq!(events.read_all().await["type"], "response.completed");
        let read = client.retrieve(&events.id()).await.json();
        assert_eq!(events.data().pop().unwrap()["response"], read, "what can be read is what was told");
        assert_eq!(read["usage"], serde_json::to_value(usage()).unwrap());
        told.push(events.data().into_iter().map(without_ids).collect::<Vec<_>>());
    }
    assert_eq!(told[1], told[0]);
    let output = told[1].last().unwrap()["response"]["output"].as_array().unwrap();
    let kinds: Vec<&str> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["message", "reasoning", "web_search_call", "message"]);
}

#[tokio::test]
async fn calls_go_through_both_servers_and_so_do_their_answers() {
    let chain = Chain::start().await;
    let start = |call, call_id: &str, name: &str| {
        let (call_id, name) = (call_id.to_owned(), name.to_owned());
        ProviderEvent::FunctionCallStarted { call, call_id, name }
    };
    let argue = |call, text: &str| ProviderEvent::FunctionCallArguments { call, text: text.to_owned() };
    let mut told = Vec::new();
    for client in [chain.far.client(), chain.near.client()] {
        let (mut events, call) = chain.offer(&client, json!("Add."), None).await;
        let offered: Vec<&str> = call.request.request.tools.iter().map(Tool::name).collect();
        assert_eq!(offered, ["f", "g"]);
        call.events([
            start(0, "call_a", "f"),
            start(1, "call_b", "g"),
            argue(1, "[1,"),
            argue(0, "{\"x\":1}"),
            argue(1, "2]"),
            ProviderEvent::FunctionCallFinished { call: 0, extra: fields(json!({ "namespace": "maths" })) },
            ProviderEvent::FunctionCallFinished { call: 1, extra: JsonObject::new() },
            ProviderEvent::Finished(FinishReason::ToolCalls),
        ]);
        drop(call);
        assert_eq!(events.read_all().await["type"], "response.completed");
        let answer = |id: &str| json!({ "type": "function_call_output", "call_id": id, "output": "3" });
        let (_, call) = chain.offer(&client, json!([answer("call_a"), answer("call_b")]), Some(&events.id())).await;
        let calls = call.request.prompt.items.iter().filter_map(|item| match item {
            Item::FunctionCall(call) => Some((call.call_id.clone(), call.arguments.clone())),
            Item::FunctionCallOutput(answer) => Some((answer.call_id.clone(), answer.output.clone())),
            Item::Message(_) | Item::Reasoning(_) | Item::Other(_) => None,
        });
        told.push((events.data().into_iter().map(without_ids).collect::<Vec<_>>(), calls.collect::<Vec<_>>()));
    }
    assert_eq!(told[1], told[0]);
    let given_back = [("call_a", "{\"x\":1}"), ("call_b", "[1,2]"), ("call_a", "3"), ("call_b", "3")];
    assert_eq!(told[1].1, given_back.map(|(id, said)| (id.to_owned(), said.to_owned())));
}

#[tokio::test]
async fn the_far_servers_id_is_a_fact_and_it_stores_nothing() {
    let chain = Chain::start().await;
    let (mut events, call) = chain.begin(&chain.near.client()).await;
    let asked = call.request.clone();
    call.events([ProviderEvent::Usage(usage()), ProviderEvent::Finished(FinishReason::Stop)]);
    drop(call);
    events.read_all().await;
    let far_id = chain.far_id(&events.id()).await;
    let row = chain.far.ended(&far_id).await;
    assert_eq!((row.status, row.stored), (Status::Completed, false));
    assert_eq!(chain.far.client().retrieve(&far_id).await.status, 404);
    assert_eq!((asked.target.model.as_str(), asked.prompt.items.len()), ("m", 1));
}

#[tokio::test]
async fn a_cancel_hangs_up_on_the_far_server_which_ends_its_response() {
    let chain = Chain::start().await;
    let client = chain.near.client();
    let (mut events, call) = chain.begin(&client).await;
    let far_id = chain.far_id(&events.id()).await;
    assert_eq!(client.cancel(&events.id()).await.json()["status"], "cancelled");
    call.closed().await;
    let row = chain.far.ended(&far_id).await;
    assert_eq!((row.status, row.cause), (Status::Incomplete, None), "its client left, for all that it knows");
    let last = events.read_all().await;
    assert_eq!((&last["type"], &last["response"]["status"]), (&json!("response.failed"), &json!("cancelled")));
    assert_eq!(client.retrieve(&events.id()).await.output_text(), "Hel");
}

#[tokio::test]
async fn a_failure_behind_the_far_server_ends_both_responses_as_failed() {
    let chain = Chain::start().await;
    let client = chain.near.client();
    let (mut events, call) = chain.begin(&client).await;
    call.fail(Error::Closed);
    let last = events.read_all().await;
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"]["type"], "provider_reported_error");
    assert_eq!((events.text(), client.retrieve(&events.id()).await.output_text()), ("Hel".into(), "Hel".into()));
    let far = chain.far.ended(&chain.far_id(&events.id()).await).await;
    assert_eq!((far.status, far.cause), (Status::Failed, Some(Cause::UpstreamClosed)));
}

#[tokio::test]
async fn a_far_server_that_refuses_or_dies_is_no_success() {
    let chain = Chain::start().await;
    let asked = json!({ "model": "m", "input": "Hi.", "stream": true });
    let failing = async { chain.puppet.asked().await.fail(Error::Unreachable) };
    let (refused, ()) = tokio::join!(Answer::of(chain.near.client().creation(&asked)), failing);
    assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (502, Some("provider_unavailable")));

    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Once upon").stall());
    let far = Site::with_models(&provider, &["m"]);
    let far = far.start().await;
    let near = before(&far.url, &far.key).await;
    let mut events = near.client().stream("m", "Tell.").await;
    events.read_until_text("Once upon").await;
    far.kill().await;
    let last = events.read_all().await;
    assert_eq!(last["response"]["error"]["type"], "upstream_closed");
    assert_eq!(near.client().retrieve(&events.id()).await.output_text(), "Once upon");
}

/// What a provider of the future sends.
fn from_the_future() -> String {
    let search =
        |status: &str| json!({ "type": "acme:search", "id": "as_77", "status": status, "query": { "deep": [1] } });
    let web =
        |status: &str| json!({ "type": "web_search_call", "id": "ws_77", "status": status, "action": { "x": null } });
    let message = json!({ "type": "message", "id": "msg_77", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": "Blue.", "annotations": [{ "type": "acme:note", "why": "sky" }] }],
        "phase": "final_answer", "x_mood": { "calm": true } });
    let call = json!({ "type": "function_call", "id": "fc_77", "call_id": "call_1", "name": "f", "arguments": "{}",
        "status": "completed", "namespace": "maths" });
    let about = |name: &str, item: &str| json!({ "type": name, "output_index": 1, "item_id": item, "x_hits": 7 });
    let events = [
        json!({ "type": "response.created", "sequence_number": 0, "response": { "id": "resp_77" } }),
        json!({ "type": "response.output_item.added", "output_index": 0, "item": search("in_progress") }),
        json!({ "type": "response.output_item.done", "output_index": 0, "item": search("completed") }),
        json!({ "type": "response.output_item.added", "output_index": 1, "item": web("in_progress") }),
        about("response.web_search_call.searching", "ws_77"),
        about("acme:search.dreaming", "ws_77"),
        json!({ "type": "acme:weather", "sun": true }),
        json!({ "type": "response.output_item.done", "output_index": 1, "item": web("completed") }),
        json!({ "type": "response.output_text.delta", "output_index": 2, "content_index": 0, "delta": "Blue." }),
        json!({ "type": "response.output_item.done", "output_index": 2, "item": message }),
        json!({ "type": "response.output_item.done", "output_index": 3, "item": call }),
        json!({ "type": "response.completed", "response": { "id": "resp_77", "x": 1 } }),
    ];
    events.iter().map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn what_nobody_here_knows_is_told_kept_and_given_back() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().raw(from_the_future()));
    let options = UpstreamOptions { api_key: Some("sk-up".into()), ..UpstreamOptions::new(provider.base_url()) };
    let server = Served::start(Responses::new(options).unwrap()).await;
    let client = server.client();
    let id = server.respond("Why is the sky blue?", &["f"]).await;
    let mut events = client.replay(&id).await;
    let last = events.read_all().await;
    let output = json!([
        { "type": "acme:search", "status": "completed", "query": { "deep": [1] } },
        { "type": "web_search_call", "status": "completed", "action": { "x": null } },
        { "type": "message", "role": "assistant", "status": "completed", "phase": "final_answer",
            "x_mood": { "calm": true }, "content": [{ "type": "output_text", "text": "Blue.", "logprobs": [],
            "annotations": [{ "type": "acme:note", "why": "sky" }] }] },
        { "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "status": "completed",
            "namespace": "maths" },
    ]);
    let told = events.data().into_iter().filter(|event| event["type"] == "response.output_item.done");
    let told: Vec<Value> = told.map(|event| without_ids(event["item"].clone())).collect();
    assert_eq!(Value::from(told), output);
    assert_eq!(without_ids(last["response"]["output"].clone()), output);
    let read = client.retrieve(&events.id()).await.json();
    assert_eq!(without_ids(read["output"].clone()), output);

    let searching = events.data().into_iter().filter(|event| event["x_hits"] == 7).collect::<Vec<_>>();
    assert_eq!((searching.len(), &searching[0]["type"]), (1, &json!("response.web_search_call.searching")));
    assert_eq!(searching[0]["item_id"], read["output"][1]["id"], "an item has one id, and it is this server's");
    let whole = events.frames.concat();
    assert!(!whole.contains("acme:weather") && !whole.contains("_77\""), "{whole}");

    let answer = json!({ "type": "function_call_output", "call_id": "call_1", "output": "42" });
    let onwards = json!({ "model": "m", "input": [answer], "previous_response_id": events.id() });
    assert_eq!(client.create(&onwards).await.status, 200);
    let request = &provider.requests()[1];
    assert_eq!((request.path.as_str(), request.header("authorization")), ("/v1/responses", Some("Bearer sk-up")));
    let given_back = &request.body;
    assert_eq!((&given_back["store"], given_back.get("previous_response_id")), (&json!(false), None));
    let expected = json!([
        { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Why is the sky blue?" }] },
        output[0],
        output[1],
        { "type": "message", "role": "assistant", "phase": "final_answer", "x_mood": { "calm": true },
            "content": [{ "type": "output_text", "text": "Blue.", "annotations": [] }] },
        { "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}", "namespace": "maths" },
        answer,
    ]);
    assert_eq!(given_back["input"], expected);
}
