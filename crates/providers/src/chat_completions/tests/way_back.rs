//! What goes back to a model of its own earlier answers, from the bytes of one answer to those of the next request.

use serde_json::{Value, json};

use super::super::request::ChatBody;
use super::super::{ChatForm, ReasoningField};
use super::*;
use antiphon_domain::{Attempt, Fact, Timestamp, Transcript};
use antiphon_protocol::{FunctionCallOutput, Item, ItemId, ItemStatus, JsonObject, ResponseId};

const AT: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// How much of an item a client keeps until it sends it back.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keeps {
    /// All: also this server does, where a conversation is continued by its last response.
    Everything,
    /// What OpenAI's types have, but for the text of thoughts: so do several packages.
    OnlySealed,
    /// No thoughts, and no fields that OpenAI's types do not have.
    OnlyCalls,
}

/// The items of an answer to a request.
fn answer(asked: &ProviderRequest, chunks: &[Value]) -> Vec<Item> {
    let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let (events, result) = decode_for(asked, [stream.as_bytes()]);
    assert_eq!(result, Ok(()));
    let (attempt, request) = (Attempt::FIRST, Box::new((*asked.request).clone()));
    let opening = Fact::AttemptOpening { attempt, at: AT, provider: "p".into(), model: "m".into() };
    let mut facts = vec![Fact::Accepted { id: ResponseId::new(), at: AT, request }, opening];
    facts.extend(events.into_iter().map(|event| Fact::Provider { attempt, event }));
    let mut transcript = Transcript::new(ResponseId::new());
    facts.into_iter().for_each(|fact| transcript.apply(fact, &mut Vec::new()));
    transcript.items().to_vec()
}

impl Keeps {
    fn of(self, item: &Item) -> Option<Item> {
        let mut item = item.clone();
        match (self, &mut item) {
            (Self::Everything, _) => {}
            (Self::OnlyCalls, Item::Reasoning(_)) => return None,
            (_, Item::Reasoning(thought)) => thought.content.clear(),
            (_, Item::FunctionCall(call)) => call.extra = JsonObject::new(),
            (_, Item::Message(message)) => message.extra = JsonObject::new(),
            (_, Item::FunctionCallOutput(_) | Item::Other(_)) => {}
        }
        Some(item)
    }
}

/// The messages of the model in the request that follows an answer.
fn sent_back(items: &[Item], model: &str, form: &ChatForm) -> Value {
    let mut items = items.to_vec();
    let calls: Vec<String> = items.iter().filter_map(|item| Some(called(item)?.to_owned())).collect();
    items.extend(calls.into_iter().map(|call_id| {
        let id = ItemId::of_input("fco", ResponseId::new(), 0);
        let (output, status) = ("22".to_owned(), ItemStatus::Completed);
        Item::FunctionCallOutput(FunctionCallOutput { id, call_id, output, status })
    }));
    let prompt = Prompt { instructions: None, items };
    let asked = ProviderRequest::new(Target::new("p", model), Request::new("m", 7), prompt);
    let mut body = serde_json::to_value(ChatBody::new(&asked, form)).unwrap();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.retain(|message| message["role"] == "assistant");
    Value::Array(std::mem::take(messages))
}

fn called(item: &Item) -> Option<&str> {
    match item {
        Item::FunctionCall(call) => Some(&call.call_id),
        Item::Message(_) | Item::Reasoning(_) | Item::FunctionCallOutput(_) | Item::Other(_) => None,
    }
}

/// A piece of a call, with another field beside it.
fn call_piece(key: &str, value: Value) -> Value {
    let mut call =
        json!({ "index": 0, "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{}" } });
    call[key] = value;
    delta(json!({ "tool_calls": [call] }))
}

fn plain_call() -> Value {
    call_piece("type", json!("function"))
}

fn called_back() -> Value {
    json!({ "id": "c1", "type": "function", "function": { "name": "weather", "arguments": "{}" } })
}

/// The message that goes back of an answer with a call, with these fields beside the call.
fn with_call(mut fields: Value) -> Value {
    fields["role"] = json!("assistant");
    fields["tool_calls"] = json!([called_back()]);
    if fields.get("content").is_none() {
        fields["content"] = Value::Null;
    }
    json!([fields])
}

/// Answers with a thought and a call, and what of the thought goes back. What DeepSeek, Kimi, xAI and MiniMax write; what
/// vLLM, Ollama, Groq and Cerebras do; OpenRouter with several vendors behind it; Mistral.
fn thinkers() -> Vec<(Vec<Value>, Value)> {
    let detail = |detail: Value| delta(json!({ "reasoning": "", "reasoning_details": [detail] }));
    let encrypted = |id: &str, data: &str| json!({ "type": "reasoning.encrypted", "data": data, "id": id, "format": "google-gemini-v1", "index": 1 });
    let text = |fields: Value| {
        let mut detail = json!({ "type": "reasoning.text", "index": 0, "format": "anthropic-claude-v1" });
        detail.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        detail
    };
    let thinking = |text: &str| json!({ "type": "thinking", "thinking": [{ "type": "text", "text": text }] });
    vec![
        (
            vec![
                delta(json!({ "reasoning_content": "hm" })),
                delta(json!({ "content": null, "reasoning_content": "." })),
            ],
            json!({ "reasoning_content": "hm." }),
        ),
        (vec![delta(json!({ "reasoning": "hm." })), delta(json!({ "content": "\n" }))], json!({ "reasoning": "hm." })),
        (
            vec![
                detail(text(json!({ "text": "h", "signature": null }))),
                detail(text(json!({ "text": "m.", "signature": null }))),
                detail(text(json!({ "signature": "s==" }))),
                detail(encrypted("c1", "x==")),
                detail(encrypted("c2", "y==")),
            ],
            json!({ "reasoning_details": [text(json!({ "text": "hm.", "signature": "s==" })), encrypted("c1", "x=="), encrypted("c2", "y==")] }),
        ),
        (
            vec![delta(json!({ "reasoning": "hm.", "reasoning_details": [encrypted("c1", "x==")] }))],
            json!({ "reasoning": "hm.", "reasoning_details": [encrypted("c1", "x==")] }),
        ),
        (
            vec![delta(json!({ "content": [thinking("hm")] })), delta(json!({ "content": [thinking(".")] }))],
            json!({ "content": [thinking("hm.")] }),
        ),
    ]
}

#[test]
fn thoughts_go_back_as_they_came_to_their_model_and_to_no_other() {
    for (thought, back) in thinkers() {
        let chunks = [thought, vec![plain_call(), finish("tool_calls")]].concat();
        for (asked, keeps) in [
            (curious(), Keeps::Everything),
            (curious(), Keeps::OnlySealed),
            (asking(Request { include: Vec::new(), ..wanting_everything() }), Keeps::Everything),
        ] {
            let items = answer(&asked, &chunks);
            let items: Vec<Item> = items.iter().filter_map(|item| keeps.of(item)).collect();
            let form = ChatForm::default();
            assert_eq!(sent_back(&items, "m", &form), with_call(back.clone()), "{keeps:?}");
            assert_eq!(sent_back(&items, "another", &form), with_call(json!({})), "{keeps:?}");
            let none = ChatForm { reasoning_field: ReasoningField::None, ..ChatForm::default() };
            assert_eq!(sent_back(&items, "m", &none), with_call(json!({})), "{keeps:?}");
        }
    }
}

#[test]
fn a_thought_is_part_of_the_message_that_it_led_to() {
    let thought = || delta(json!({ "reasoning_content": "hm" }));
    let said = || delta(json!({ "content": "I look." }));
    let both = json!({ "content": "I look.", "reasoning_content": "hm" });
    for (chunks, expected) in [
        (vec![thought(), said(), plain_call()], with_call(both.clone())),
        (vec![said(), thought(), plain_call()], with_call(both)),
        (vec![thought(), plain_call(), thought()], with_call(json!({ "reasoning_content": "hmhm" }))),
        (
            vec![thought(), said(), thought(), said()],
            json!([
                { "role": "assistant", "content": "I look.", "reasoning_content": "hm" },
                { "role": "assistant", "content": "I look.", "reasoning_content": "hm" },
            ]),
        ),
        (
            vec![thought(), said(), thought()],
            json!([{ "role": "assistant", "content": "I look.", "reasoning_content": "hmhm" }]),
        ),
        (vec![thought()], json!([])),
    ] {
        let items = answer(&curious(), &[chunks, vec![finish("stop")]].concat());
        assert_eq!(sent_back(&items, "m", &ChatForm::default()), expected);
    }
}

#[test]
fn a_field_that_is_set_has_the_thoughts_of_every_model_and_stands_on_every_message() {
    for (field, key) in
        [(ReasoningField::ReasoningContent, "reasoning_content"), (ReasoningField::Reasoning, "reasoning")]
    {
        let form = ChatForm { reasoning_field: field, ..ChatForm::default() };
        for thought in ["reasoning_content", "reasoning"] {
            let chunks = [delta(json!({ thought: "hm" })), plain_call(), finish("tool_calls")];
            let items = answer(&curious(), &chunks);
            for model in ["m", "another"] {
                assert_eq!(sent_back(&items, model, &form), with_call(json!({ key: "hm" })));
            }
        }
        let items = answer(&curious(), &[plain_call(), finish("tool_calls")]);
        assert_eq!(sent_back(&items, "m", &form), with_call(json!({ key: " " })));
    }
}

#[test]
fn fields_of_a_call_go_back_to_its_model_and_to_no_other() {
    let signed = || json!({ "google": { "thought_signature": "SIG==" } });
    let signed_call = || call_piece("extra_content", signed());
    let late = delta(json!({ "tool_calls": [{ "index": 0, "extra_content": signed() }] }));
    let thought = || delta(json!({ "reasoning_content": "hm" }));
    let unsealed = || asking(Request { include: Vec::new(), ..wanting_everything() });
    let mut expected = with_call(json!({}));
    expected[0]["tool_calls"][0]["extra_content"] = signed();
    for (asked, chunks, keeps) in [
        (curious(), vec![signed_call()], Keeps::Everything),
        (curious(), vec![signed_call()], Keeps::OnlySealed),
        (unsealed(), vec![signed_call()], Keeps::Everything),
        (unsealed(), vec![plain_call(), late.clone()], Keeps::Everything),
        (curious(), vec![plain_call(), late.clone()], Keeps::Everything),
        (curious(), vec![plain_call(), late], Keeps::OnlySealed),
        (curious(), vec![thought(), signed_call()], Keeps::OnlySealed),
    ] {
        if chunks[0] == thought() {
            expected[0]["reasoning_content"] = json!("hm");
        }
        let items = answer(&asked, &[chunks, vec![finish("tool_calls")]].concat());
        let seen = items.iter().find_map(|item| match item {
            Item::FunctionCall(call) => call.extra.get("extra_content"),
            Item::Message(_) | Item::Reasoning(_) | Item::FunctionCallOutput(_) | Item::Other(_) => None,
        });
        assert_eq!(seen, Some(signed().into()));
        let items: Vec<Item> = items.iter().filter_map(|item| keeps.of(item)).collect();
        assert_eq!(sent_back(&items, "m", &ChatForm::default()), expected);
        assert_eq!(sent_back(&items, "another", &ChatForm::default()), with_call(json!({})));
    }
}

#[test]
fn a_call_that_lost_its_signature_gets_what_stands_for_one() {
    let form = ChatForm { missing_thought_signature: Some("skip".to_owned()), ..ChatForm::default() };
    let signed = |signature: &str| json!({ "google": { "thought_signature": signature } });
    let two = delta(json!({ "tool_calls": [
        { "index": 0, "id": "c1", "function": { "name": "f" }, "extra_content": signed("SIG==") },
        { "index": 1, "id": "c2", "function": { "name": "f" } },
    ] }));
    let items = answer(&curious(), &[two, finish("tool_calls")]);
    let signatures = |items: &[Item], model| {
        let back = sent_back(items, model, &form);
        let calls = back[0]["tool_calls"].as_array().unwrap();
        calls.iter().map(|call| call.get("extra_content").cloned()).collect::<Vec<_>>()
    };
    assert_eq!(signatures(&items, "m"), [Some(signed("SIG==")), None]);
    assert_eq!(signatures(&items, "another"), [Some(signed("skip")), None]);
    let kept: Vec<Item> = items.iter().filter_map(|item| Keeps::OnlyCalls.of(item)).collect();
    assert_eq!(signatures(&kept, "m"), [Some(signed("skip")), None]);
}

#[test]
fn the_signature_of_a_message_goes_back_with_it() {
    let signed = json!({ "google": { "thought_signature": "SIG==" } });
    let words = delta(json!({ "content": "Hi", "extra_content": signed }));
    for chunks in [vec![words.clone()], vec![words, plain_call()]] {
        let items = answer(&curious(), &[chunks, vec![finish("stop")]].concat());
        let (own, other) =
            (sent_back(&items, "m", &ChatForm::default()), sent_back(&items, "another", &ChatForm::default()));
        assert_eq!((&own[0]["content"], &own[0]["extra_content"]), (&json!("Hi"), &signed));
        assert_eq!((&other[0]["content"], other[0].get("extra_content")), (&json!("Hi"), None));
    }
}

/// The last item of a cut answer is incomplete, and must stay the last one.
#[test]
fn a_cut_answer_ends_with_what_was_cut() {
    let signed = call_piece("extra_content", json!({ "google": {} }));
    let details = delta(json!({ "reasoning_details": [{ "type": "reasoning.encrypted", "data": "x==" }] }));
    let items = answer(&curious(), &[signed, details, finish("length")]);
    let Some(Item::FunctionCall(call)) = items.last() else { panic!("the call is not the last item") };
    assert_eq!(call.status, ItemStatus::Incomplete);
}

/// What clients write into the sealed form can't change a call.
#[test]
fn fields_of_a_call_never_take_the_place_of_its_own() {
    use crate::seal::{Origin, Protocol, Sealed};
    let origin = Origin::of(Protocol::ChatCompletions, &Target::new("p", "m"));
    let fields = json!({ "id": "c9", "type": "t", "function": {}, "index": 3, "x": 1 });
    let fields = serde_json::from_value(fields).unwrap();
    let sealed = origin.seal(&Sealed::Call { call_id: "c1".to_owned(), fields }).unwrap();
    let mut items = answer(&curious(), &[delta(json!({ "reasoning": "hm" })), plain_call(), finish("tool_calls")]);
    let Some(Item::Reasoning(thought)) = items.first_mut() else { panic!("no thought") };
    thought.encrypted_content = Some(sealed);
    let mut expected = with_call(json!({}));
    expected[0]["tool_calls"][0]["x"] = json!(1);
    assert_eq!(sent_back(&items, "m", &ChatForm::default()), expected);
}
