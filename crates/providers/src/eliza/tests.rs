use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::*;

use super::Eliza;
use super::conversation::reply;
use crate::{Provider, ProviderEvent, ProviderRequest};
use antiphon_domain::{FinishReason, Prompt, Request, Target};
use antiphon_protocol::{ContentPart, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role};

fn request(text: &str, max_output_tokens: u32) -> ProviderRequest {
    let id = ItemId::of_input("msg", ResponseId::new(), 0);
    let content = vec![ContentPart::input_text(text)];
    let item = Item::Message(Message {
        id,
        role: Role::User,
        status: ItemStatus::Completed,
        content,
        extra: JsonObject::new(),
    });
    let prompt = Prompt { instructions: None, items: vec![item] };
    ProviderRequest::new(Target::new("p", "eliza"), Request::new("eliza", max_output_tokens), prompt)
}

async fn events(request: ProviderRequest) -> Vec<ProviderEvent> {
    let batches: Vec<_> = Eliza::new(Duration::ZERO).open(request).collect().await;
    batches.into_iter().flat_map(Result::unwrap).collect()
}

fn text(events: &[ProviderEvent]) -> String {
    let texts = events
        .iter()
        .filter_map(|event| if let ProviderEvent::Text { text, .. } = event { Some(text.as_str()) } else { None });
    texts.collect()
}

#[test]
fn persons_are_turned_around() {
    for (said, answer) in [
        ("Hello!", "Hello. How are you feeling today?"),
        ("I need a BMW.", "What would it mean to you to get a BMW?"),
        ("I'm afraid of my boss", "How long have you been afraid of your boss?"),
        ("Well, my mother hates me", "Tell me more about your mother."),
        ("Who are you?", "I am Eliza, a small program that answers by rules. Nothing you say leaves this server."),
        ("You are very kind to me.", "What makes you think that I am very kind to you?"),
        ("", "Take your time. I am listening."),
        ("\u{1f980}\u{1f980}", "Take your time. I am listening."),
        ("Der Himmel ist blau", "I see. Please go on."),
    ] {
        assert_eq!(reply(&[said]), answer, "{said}");
    }
}

#[test]
fn answers_to_the_same_words_vary_and_what_was_told_comes_back() {
    assert_ne!(reply(&["I feel tired"]), reply(&["I feel tired", "I feel tired"]));
    let later = reply(&["My new job is hard", "Der Himmel ist blau"]);
    assert_eq!(later, "Earlier you mentioned your new job is hard. Does that have something to do with this?");
}

#[tokio::test]
async fn words_are_streamed_and_counted() {
    let events = events(request("I need a break", 1_000)).await;
    assert!(matches!(events[0], ProviderEvent::Opened { .. }));
    assert_eq!(text(&events), reply(&["I need a break"]));
    assert!(events.iter().filter(|event| matches!(event, ProviderEvent::Text { .. })).count() > 5);
    let [.., ProviderEvent::Finished(FinishReason::Stop), ProviderEvent::Usage(usage)] = &events[..] else {
        unreachable!("{events:?}")
    };
    assert!(usage.input_tokens > 6 && usage.output_tokens > 5);
    assert_eq!(usage.total_tokens, usage.input_tokens + usage.output_tokens);
}

#[tokio::test]
async fn the_most_tokens_cut_the_answer() {
    let events = events(request("I need a break", 4)).await;
    let [.., ProviderEvent::Finished(FinishReason::Length), ProviderEvent::Usage(usage)] = &events[..] else {
        unreachable!("{events:?}")
    };
    assert!(usage.output_tokens <= 4);
    assert!(reply(&["I need a break"]).starts_with(&text(&events)));
}

proptest! {
    #[test]
    fn anything_has_an_answer_and_always_the_same(messages in prop::collection::vec(any::<String>(), 0..5)) {
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let answer = reply(&messages);
        prop_assert!(!answer.is_empty());
        prop_assert_eq!(answer, reply(&messages));
    }

    #[test]
    fn english_of_a_kind_has_an_answer(
        words in prop::collection::vec(prop_oneof![
            Just("i"), Just("you"), Just("my"), Just("am"), Just("need"), Just("always"), Just("if"), Just("mother"),
            Just("remember"), Just("can't"), Just("."), Just("me"), Just("are"), Just("{1}"),
        ], 0..300),
    ) {
        prop_assert!(!reply(&[&words.join(" ")]).is_empty());
    }
}
