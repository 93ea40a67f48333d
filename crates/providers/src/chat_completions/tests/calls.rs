use std::{collections::HashSet, sync::Arc};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use antiphon_domain::Prompt;
use antiphon_protocol::{FunctionCall, Item, ItemId, ItemStatus, JsonObject, ResponseId};

/// One chunk with these pieces of calls.
fn pieces(pieces: Value) -> Value {
    delta(json!({ "tool_calls": pieces }))
}

fn piece(index: u32, id: Value, name: Value, arguments: Value) -> Value {
    json!({ "index": index, "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

/// A piece of arguments alone.
fn more(index: u32, arguments: &str) -> Value {
    json!({ "index": index, "function": { "arguments": arguments } })
}

fn tool_calls() -> ProviderEvent {
    ProviderEvent::Finished(FinishReason::ToolCalls)
}

/// What is told of these chunks, then a finish for the calls.
fn heard(chunks: &[Value]) -> Decoded {
    of_chunks(&[chunks, &[finish("tool_calls")]].concat())
}

/// The calls that the events tell of, in the order in which they do: id, name, arguments.
fn whole(events: &[ProviderEvent]) -> Vec<(String, String, String)> {
    let (mut numbers, mut calls) = (Vec::new(), Vec::new());
    for event in events {
        if let ProviderEvent::FunctionCallStarted { call, call_id, name } = event {
            numbers.push(*call);
            calls.push((call_id.clone(), name.clone(), String::new()));
        }
        if let ProviderEvent::FunctionCallArguments { call, text, .. } = event {
            let place = numbers.iter().position(|number| number == call).unwrap();
            calls[place].2.push_str(text);
        }
    }
    calls
}

#[track_caller]
fn check_whole(what: &str, chunks: &[Value], expected: &[(&str, &str, &str)]) {
    let (events, result) = heard(chunks);
    let owned = |(id, name, arguments): &(&str, &str, &str)| ((*id).into(), (*name).into(), (*arguments).into());
    let expected: Vec<(String, String, String)> = expected.iter().map(owned).collect();
    assert_eq!((whole(&events), result), (expected, Ok(())), "{what}");
}

#[test]
fn a_call_is_told_of_with_its_first_arguments_and_they_go_on_as_they_come() {
    let chunks = [
        pieces(json!([piece(0, json!("c1"), json!("weather"), json!(""))])),
        pieces(json!([more(0, "{\"city\":")])),
        pieces(json!([more(0, "\"Oslo\"}")])),
        pieces(json!([more(0, "")])),
    ];
    let expected =
        vec![started(0, "c1", "weather"), arguments(0, "{\"city\":"), arguments(0, "\"Oslo\"}"), tool_calls()];
    check(heard(&chunks), (expected, Ok(())), "the protocol's own form");
}

#[test]
fn several_calls_are_kept_apart() {
    let (f, g) = (("a", "f", "{\"x\":1}"), ("b", "g", "{\"y\":2}"));
    let begin = |index, (id, name, _): (&str, &str, &str)| piece(index, json!(id), json!(name), json!(""));
    let all = |index, (id, name, text): (&str, &str, &str)| piece(index, json!(id), json!(name), json!(text));
    for (what, chunks) in [
        (
            "one after the other",
            vec![
                pieces(json!([begin(0, f)])),
                pieces(json!([more(0, f.2)])),
                pieces(json!([begin(1, g)])),
                pieces(json!([more(1, g.2)])),
            ],
        ),
        (
            "interleaved",
            vec![
                pieces(json!([begin(0, f)])),
                pieces(json!([begin(1, g)])),
                pieces(json!([more(1, "{\"y\"")])),
                pieces(json!([more(0, "{\"x\":")])),
                pieces(json!([more(1, ":2}"), more(0, "1}")])),
            ],
        ),
        ("both in one chunk", vec![pieces(json!([all(0, f), all(1, g)]))]),
        ("indexes with a gap", vec![pieces(json!([all(3, f)])), pieces(json!([all(7, g)]))]),
        ("an index used twice with other ids", vec![pieces(json!([all(0, f)])), pieces(json!([all(0, g)]))]),
        (
            "an index used twice in pieces",
            vec![
                pieces(json!([begin(0, f)])),
                pieces(json!([more(0, f.2)])),
                pieces(json!([begin(0, g)])),
                pieces(json!([more(0, g.2)])),
            ],
        ),
    ] {
        check_whole(what, &chunks, &[f, g]);
    }
}

#[test]
fn what_servers_leave_out_or_repeat_of_a_call_does_not_matter() {
    let (null, empty) = (json!(null), json!(""));
    let no_index = |id: Value, name: Value, arguments: Value| json!({ "id": id, "function": { "name": name, "arguments": arguments } });
    let begin = || piece(0, json!("c"), json!("f"), json!(""));
    let expected = [("c", "f", "{\"x\":1}")];
    let head = "{\"x\"";
    for (what, chunks) in [
        (
            "null in the place of what is not said again",
            vec![begin(), piece(0, null.clone(), null.clone(), json!(head))],
        ),
        ("empty text in its place", vec![begin(), piece(0, empty.clone(), empty.clone(), json!(head))]),
        ("all said again", vec![begin(), piece(0, json!("c"), json!("f"), json!(head))]),
        ("an id for every piece", vec![begin(), piece(0, json!("d"), null.clone(), json!(head))]),
        ("no index", vec![no_index(json!("c"), json!("f"), json!(head))]),
        ("an index from the second piece on", vec![no_index(json!("c"), json!("f"), null.clone()), more(0, head)]),
        ("a null index", vec![json!({ "index": null, "id": "c", "function": { "name": "f", "arguments": head } })]),
        (
            "the name in pieces",
            vec![piece(0, json!("c"), json!(""), null.clone()), piece(0, null.clone(), json!("f"), json!(head))],
        ),
        (
            "the name after arguments",
            vec![piece(0, json!("c"), null.clone(), json!(head)), piece(0, null.clone(), json!("f"), empty.clone())],
        ),
        (
            "the id after the name",
            vec![piece(0, null.clone(), json!("f"), null), piece(0, json!("c"), empty, json!(head))],
        ),
        ("a piece with nothing in it", vec![json!({ "index": 0 }), begin(), more(0, head), json!({ "function": {} })]),
    ] {
        let last = no_index(json!(null), json!(null), json!(":1}"));
        let chunks: Vec<Value> = chunks.into_iter().chain([last]).map(|piece| pieces(json!([piece]))).collect();
        check_whole(what, &chunks, &expected);
    }
    // A brace in a string ends nothing: the name that is said again begins no other call.
    let again = |text: &str| pieces(json!([piece(0, json!(null), json!("f"), json!(text))]));
    for [head, tail] in [["{\"x\":\"}", "\"}"], ["{\"x\":\"\\\"}", "\"}"], ["{\"x\":{\"y\":1}", "}"]] {
        let calls = whole(&heard(&[again(head), again(tail)]).0);
        assert_eq!((calls.len(), calls[0].2.clone()), (1, format!("{head}{tail}")), "{head}");
    }
    let named = |name: &str| pieces(json!([piece(0, json!(null), json!(name), json!(""))]));
    let chunks = [named("get_"), named("weather"), pieces(json!([more(0, "{}")]))];
    assert_eq!(whole(&heard(&chunks).0)[0].1, "get_weather", "a name in pieces");
    let chunks = [pieces(json!([begin()])), pieces(json!([more(0, "{}")])), pieces(json!([begin()]))];
    check_whole("said again after all arguments", &chunks, &[("c", "f", "{}")]);
}

#[test]
fn calls_without_ids_get_some_that_the_same_request_always_gives() {
    let whole_call = |index: Option<u32>, id: Value, name: &str, arguments: &str| json!({ "index": index, "id": id, "function": { "name": name, "arguments": arguments } });
    let ids = |request: &ProviderRequest, chunks: &[Value]| -> Vec<String> {
        let (events, result) = of_chunks_for(request, &[chunks, &[finish("stop")]].concat());
        assert_eq!(result, Ok(()));
        whole(&events).into_iter().map(|(id, ..)| id).collect()
    };
    let calls = |index: Option<u32>, id: Value, second: &str| {
        let one = |name, arguments| whole_call(index, id.clone(), name, arguments);
        vec![pieces(json!([one("f", "{\"a\":\"}\"}")])), pieces(json!([one(second, "{}")]))]
    };
    let generated = ids(&curious(), &calls(None, json!(null), "g"));
    assert_eq!(generated.len(), 2);
    assert_ne!(generated[0], generated[1]);
    assert!(generated.iter().all(|id| id.starts_with("call_") && id.len() == 37), "{generated:?}");
    for chunks in [
        calls(None, json!(""), "g"),
        calls(Some(0), json!(null), "g"),
        calls(Some(0), json!(""), "f"),
        calls(None, json!(null), "f"),
        vec![pieces(json!([whole_call(None, json!(null), "f", "{}"), whole_call(None, json!(null), "f", "{}")]))],
    ] {
        assert_eq!(ids(&curious(), &chunks), generated, "{chunks:?}");
    }
    // Two calls of one id: their answers could not be told apart.
    let twice =
        [pieces(json!([whole_call(Some(0), json!("c"), "f", "{}"), whole_call(Some(1), json!("c"), "f", "{}")]))];
    assert_eq!(ids(&curious(), &twice), ["c", generated[1].as_str()]);

    // The first to begin gets its id last.
    let late = [
        pieces(json!([more(2, "{")])),
        pieces(json!([whole_call(None, json!("c"), "f", "{}")])),
        pieces(json!([whole_call(Some(2), json!("c"), "f", "}")])),
    ];
    assert_eq!(ids(&curious(), &late[..]), ["c", generated[0].as_str()]);

    let call = Item::FunctionCall(FunctionCall {
        id: ItemId::of_input("fc_", ResponseId::new(), 0),
        call_id: generated[0].clone(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        status: ItemStatus::Completed,
        extra: JsonObject::new(),
    });
    let next_turn = ProviderRequest { prompt: Arc::new(Prompt { instructions: None, items: vec![call] }), ..curious() };
    let next_request = ProviderRequest { request_id: "req_2".to_owned(), ..curious() };
    for request in [next_turn, next_request] {
        let others = ids(&request, &calls(None, json!(null), "g"));
        assert!(others.iter().all(|id| !generated.contains(id)), "{others:?}");
    }
}

#[test]
fn arguments_may_be_an_object_and_the_call_of_the_older_form() {
    let object = json!({ "index": 0, "id": "c", "function": { "name": "f", "arguments": { "x": [1, "}"] } } });
    check_whole("an object", &[pieces(json!([object]))], &[("c", "f", "{\"x\":[1,\"}\"]}")]);
    for chunks in [
        vec![
            delta(json!({ "function_call": { "name": "f", "arguments": "" } })),
            delta(json!({ "function_call": { "arguments": "{\"x\"" } })),
            delta(json!({ "function_call": { "arguments": ":1}" } })),
        ],
        vec![delta(json!({
            "function_call": { "name": "f", "arguments": "{\"x\":1}" },
            "tool_calls": [piece(0, json!(null), json!("f"), json!("{\"x\":1}"))],
        }))],
    ] {
        let (events, result) = of_chunks(&[chunks, vec![finish("function_call")]].concat());
        let calls = whole(&events);
        assert_eq!((calls.len(), calls[0].1.as_str(), calls[0].2.as_str()), (1, "f", "{\"x\":1}"));
        assert_eq!((events.last(), result), (Some(&tool_calls()), Ok(())));
    }
}

#[test]
fn a_call_without_arguments_is_told_of_before_whatever_follows() {
    let call = |id: &str| pieces(json!([{ "index": 0, "id": id, "function": { "name": "f" } }]));
    let say = |text: &str| delta(json!({ "content": text }));
    for (what, chunks, expected) in [
        ("the end", vec![call("a")], vec![started(0, "a", "f")]),
        ("text", vec![call("a"), say("Hi")], vec![started(0, "a", "f"), text("Hi")]),
        (
            "a thought",
            vec![call("a"), delta(json!({ "reasoning": "hm" }))],
            vec![started(0, "a", "f"), reasoning("hm")],
        ),
        (
            "another call",
            vec![call("a"), pieces(json!([piece(1, json!("b"), json!("g"), json!("{}"))]))],
            vec![started(0, "a", "f"), started(1, "b", "g"), arguments(1, "{}")],
        ),
    ] {
        for (word, reason) in [("stop", FinishReason::Stop), ("length", FinishReason::Length)] {
            let chunks = [chunks.clone(), vec![finish(word)]].concat();
            let expected = [expected.clone(), vec![ProviderEvent::Finished(reason)]].concat();
            check(of_chunks(&chunks), (expected, Ok(())), what);
        }
    }
}

#[test]
fn a_call_that_was_cut_before_its_name_is_none_and_one_that_never_gets_a_name_is_an_error() {
    let nameless = [pieces(json!([more(0, "{}")]))];
    let ends = |word: &str| of_chunks(&[&nameless[..], &[finish(word)]].concat());
    check(ends("length"), (vec![ProviderEvent::Finished(FinishReason::Length)], Ok(())), "cut");
    check(ends("tool_calls"), (vec![], Err(protocol("a tool call without a name"))), "never");
}

#[test]
fn what_a_provider_may_send_of_calls_is_bounded() {
    let of = |index: u32, id: usize, name: usize, arguments: usize| {
        let text = |length: usize| json!("x".repeat(length));
        pieces(json!([piece(index, text(id), text(name), text(arguments))]))
    };
    let many = |count: usize| (0..count).map(|_| pieces(json!([{ "function": { "name": "f", "arguments": "{}" } }])));
    let half = pieces(json!([more(0, &"x".repeat(512 << 10))]));
    let unnamed: Vec<Value> = std::iter::repeat_n(half.clone(), 3).collect();
    let named: Vec<Value> = [of(0, 1, 1, 0)].into_iter().chain(unnamed.clone()).collect();
    let too_many = Err(protocol("more function calls than limits.provider_calls"));
    let too_long = Err(protocol("the arguments of a function call are longer than responses.max_output_bytes"));
    for (what, chunks, expected) in [
        ("a large index", vec![of(128, 1, 1, 1)], Ok(())),
        ("the largest index", vec![pieces(json!([{ "index": u64::MAX, "function": { "name": "f" } }]))], Ok(())),
        ("as many as may be", many(128).collect(), Ok(())),
        ("one more", many(129).collect(), too_many),
        ("the longest id", vec![of(0, 8192, 1, 1)], Ok(())),
        ("a longer id", vec![of(0, 8193, 1, 1)], Err(protocol("the id of a tool call is longer than limits.id_chars"))),
        ("the longest name", vec![of(0, 1, 256, 1)], Ok(())),
        (
            "a longer name",
            vec![of(0, 1, 257, 1)],
            Err(protocol("the name of a function is longer than limits.function_name_chars")),
        ),
        ("the longest arguments", vec![of(0, 1, 1, 1 << 20)], Ok(())),
        ("longer arguments", vec![of(0, 1, 1, (1 << 20) + 1)], too_long.clone()),
        ("longer arguments in pieces", named, too_long.clone()),
        ("longer arguments of a call without a name", unnamed, too_long),
        (
            "a list for arguments",
            vec![pieces(json!([piece(0, json!("c"), json!("f"), json!([]))]))],
            Err(protocol("arguments that are neither text nor an object")),
        ),
    ] {
        let (events, result) = heard(&chunks);
        assert_eq!(result, expected, "{what}");
        assert_eq!(events.contains(&tool_calls()), expected.is_ok(), "{what}");
    }
}

#[test]
fn a_call_is_an_error_where_no_tools_were_offered() {
    let call = pieces(json!([piece(0, json!("c"), json!("f"), json!(""))]));
    let without = asking(Request { tools: Vec::new(), ..wanting_everything() });
    for call in [call.clone(), delta(json!({ "function_call": { "name": "f" } }))] {
        let asked_for = protocol("a tool call that was not asked for");
        check(of_chunks_for(&without, &[call]), (vec![], Err(asked_for)), "no tools");
    }
    let nothing = [delta(json!({ "tool_calls": [{ "index": 0 }], "function_call": {} })), finish("stop")];
    check(of_chunks_for(&without, &nothing), (vec![stop()], Ok(())), "pieces with nothing in them");
}

/// A piece with any of its parts, of few kinds, so that pieces meet in all ways.
fn any_piece() -> impl Strategy<Value = Value> {
    let word = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words));
    let index = prop::option::of(0..3u32);
    let (id, name) = (word(&["a", "b", ""]), word(&["f", "g", ""]));
    let arguments = word(&["", "{", "}", "{}", "\"", "{\"x\":\"}"]);
    (index, id, name, arguments).prop_map(|(index, id, name, arguments)| {
        json!({ "index": index, "id": id, "function": { "name": name, "arguments": arguments } })
    })
}

proptest! {
    #[test]
    fn however_pieces_come_no_argument_is_lost_and_no_two_calls_have_one_id(
        all in prop::collection::vec(prop::collection::vec(any_piece(), 1..4), 1..8),
    ) {
        let chunks: Vec<Value> = all.iter().map(|all| pieces(json!(all))).collect();
        let (events, result) = heard(&chunks);
        let (mut open, mut ids, mut told) = (HashSet::new(), HashSet::new(), 0);
        for event in &events {
            if let ProviderEvent::FunctionCallStarted { call, call_id, name } = event {
                prop_assert!(!name.is_empty() && !call_id.is_empty());
                prop_assert!(open.insert(*call) && ids.insert(call_id.clone()), "a call begins once: {all:?}");
            }
            if let ProviderEvent::FunctionCallArguments { call, text, .. } = event {
                prop_assert!(open.contains(call) && !text.is_empty());
                told += text.len();
            }
        }
        let arguments = |piece: &Value| piece["function"]["arguments"].as_str().map_or(0, str::len);
        let sent: usize = all.iter().flatten().map(arguments).sum();
        // What may be a call that is told again.
        let is_whole = |piece: &&Value| arguments(piece) == 2 && piece["function"]["arguments"] == "{}";
        let again = 2 * all.iter().flatten().filter(is_whole).count();
        match result {
            Ok(()) => prop_assert!(told <= sent && told + again >= sent, "{told} of {sent}: {all:?}"),
            Err(error) => prop_assert_eq!(error, protocol("a tool call without a name")),
        }
    }
}

#[test]
fn a_field_of_a_call_is_kept_no_deeper_than_facts_can_hold() {
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    let call = json!({ "index": 0, "id": "c", "function": { "name": "f", "arguments": "{}" }, "x": deep });
    let (events, result) = of_chunks(&[delta(json!({ "tool_calls": [call] })), finish("tool_calls")]);
    assert_eq!(result, Ok(()));
    assert!(events.len() > 2 && !events.iter().any(ProviderEvent::is_too_deep));
}

#[test]
fn fields_alone_begin_no_call() {
    let with_call = |call: Value| delta(json!({ "content": "Hi", "tool_calls": [call] }));
    let null = || with_call(json!({ "index": 0, "id": null, "function": null, "extra_content": null }));
    let alone = || with_call(json!({ "index": 0, "extra_content": { "a": 1 } }));
    let plain = asking(Request::new("m", 100));
    for asked in [&curious(), &plain] {
        for chunk in [null(), alone()] {
            let expected = (vec![text("Hi"), stop()], Ok(()));
            check(of_chunks_for(asked, &[chunk.clone(), finish("stop")]), expected, &chunk.to_string());
        }
    }
}

#[test]
fn what_only_the_model_knows_is_bounded() {
    let most = UpstreamLimits::default().output_bytes;
    let long = || Err(protocol("the fields for the model are longer than responses.max_output_bytes"));
    let detail = |text: String| delta(json!({ "reasoning_details": [{ "text": text }] }));
    let call = |text: String| delta(json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" }, "x": text }] }));
    let words = |text: String| delta(json!({ "content": "Hi", "extra_content": text }));
    for chunk in [&detail as &dyn Fn(String) -> Value, &call, &words] {
        let half = || chunk("x".repeat(most / 2 - 100));
        assert_eq!(of_chunks(&[half(), half(), finish("stop")]).1, Ok(()));
        assert_eq!(of_chunks(&[half(), half(), half(), finish("stop")]).1, long());
    }
    let key = delta(json!({ "tool_calls": [{ "index": 0, "function": { "name": "f" }, "x".repeat(most): 0 }] }));
    assert_eq!(of_chunks(&[key, finish("stop")]).1, long());
    let entry = |index: u64| json!({ "index": index });
    let entries = (0..20_000).map(entry).collect::<Vec<_>>();
    let many = of_chunks(&[delta(json!({ "reasoning_details": entries }))]).1;
    assert_eq!(many, Err(protocol("more details of a thought than four times limits.provider_items")));
}

#[test]
fn a_long_thought_costs_what_is_kept_of_its_details_and_not_what_every_piece_repeats() {
    let detail =
        json!({ "type": "reasoning.text", "text": "word ", "format": "unknown", "index": 0, "signature": null });
    let piece = delta(json!({ "reasoning": "word ", "reasoning_details": [detail] }));
    let chunks: Vec<_> =
        (0..48_000).map(|_| piece.clone()).chain([delta(json!({ "content": "x" })), finish("stop")]).collect();
    assert_eq!(of_chunks(&chunks).1, Ok(()));
}

#[test]
fn a_call_that_is_told_again_whole_is_one_call() {
    let call = |index: Value, arguments: &str| {
        pieces(json!([{ "index": index, "id": "c", "function": { "name": "f", "arguments": arguments } }]))
    };
    let one = [("c", "f", "{\"x\":1}")];
    for (what, chunks) in [
        ("whole twice", vec![call(json!(0), "{\"x\":1}"), call(json!(0), "{\"x\":1}")]),
        ("without an index", vec![call(json!(0), "{\"x\":1}"), call(Value::Null, "{\"x\":1}")]),
        (
            "in pieces, then whole, twice",
            vec![
                call(json!(0), "{\"x\""),
                pieces(json!([more(0, ":1}")])),
                call(json!(0), one[0].2),
                call(json!(0), one[0].2),
            ],
        ),
    ] {
        check_whole(what, &chunks, &one);
    }
    let other = heard(&[call(json!(0), "{\"x\":1}"), call(json!(0), "{\"x\":2}")]);
    assert_eq!(whole(&other.0).len(), 2, "other arguments are another call");
}
