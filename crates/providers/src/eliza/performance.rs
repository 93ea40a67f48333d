//! An answer as it will be streamed: its words, what they cost, and why they end.

use super::conversation::reply;
use antiphon_domain::{Encoding, FinishReason, Prompt};
use antiphon_protocol::{ContentPart, InputTokensDetails, Item, OutputTokensDetails, Role, Usage};
use antiphon_tokens::{TokenError, count_blocking, prompt_tokens_blocking};

/// The vocabulary in which ELIZA counts.
const ENCODING: Encoding = Encoding::O200kBase;

/// The answer, word by word, each with the blank after it.
pub(super) struct Performance {
    pub(super) words: Vec<String>,
    pub(super) usage: Usage,
    pub(super) reason: FinishReason,
}

/// Makes an answer of at most that many tokens. It counts tokens, so it must run on a thread that may block.
pub(super) fn perform(prompt: &Prompt, max_output_tokens: Option<u32>) -> Result<Performance, TokenError> {
    let answer = reply(&said_by_user(prompt).iter().map(String::as_str).collect::<Vec<_>>());
    let mut words: Vec<String> = answer.split_inclusive(' ').map(str::to_owned).collect();
    let all = words.len();
    let mut output_tokens = count_blocking(ENCODING, &answer)?;
    let most = max_output_tokens.map_or(u64::MAX, u64::from);
    while output_tokens > most && words.pop().is_some() {
        output_tokens = count_blocking(ENCODING, &words.concat())?;
    }
    let input_tokens = u64::from(prompt_tokens_blocking(ENCODING, prompt)?);
    let reason = if words.len() < all { FinishReason::Length } else { FinishReason::Stop };
    Ok(Performance { words, usage: usage(input_tokens, output_tokens), reason })
}

fn usage(input_tokens: u64, output_tokens: u64) -> Usage {
    Usage {
        input_tokens,
        input_tokens_details: InputTokensDetails::default(),
        output_tokens,
        output_tokens_details: OutputTokensDetails::default(),
        total_tokens: input_tokens + output_tokens,
    }
}

fn said_by_user(prompt: &Prompt) -> Vec<String> {
    let text = |part: &ContentPart| match part {
        ContentPart::InputText { text, .. } => Some(text.clone()),
        ContentPart::OutputText(_) | ContentPart::Refusal { .. } | ContentPart::ReasoningText { .. } => None,
    };
    let message = |item: &Item| match item {
        Item::Message(message) if message.role == Role::User => {
            Some(message.content.iter().filter_map(text).collect::<Vec<_>>().join("\n"))
        }
        Item::Message(_)
        | Item::Reasoning(_)
        | Item::FunctionCall(_)
        | Item::FunctionCallOutput(_)
        | Item::Other(_) => None,
    };
    prompt.items.iter().filter_map(message).collect()
}
