use serde_json::{Value, json};

use super::{added, completed};
use super::{
    between, broken, created, decode, delta, done, fields, finished, message, of, opened, speech_finished, summary,
    text, text_delta, thought,
};
use crate::ProviderEvent;
use antiphon_domain::FinishReason;
use antiphon_protocol::{LogProb, TopLogProb};

const PART: ProviderEvent = ProviderEvent::ContentPartFinished;

fn empty(kind: &str) -> Value {
    json!({ "type": kind, "id": "x_1", "status": "in_progress", "summary": [], "content": [] })
}

fn part_done(place: u32, number: u32, part: Value) -> Value {
    json!({ "type": "response.content_part.done", "output_index": place, "content_index": number, "part": part })
}

fn refusal(text: &str) -> ProviderEvent {
    ProviderEvent::Refusal { text: text.to_owned() }
}

fn sealed(data: &str) -> ProviderEvent {
    ProviderEvent::EncryptedReasoning { encrypted_content: super::sealed(data) }
}

#[test]
fn a_message_is_its_pieces_and_what_else_is_said_of_it() {
    let mut piece = text_delta(0, "Hel");
    piece["sequence_number"] = json!(7);
    let mut whole = message(&["Hello"]);
    whole["phase"] = json!("final_answer");
    let said = between(&[
        added(0, empty("message")),
        json!({ "type": "response.content_part.added", "output_index": 0, "content_index": 0, "part": {} }),
        piece,
        text_delta(0, ""),
        text_delta(0, "lo"),
        json!({ "type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hello" }),
        part_done(0, 0, json!({ "type": "output_text", "text": "Hello" })),
        done(0, whole),
    ]);
    let first = ProviderEvent::Text { text: "Hel".to_owned(), logprobs: Vec::new() };
    assert_eq!(said, [first, text("lo"), PART, speech_finished(json!({ "phase": "final_answer" }))]);
}

#[test]
fn two_parts_stay_two_parts_whether_their_ends_are_told_or_not() {
    let second = |text| delta("response.output_text.delta", (0, 1), text);
    let end = || done(0, message(&["One", "Two"]));
    let expected = [text("One"), PART, text("Two"), PART, speech_finished(json!({}))];
    let told = part_done(0, 0, json!({ "type": "output_text", "text": "One" }));
    assert_eq!(between(&[text_delta(0, "One"), told, second("Two"), end()]), expected);
    assert_eq!(between(&[text_delta(0, "One"), second("Two"), end()]), expected);
    assert_eq!(between(&[end()]), expected);
}

#[test]
fn whole_texts_count_only_where_no_piece_came_and_only_once() {
    let whole = json!({ "type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "Hi" });
    let part = || part_done(0, 0, json!({ "type": "output_text", "text": "Hi" }));
    let end = || done(0, message(&["Hi"]));
    let expected = [text("Hi"), PART, speech_finished(json!({}))];
    for stream in [
        vec![whole.clone(), part(), end()],
        vec![part(), end()],
        vec![part(), part(), whole.clone(), end(), whole.clone()],
        vec![end()],
        vec![text_delta(0, "Hi"), whole, part(), end()],
        vec![added(0, empty("message")), end()],
    ] {
        assert_eq!(between(&stream), expected, "{stream:?}");
    }
}

#[test]
fn words_in_a_part_of_an_unknown_kind_are_words() {
    let whole = |kind: &str, more: Value| {
        let mut item = json!({ "type": kind, "id": "x_1", "status": "completed" });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        done(0, item)
    };
    let said = [text("Hi"), PART, speech_finished(json!({}))];
    for content in
        [json!("Hi"), json!(["Hi"]), json!([{ "type": "text", "text": "Hi" }]), json!([{ "type": 5, "text": "Hi" }])]
    {
        assert_eq!(between(&[whole("message", json!({ "content": content }))]), said, "{content}");
        assert_eq!(
            between(&[text_delta(0, "H"), whole("message", json!({ "content": content }))])[1],
            text("i"),
            "{content}"
        );
    }
    let thinks = [added(0, empty("reasoning")), part_done(0, 0, json!({ "type": "text", "text": "Hm" }))];
    assert_eq!(between(&thinks), [thought("Hm"), PART]);
    assert_eq!(between(&[whole("reasoning", json!({ "content": "Hm" }))])[0], thought("Hm"));
    assert_eq!(between(&[whole("reasoning", json!({ "summary": "Hm" }))])[0], summary(0, "Hm"));
}

#[test]
fn thoughts_summaries_and_refusals_are_told_apart() {
    let summed = |part, text| json!({ "type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": part, "delta": text });
    let summary_done = json!({ "type": "response.reasoning_summary_part.done", "output_index": 0, "summary_index": 0,
        "part": { "type": "summary_text", "text": "So" } });
    let thinking = json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "So" }],
        "content": [], "encrypted_content": "c2VhbGVk", "x_effort": 3 });
    let refused = json!({ "type": "message", "content": [{ "type": "refusal", "refusal": "No" }] });
    let said = between(&[
        added(0, empty("reasoning")),
        summed(0, "So"),
        summary_done,
        summed(1, "then"),
        delta("response.reasoning_text.delta", (0, 0), "hm"),
        delta("response.reasoning.delta", (0, 0), "m"),
        done(0, thinking),
        delta("response.refusal.delta", (1, 0), "No"),
        done(1, refused),
    ]);
    let expected = [
        summary(0, "So"),
        PART,
        summary(1, "then"),
        PART,
        thought("hm"),
        thought("m"),
        sealed("c2VhbGVk"),
        speech_finished(json!({ "x_effort": 3 })),
        refusal("No"),
        PART,
        speech_finished(json!({})),
    ];
    assert_eq!(said, expected);
}

#[test]
fn a_thought_that_is_told_whole_or_only_sealed_comes_through() {
    let whole = json!({ "type": "reasoning", "summary": [{ "type": "summary_text", "text": "a" },
        { "type": "summary_text", "text": "b" }], "content": [{ "type": "reasoning_text", "text": "c" }] });
    let expected = [summary(0, "a"), PART, summary(1, "b"), PART, thought("c"), PART, speech_finished(json!({}))];
    assert_eq!(between(&[done(0, whole)]), expected);
    let only_sealed = json!({ "type": "reasoning", "summary": [], "encrypted_content": "eA" });
    assert_eq!(between(&[done(0, only_sealed)]), [sealed("eA"), speech_finished(json!({}))]);
    let nothing = json!({ "type": "reasoning", "summary": [], "encrypted_content": null });
    assert_eq!(between(&[done(0, nothing)]), []);
}

#[test]
fn a_thought_that_ends_late_does_not_end_the_message_after_it() {
    let thinking =
        json!({ "type": "reasoning", "summary": [], "content": [{ "type": "reasoning_text", "text": "hm" }] });
    let said = between(&[
        delta("response.reasoning_text.delta", (0, 0), "hm"),
        text_delta(1, "Hel"),
        done(0, thinking),
        text_delta(1, "lo"),
        done(1, message(&["Hello"])),
    ]);
    let end = speech_finished(json!({}));
    assert_eq!(said, [thought("hm"), end.clone(), text("Hel"), text("lo"), PART, end]);
}

#[test]
fn messages_that_take_turns_lose_nothing() {
    let said = between(&[
        text_delta(0, "a"),
        text_delta(1, "b"),
        text_delta(0, "c"),
        done(0, message(&["ac"])),
        done(1, message(&["b"])),
    ]);
    let end = || speech_finished(json!({}));
    assert_eq!(said, [text("a"), end(), text("b"), end(), text("c"), PART, end()]);
}

#[test]
fn notes_come_once_whether_they_are_told_or_only_there_at_the_end() {
    let note = |number: u32| json!({ "type": "url_citation", "url": format!("https://example.com/{number}") });
    let told = json!({ "type": "response.output_text.annotation.added", "sequence_number": 4, "output_index": 0,
        "content_index": 0, "annotation_index": 0, "annotation": note(1) });
    let end = json!({ "type": "message", "content": [{ "type": "output_text", "text": "Hi",
        "annotations": [note(1), note(2)] }] });
    let said = between(&[text_delta(0, "Hi"), told, done(0, end)]);
    let noted = |number| ProviderEvent::Annotation { annotation: fields(note(number)) };
    assert_eq!(said, [text("Hi"), noted(1), noted(2), PART, speech_finished(json!({}))]);
}

#[test]
fn probabilities_come_with_their_piece() {
    let mut piece = text_delta(0, "Hi");
    piece["logprobs"] = json!([
        { "token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": [{ "token": "Ho", "logprob": -2 }, {}] },
        { "token": "no number" },
    ]);
    let top_logprobs = vec![TopLogProb { token: "Ho".to_owned(), logprob: -2.0, bytes: Vec::new() }];
    let scored = LogProb { token: "Hi".to_owned(), logprob: -0.5, bytes: vec![72, 105], top_logprobs };
    let expected = ProviderEvent::Text { text: "Hi".to_owned(), logprobs: vec![scored] };
    assert_eq!(between(&[piece]), [expected]);
}

#[test]
fn a_message_that_was_cut_is_left_open_for_the_ending_to_say_so() {
    let mut cut = message(&["Hel"]);
    cut["status"] = json!("incomplete");
    assert_eq!(between(&[text_delta(0, "Hel"), done(0, cut)]), [text("Hel"), PART]);
}

#[test]
fn what_would_be_doubled_or_mixed_up_breaks_the_protocol() {
    let end = || done(0, message(&["Hi"]));
    let part = part_done(0, 0, json!({ "type": "output_text", "text": "Hi" }));
    let bare = || json!({ "type": "message" });
    let nameless = || json!({ "type": "message", "content": [{ "type": "output_text", "text": "Hi" }] });
    let ended = vec![text("Hi"), PART, speech_finished(json!({}))];
    for (stream, said, what) in [
        (vec![end(), text_delta(0, "Hi")], ended.clone(), "an item goes on after its end"),
        (vec![done(0, nameless()), done(0, nameless())], ended, "an item ended twice"),
        (vec![part, text_delta(0, "!")], vec![text("Hi"), PART], "a part goes on after its end"),
        (vec![added(0, bare()), added(0, bare())], vec![], "two items at one place"),
        (vec![text_delta(0, "Hi"), delta("response.output_text.delta", (0, 0), "")], vec![text("Hi")], ""),
    ] {
        if what.is_empty() {
            assert_eq!(between(&stream), said);
        } else {
            assert_eq!(broken(&stream), (said, what), "{stream:?}");
        }
    }
}

#[test]
fn what_is_told_twice_counts_once() {
    let end = || done(0, message(&["Hi"]));
    let begun = || added(0, empty("message"));
    assert_eq!(
        between(&[begun(), begun(), text_delta(0, "Hi"), end(), end()]),
        [text("Hi"), PART, speech_finished(json!({}))]
    );
}

#[test]
fn pieces_find_their_item_by_its_id_or_place_or_because_it_is_the_only_one() {
    let bare = json!({ "type": "response.output_text.delta", "delta": "lo" });
    let by_id = json!({ "type": "response.output_text.delta", "item_id": "x_1", "output_index": 7, "delta": "lo" });
    let whole = [text("Hel"), text("lo"), PART, speech_finished(json!({}))];
    let mut end = message(&["Hello"]);
    end["id"] = json!("x_1");
    for piece in [bare, by_id] {
        let stream = [added(0, empty("message")), text_delta(0, "Hel"), piece, done(0, end.clone())];
        assert_eq!(between(&stream), whole, "{stream:?}");
    }
    let no_item = json!({ "type": "response.output_text.delta", "delta": "Hi" });
    assert_eq!(between(&[no_item]), [text("Hi")]);
    let beside = [added(0, empty("reasoning")), text_delta(0, "Hi"), done(0, message(&["Hi"]))];
    assert_eq!(between(&beside), [text("Hi"), PART, speech_finished(json!({}))]);
}

#[test]
fn text_that_is_told_whole_may_be_longer_than_its_pieces() {
    let part = |text: &str| json!({ "type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": text });
    let expected = [text("Hel"), text("lo"), PART, speech_finished(json!({}))];
    for stream in [
        vec![text_delta(0, "Hel"), part("Hello"), done(0, message(&["Hello"]))],
        vec![
            text_delta(0, "Hel"),
            part_done(0, 0, json!({ "type": "output_text", "text": "Hello" })),
            done(0, message(&["Hello"])),
        ],
        vec![text_delta(0, "Hel"), done(0, message(&["Hello"]))],
    ] {
        assert_eq!(between(&stream), expected, "{stream:?}");
    }
    let (events, result) = of(&[text_delta(0, "Hel"), completed(&json!([message(&["Hello"])]))]);
    assert_eq!((&events[1..5], result), (&expected[..], Ok(())));
    // What was seen is not taken back.
    let other = [text("Hel"), PART, speech_finished(json!({}))];
    assert_eq!(between(&[text_delta(0, "Hel"), done(0, message(&["Good bye"]))]), other);
}

#[test]
fn characters_that_are_cut_in_halves_are_joined() {
    let piece = |place: u32, half: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"output_index\":{place},\"content_index\":0,\"delta\":\"{half}\"}}\n\n"
        )
    };
    let end = format!("data: {}\n\n", completed(&json!([])));
    let joined = [piece(0, "a\\ud83e"), piece(0, "\\udd80b"), end.clone()].concat();
    let said = [opened(None), text("a"), text("\u{1f980}b"), finished(FinishReason::Stop)];
    assert_eq!(decode([joined.as_bytes()]), (said.to_vec(), Ok(())));
    // The other half is only in the whole text, or nowhere.
    for (whole, rest) in [("a\u{1f980}", "\u{1f980}"), ("a\u{fffd}", "\u{fffd}"), ("", "\u{fffd}")] {
        let stream = format!("{}data: {}\n\n{end}", piece(0, "a\\ud83e"), done(0, message(&[whole])));
        let said =
            [opened(None), text("a"), text(rest), PART, speech_finished(json!({})), finished(FinishReason::Stop)];
        assert_eq!(decode([stream.as_bytes()]), (said.to_vec(), Ok(())), "{whole}");
    }
}

#[test]
fn servers_that_put_all_items_at_one_place_are_understood() {
    let said = between(&[
        added(0, empty("reasoning")),
        delta("response.reasoning_text.delta", (0, 0), "hm"),
        done(0, json!({ "type": "reasoning", "summary": [] })),
        added(0, empty("message")),
        text_delta(0, "Hi"),
        done(0, message(&["Hi"])),
    ]);
    let end = || speech_finished(json!({}));
    assert_eq!(said, [thought("hm"), end(), text("Hi"), PART, end()]);
}

const RECORDED: &str = "\u{feff}: waiting\n\nevent: response.created\n\
    data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_up\"}}\r\n\r\n\
    event: response.output_text.delta\n\
    data: {\"output_index\":0,\"content_index\":0,\"delta\":\"Gr\u{fc}\u{df} \u{1f980}\"}\n\n\
    data: {\"type\":\"response.output_text.delta\",\n\
    data: \"output_index\":0,\"content_index\":0,\"delta\":\"!\"}\r\r\
    data: {\"type\":\"response.completed\",\"response\":{}}\n\ndata: [DONE]";

#[test]
fn every_cut_of_a_recorded_stream_gives_the_same_events() {
    let bytes = RECORDED.as_bytes();
    let stop = finished(FinishReason::Stop);
    let expected = (vec![opened(Some("resp_up")), text("Gr\u{fc}\u{df} \u{1f980}"), text("!"), stop], Ok(()));
    assert_eq!(decode([bytes]), expected);
    assert_eq!(decode(bytes.chunks(1)), expected);
    for at in 0..=bytes.len() {
        assert_eq!(decode([&bytes[..at], &bytes[at..]]), expected, "cut at {at}");
    }
}

#[test]
fn the_opening_is_told_first_and_once_with_the_id_if_there_is_one() {
    let hi = [text("Hi"), finished(FinishReason::Stop)];
    let end = || completed(&json!([]));
    let running = json!({ "type": "response.in_progress", "response": { "id": "resp_2" } });
    for (beginning, id) in [
        (vec![created(), created(), running.clone()], Some("resp_up")),
        (vec![json!({ "type": "keepalive", "sequence_number": 3 }), created()], Some("resp_up")),
        (vec![running], Some("resp_2")),
        (vec![json!({ "type": "response.created" })], None),
        (vec![], None),
    ] {
        let (events, result) = of(&[beginning, vec![text_delta(0, "Hi"), end()]].concat());
        assert_eq!((events, result), ([&[opened(id)], &hi[..]].concat(), Ok(())));
    }
}

#[test]
fn a_thought_that_ends_under_another_number_is_told_once() {
    let about = |name: &str, number: u32, more: Value| {
        let mut event = json!({ "type": name, "output_index": 0, "item_id": "rs_1", "summary_index": number });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    let item = |summary: Value| json!({ "id": "rs_1", "type": "reasoning", "summary": summary });
    for number in [0, 7] {
        let said = between(&[
            added(0, item(json!([]))),
            about("response.reasoning_summary_text.delta", 0, json!({ "delta": "hm" })),
            about("response.reasoning_summary_part.done", number, json!({ "part": { "text": "hm" } })),
            done(0, item(json!([{ "type": "summary_text", "text": "hm" }]))),
        ]);
        let told = said.iter().filter(|event| matches!(event, ProviderEvent::ReasoningSummary { .. })).count();
        assert_eq!(told, 1, "{number}: {said:?}");
    }
}
