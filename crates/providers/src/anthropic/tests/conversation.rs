use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::request::AnthropicBody;
use super::{answered, asked, budget, call, message, of_blocks, output, request, start, stop, thought};
use crate::seal::{Origin, Protocol, Sealed};
use crate::{ProviderEvent, ProviderRequest};
use antiphon_domain::Target;
use antiphon_protocol::{ContentPart, Item, JsonObject, Role};

fn messages(items: Vec<Item>) -> Value {
    serde_json::to_value(AnthropicBody::new(&request(items), &budget())).unwrap()["messages"].take()
}

fn user(content: Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn assistant(content: Value) -> Value {
    json!({ "role": "assistant", "content": content })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn used(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "f", "input": {} })
}

fn result(id: &str, content: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": content })
}

fn unanswered(id: &str) -> Value {
    json!({ "type": "tool_result", "tool_use_id": id, "content": "This call was not answered.", "is_error": true })
}

#[test]
fn neighbours_become_one_message_and_texts_without_a_word_none() {
    let refusal = message(Role::Assistant, vec![ContentPart::Refusal { refusal: "No.".to_owned() }]);
    for (items, expected) in [
        (vec![], json!([])),
        (vec![asked("a"), asked("b")], json!([user(json!([text("a"), text("b")]))])),
        (vec![asked("a"), asked(" \n"), answered("")], json!([user(json!([text("a")]))])),
        (
            vec![asked("a"), refusal, asked("b")],
            json!([user(json!([text("a")])), assistant(json!([text("No.")])), user(json!([text("b")]))]),
        ),
        // The model may begin, and may go on, but not from white space.
        (vec![answered("Hi \n")], json!([assistant(json!([text("Hi")]))])),
        (vec![answered("Hi "), asked("a ")], json!([assistant(json!([text("Hi ")])), user(json!([text("a ")]))])),
        // What stood between two messages counts for nothing where it is left out.
        (
            vec![asked("a"), answered(""), thought(&["t"], None), asked("b")],
            json!([user(json!([text("a"), text("b")]))]),
        ),
    ] {
        assert_eq!(messages(items.clone()), expected, "{items:?}");
    }
}

#[test]
fn calls_are_answered_at_once_and_in_their_order() {
    for (items, expected) in [
        (
            vec![asked("a"), answered("b"), call("1", "{}"), call("2", "{}"), output("2", "two"), output("1", "one")],
            json!([
                user(json!([text("a")])),
                assistant(json!([text("b"), used("1"), used("2")])),
                user(json!([result("1", "one"), result("2", "two")])),
            ]),
        ),
        (
            vec![asked("a"), call("1", "{}"), output("1", "one"), call("2", "{}"), output("2", "two"), asked("c")],
            json!([
                user(json!([text("a")])),
                assistant(json!([used("1")])),
                user(json!([result("1", "one")])),
                assistant(json!([used("2")])),
                user(json!([result("2", "two"), text("c")])),
            ]),
        ),
        // A late answer is moved to its call, past what was said in between.
        (
            vec![asked("a"), call("1", "{}"), asked("wait"), answered("ok"), output("1", "one")],
            json!([
                user(json!([text("a")])),
                assistant(json!([used("1")])),
                user(json!([result("1", "one"), text("wait")])),
                assistant(json!([text("ok")])),
            ]),
        ),
        // No answer, an empty one, and one without a call.
        (
            vec![asked("a"), output("0", "zero"), call("1", "{}"), call("2", "{}"), output("2", " ")],
            json!([
                user(json!([text("a")])),
                assistant(json!([used("1"), used("2")])),
                user(json!([unanswered("1"), { "type": "tool_result", "tool_use_id": "2" }])),
            ]),
        ),
    ] {
        assert_eq!(messages(items.clone()), expected, "{items:?}");
    }
}

#[test]
fn an_output_goes_to_the_call_that_was_just_made_where_an_id_comes_again() {
    let items = vec![asked("a"), call("1", "{}"), asked("b"), call("1", "{}"), output("1", "one")];
    let messages = messages(items);
    assert_eq!(messages[2]["content"][0], unanswered("1"));
    let again = messages[3]["content"][0]["id"].as_str().unwrap();
    assert_eq!(messages[4]["content"][0], result(again, "one"));
}

#[test]
fn arguments_are_given_back_to_the_letter_and_cut_ones_as_none() {
    let arguments = |arguments: &str| messages(vec![call("1", arguments)])[0]["content"][0]["input"].clone();
    assert_eq!(arguments(" {\"a\": [1, 2.50]} "), json!({ "a": [1, 2.5] }));
    for broken in ["", "{\"a\":", "[1]", "\"x\"", "nonsense", "{} {}"] {
        assert_eq!(arguments(broken), json!({}), "{broken}");
    }
    let number = "{\"n\":12345678901234567890123}";
    let items = request(vec![call("1", number)]);
    assert!(serde_json::to_string(&AnthropicBody::new(&items, &budget())).unwrap().contains(number));
}

#[test]
fn ids_that_the_protocol_refuses_are_replaced_and_those_it_takes_are_kept() {
    let ids = |items: Vec<Item>| -> Vec<String> {
        let messages = messages(items);
        let blocks = messages.as_array().unwrap().iter().flat_map(|message| message["content"].as_array().unwrap());
        blocks.map(|block| block["id"].as_str().or(block["tool_use_id"].as_str()).unwrap().to_owned()).collect()
    };
    let kept = ids(vec![call("toolu_A-9", "{}"), output("toolu_A-9", "x")]);
    assert_eq!(kept, ["toolu_A-9", "toolu_A-9"]);
    let foreign = vec![call("call:\u{fc}", "{}"), output("call:\u{fc}", "x"), call("", "{}"), output("", "y")];
    let replaced = ids(foreign.clone());
    assert_eq!((&replaced[0], &replaced[2]), (&replaced[1], &replaced[3]));
    assert_ne!(replaced[0], replaced[2]);
    assert_eq!(replaced, ids(foreign), "the same conversation, the same ids");
    // A server that counts its calls from the start in each answer.
    let again = ids(vec![call("0", "{}"), output("0", "x"), call("0", "{}"), output("0", "y")]);
    assert_eq!((again[0].as_str(), again[1].as_str(), &again[2]), ("0", "0", &again[3]));
    assert_ne!(again[0], again[2]);
}

#[test]
fn a_thought_goes_back_under_its_own_seal_and_in_front_of_what_it_led_to() {
    let thinking = json!({ "type": "thinking", "thinking": "so it is", "signature": "sig" });
    let redacted = json!({ "type": "redacted_thinking", "data": "xyz" });
    let signed = || thought(&["so ", "it is"], Some("anthropic.thinking.sig"));
    let hidden = || thought(&[], Some("anthropic.redacted.xyz"));
    for (items, expected) in [
        (vec![signed(), hidden(), call("1", "{}")], json!([thinking, redacted, used("1")])),
        (vec![signed(), answered("Hi")], json!([thinking, text("Hi")])),
        (vec![answered("Hi"), signed(), answered("ho")], json!([text("Hi"), thinking, text("ho")])),
        // Seals of others, and none.
        (vec![thought(&["t"], Some("gAAAAB")), answered("Hi")], json!([text("Hi")])),
        (vec![thought(&["t"], Some("anthropic.thinking.")), answered("Hi")], json!([text("Hi")])),
        (vec![thought(&["t"], sealed("another", "sig").as_deref()), answered("Hi")], json!([text("Hi")])),
        (
            vec![thought(&[], sealed("m", "sig").as_deref()), answered("Hi")],
            json!([{ "type": "thinking", "thinking": "kept", "signature": "sig" }, text("Hi")]),
        ),
        (vec![thought(&["t"], None), answered("Hi")], json!([text("Hi")])),
        // What led to nothing.
        (vec![answered("Hi"), signed(), asked("a")], json!([text("Hi")])),
        (vec![answered("Hi"), signed()], json!([text("Hi")])),
        (vec![answered("Hi"), signed(), asked("a"), answered("ho")], json!([text("Hi")])),
    ] {
        assert_eq!(messages(items.clone())[0], assistant(expected), "{items:?}");
    }
    // Nor does it turn up in front of something else.
    let later = messages(vec![asked("a"), signed(), asked("b"), answered("c")]);
    assert_eq!(later, json!([user(json!([text("a"), text("b")])), assistant(json!([text("c")]))]));
}

fn item() -> impl Strategy<Value = Item> {
    let ids = || prop::sample::select(vec!["a", "b", "c:1", ""]);
    prop_oneof![
        "[ a]{0,2}".prop_map(|text| asked(&text)),
        "[ a]{0,2}".prop_map(|text| answered(&text)),
        ids().prop_map(|id| call(id, "{}")),
        ids().prop_map(|id| output(id, "x")),
        Just(thought(&["t"], Some("anthropic.thinking.s"))),
        Just(thought(&[], Some("anthropic.redacted.s"))),
    ]
}

fn kinds(message: &Value, kind: &str, key: &str) -> Vec<String> {
    let blocks = message["content"].as_array().unwrap().iter().filter(|block| block["type"] == kind);
    blocks.map(|block| block[key].as_str().unwrap().to_owned()).collect()
}

proptest! {
    #[test]
    fn every_conversation_obeys_the_protocol(items in prop::collection::vec(item(), 0..24)) {
        let messages = messages(items);
        let messages = messages.as_array().unwrap();
        let mut ids = HashSet::new();
        for (at, message) in messages.iter().enumerate() {
            let blocks = message["content"].as_array().unwrap();
            prop_assert!(!blocks.is_empty());
            prop_assert!(at == 0 || messages[at - 1]["role"] != message["role"], "roles alternate");
            for block in blocks.iter().filter(|block| block["type"] == "text") {
                prop_assert!(!block["text"].as_str().unwrap().trim().is_empty());
            }
            let used = kinds(message, "tool_use", "id");
            for id in &used {
                prop_assert!(ids.insert(id.clone()), "{id} is there twice");
                prop_assert!(!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
            }
            let given = messages.get(at + 1).map(|next| kinds(next, "tool_result", "tool_use_id")).unwrap_or_default();
            prop_assert_eq!(&used, &given, "each call is answered in the next message, and nothing else is");
            let results = blocks.iter().take_while(|block| block["type"] == "tool_result").count();
            prop_assert_eq!(results, kinds(message, "tool_result", "tool_use_id").len(), "results come first");
            prop_assert!(at > 0 || results == 0, "nothing is answered before it was asked");
            let is_thought = blocks.last().unwrap()["type"].as_str().unwrap().contains("thinking");
            prop_assert!(!is_thought, "no message ends with a thought");
        }
    }
}

/// A thought that is sealed whole, of a model of that name.
fn sealed(model: &str, signature: &str) -> Option<String> {
    let what = Sealed::Signature { signature: signature.to_owned(), thinking: Some("kept".to_owned()) };
    Origin::of(Protocol::Anthropic, &antiphon_domain::Target::new("p", model)).seal(&what)
}

#[test]
fn the_last_breakpoints_that_the_protocol_takes_are_marked() {
    let part = |number: usize| ContentPart::InputText {
        text: number.to_string(),
        prompt_cache_breakpoint: Some(JsonObject::new()).filter(|_| number != 4),
    };
    let blocks = messages(vec![message(Role::User, (0..7).map(part).collect())])[0]["content"].take();
    let marked =
        blocks.as_array().unwrap().iter().map(|block| block["cache_control"] == json!({ "type": "ephemeral" }));
    assert_eq!(marked.collect::<Vec<_>>(), [false, false, true, true, false, true, true]);
}

/// The call of an answer with such a block, as it goes back to the model that is asked then.
fn given_back(block: Value, model: &str) -> Value {
    let (events, result) = of_blocks(&[start(0, block), stop(0)]);
    assert_eq!(result, Ok(()));
    let finished = events.into_iter().find_map(|event| {
        let ProviderEvent::FunctionCallFinished { extra, .. } = event else { return None };
        Some(extra)
    });
    let mut item = call("1", "{}");
    if let Item::FunctionCall(call) = &mut item {
        call.extra = finished.unwrap();
    }
    let request = ProviderRequest { target: Target::new("p", model), ..request(vec![item]) };
    let body = serde_json::to_value(AnthropicBody::new(&request, &budget())).unwrap();
    body["messages"][0]["content"][0].clone()
}

#[test]
fn unknown_fields_of_a_call_go_back_to_its_model_and_to_no_other() {
    for input in [json!({}), json!({ "a": 1 })] {
        let block = json!({ "type": "tool_use", "id": "1", "name": "f", "input": input, "caller": { "type": "direct" },
            "nothing": null });
        let mut expected = used("1");
        assert_eq!(given_back(block.clone(), "another"), expected);
        expected["caller"] = json!({ "type": "direct" });
        assert_eq!(given_back(block, "m"), expected);
    }
}
