#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use proptest::prelude::*;

use super::count::{LONG_TURNS, checked, count, count_blocking, most_long_turns, vocabulary};
use super::prompt::{PER_MESSAGE, PER_REPLY};
use super::slices::{SLICE_BYTES, samples, slices};
use super::{PromptBudget, Tiktoken, TokenCounter, TokenError, prompt_tokens_blocking};
use antiphon_domain::{Encoding, Model, Prompt, PromptParts, Request, Target};
use antiphon_protocol::{
    ContentPart, FunctionCall, FunctionTool, Item, ItemId, ItemStatus, JsonObject, Message, Reasoning, ReasoningText,
    ResponseId, Role, TextFormat, Tool, Truncation,
};

fn prompt(texts: &[&str]) -> Prompt {
    let id = ItemId::of_input("msg", ResponseId::new(), 0);
    let items = texts.iter().map(|text| {
        let content = vec![ContentPart::input_text(*text)];
        Item::Message(Message {
            id: id.clone(),
            role: Role::User,
            status: ItemStatus::Completed,
            content,
            extra: JsonObject::new(),
        })
    });
    Prompt { instructions: Some("Be brief.".to_owned()), items: items.collect() }
}

#[test]
fn known_texts_have_their_known_counts() {
    for (encoding, text, tokens) in [
        (Encoding::O200kBase, "", 0),
        (Encoding::O200kBase, "hello world", 2),
        (Encoding::Cl100kBase, "hello world", 2),
        (Encoding::Cl100kBase, "tiktoken is great!", 6),
        (Encoding::O200kBase, "<|endoftext|>", 7),
    ] {
        assert_eq!(count_blocking(encoding, text), Ok(tokens), "{text}");
    }
}

#[test]
fn slices_are_short_whole_and_cut_at_blanks() {
    let text = "words of all kinds \u{1f980} ".repeat(10_000);
    let slices: Vec<&str> = slices(&text).collect();
    assert_eq!(slices.concat(), text);
    assert!(slices.iter().all(|slice| slice.len() <= SLICE_BYTES));
    assert!(slices.iter().skip(1).all(|slice| slice.starts_with(' ')));
}

#[test]
fn a_million_blanks_are_counted() {
    let blanks = format!("{}x", " ".repeat(1_000_001));
    assert!(count_blocking(Encoding::O200kBase, &blanks).unwrap() > 0);
    assert!(count_blocking(Encoding::Cl100kBase, &blanks).unwrap() > 0);
}

#[test]
fn a_count_beyond_any_column_is_refused() {
    let most = u64::from(i32::MAX.cast_unsigned());
    assert_eq!(checked(most), Ok(i32::MAX.cast_unsigned()));
    assert_eq!(checked(most + 1), Err(TokenError::TooMany));
}

#[tokio::test]
async fn a_prompt_counts_its_texts_and_its_frames() {
    let prompt = prompt(&["hello world", "hello world"]);
    let brief = count_blocking(Encoding::O200kBase, "Be brief.").unwrap();
    let expected = u32::try_from(brief + 4 + 3 * PER_MESSAGE + PER_REPLY).unwrap();
    assert_eq!(Tiktoken.prompt_tokens(Encoding::O200kBase, &prompt).await, Ok(expected));
    assert_eq!(prompt_tokens_blocking(Encoding::O200kBase, &prompt), Ok(expected));
}

#[tokio::test]
async fn what_stands_beside_a_prompt_counts_as_its_json() {
    let tool = Tool::Function(FunctionTool {
        name: "weather".to_owned(),
        description: Some("Tells the weather of a city.".to_owned()),
        parameters: Some(serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}}).into()),
        strict: None,
    });
    let schema = TextFormat::JsonSchema {
        name: "answer".to_owned(),
        description: None,
        schema: serde_json::json!({"type": "object"}).into(),
        strict: Some(true),
    };
    let encoding = Encoding::O200kBase;
    let json_tokens = |json: String| u32::try_from(count_blocking(encoding, &json).unwrap()).unwrap();
    let of_tool = json_tokens(serde_json::to_string(&tool).unwrap());
    let of_schema = json_tokens(serde_json::to_string(&schema).unwrap());
    let tools = [&tool, &tool];
    for (tools, format, tokens) in [
        (&[] as &[&Tool], &TextFormat::Text, 0),
        (&[], &TextFormat::JsonObject, 0),
        (&tools[..1], &TextFormat::Text, of_tool),
        (&tools, &schema, 2 * of_tool + of_schema),
    ] {
        assert_eq!(Tiktoken.definition_tokens(encoding, tools, format).await, Ok(tokens));
    }
}

#[test]
fn a_thought_that_only_its_provider_can_read_costs_nothing() {
    let thought = |encrypted_content| {
        Item::Reasoning(Reasoning {
            id: ItemId::of_input("rs_", ResponseId::new(), 0),
            summary: Vec::new(),
            content: vec![ReasoningText { text: "I think so".to_owned() }],
            encrypted_content,
            status: ItemStatus::Completed,
            extra: JsonObject::new(),
        })
    };
    let tokens = |encrypted| {
        let prompt = Prompt { instructions: None, items: vec![thought(encrypted)] };
        prompt_tokens_blocking(Encoding::O200kBase, &prompt).unwrap()
    };
    assert_eq!(tokens(Some("c2VhbGVk".repeat(100))), tokens(None));
    assert!(u64::from(tokens(None)) > PER_MESSAGE + PER_REPLY);
}

#[tokio::test]
async fn long_and_many_texts_count_the_same_here_and_elsewhere() {
    let long = "The quick brown fox. ".repeat(8_000);
    let here = count_blocking(Encoding::O200kBase, &long).unwrap();
    assert_eq!(Tiktoken.count(Encoding::O200kBase, &[&long]).await, Ok(here));
    let many: Vec<&str> = vec!["a few words"; 20_000];
    let prompt = prompt(&many);
    let elsewhere = Tiktoken.prompt_tokens(Encoding::O200kBase, &prompt).await;
    assert_eq!(elsewhere, prompt_tokens_blocking(Encoding::O200kBase, &prompt));
}

#[tokio::test]
async fn a_long_output_is_estimated_from_pieces_of_all_of_it_in_the_time_of_one_slice() {
    let counter = WordCounter::default();
    // A quarter of it has twice as many words as the rest.
    let text = ["abc ".repeat(150_000), "a ".repeat(100_000)].concat();
    let words = 250_000;
    let estimate = counter.estimate(Encoding::O200kBase, &text).await.unwrap();
    assert!(estimate.abs_diff(words) < words / 20, "{estimate} instead of {words}");
    let counted: usize = samples(&text).iter().map(|sample| sample.len()).sum();
    assert!(counted <= SLICE_BYTES, "{counted} bytes are counted");
    let short = "a b c d";
    assert_eq!(counter.estimate(Encoding::O200kBase, short).await, Ok(4));
    assert_eq!(counter.estimate(Encoding::O200kBase, "").await, Ok(0));
    // Whatever characters the pieces begin and end in.
    let wide = "\u{1f980}".repeat(SLICE_BYTES);
    assert_eq!(samples(&wide).len(), 8);
}

#[tokio::test]
async fn long_texts_are_counted_in_turns_and_short_ones_wait_for_none_of_them() {
    let others = LONG_TURNS.acquire_many(u32::try_from(most_long_turns()).unwrap()).await.unwrap();
    let long = "a few words ".repeat(SLICE_BYTES / 6);
    let texts = [long.as_str()];
    let mut counted = Tiktoken.count(Encoding::O200kBase, &texts);
    tokio::select! {
        biased;
        _ = &mut counted => unreachable!("others have all turns"),
        short = Tiktoken.count(Encoding::O200kBase, &["hello world"]) => assert_eq!(short, Ok(2)),
    }
    drop(others);
    assert_eq!(counted.await, Ok(count_blocking(Encoding::O200kBase, &long).unwrap()));
}

#[tokio::test]
async fn the_vocabulary_is_looked_up_once_however_many_messages_and_turns_there_are() {
    static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
    let lookup = || {
        LOOKUPS.fetch_add(1, Ordering::Relaxed);
        vocabulary(Encoding::O200kBase)
    };
    let long = "a few words ".repeat(2 * SLICE_BYTES / 12);
    let texts = [vec!["a few words"; 5_000], vec![long.as_str(); 3]].concat();
    assert!(count(lookup, &texts).await.unwrap() > 15_000);
    assert_eq!(LOOKUPS.load(Ordering::Relaxed), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_has_a_count(text in any::<String>()) {
        prop_assert!(count_blocking(Encoding::O200kBase, &text).unwrap() <= text.len() as u64);
    }
}

/// Counts the words of texts, and how often it was asked for more than one item.
#[derive(Debug, Default)]
struct WordCounter(AtomicUsize);

#[async_trait]
impl TokenCounter for WordCounter {
    async fn count(&self, _: Encoding, texts: &[&str]) -> Result<u64, TokenError> {
        self.0.fetch_add(usize::from(texts.len() > 2), Ordering::Relaxed);
        Ok(texts.iter().map(|text| text.split_whitespace().count() as u64).sum())
    }
}

#[tokio::test]
async fn a_long_history_of_calls_that_nobody_answered_is_shortened_to_the_last_item_that_has_room() {
    let (id, call_count) = (ResponseId::new(), 4_000);
    let call = |number: u32| {
        Item::FunctionCall(FunctionCall {
            id: ItemId::of_input("fc_", id, number),
            call_id: format!("call_{number}"),
            name: "look".to_owned(),
            arguments: "{}".to_owned(),
            status: ItemStatus::Completed,
            extra: JsonObject::new(),
        })
    };
    let history: Vec<Item> = (0..call_count).map(call).collect();
    let input = prompt(&["hello"]).items;
    let mut request = Request::new("m", 100);
    request.truncation = Truncation::Auto;
    let parts = PromptParts { response: id, request: &request, history: &history, input: &input };
    let model = Model { context_window: 10_100, ..Model::new("m", Target::new("p", "m")) };
    let counter = WordCounter::default();
    let fitted = PromptBudget::of(&counter, &model, &request).await.unwrap().fit(&parts).await.unwrap();
    // Two words and a frame for a call, five words and a frame for what stands in place of its output.
    let (alone, each) = (1 + PER_MESSAGE + PER_REPLY, 2 + 5 + 2 * PER_MESSAGE);
    let kept = usize::try_from((10_000 - alone) / each).unwrap();
    assert_eq!(fitted.prompt.items.len(), 2 * kept + 1);
    let counted = counter.0.load(Ordering::Relaxed);
    assert!(counted <= 16, "the prompt was counted {counted} times");
}
