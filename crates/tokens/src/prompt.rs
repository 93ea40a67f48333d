//! Counting a prompt.

use super::count::{TokenError, checked, count, count_blocking};
use antiphon_domain::{Encoding, Prompt};
use antiphon_protocol::{ContentPart, Item, Message, TextFormat, Tool};

/// Tokens that frame each message besides its text: OpenAI's cookbook, "How to count tokens with tiktoken",
/// `tokens_per_message` of all chat models since gpt-4-0613.
pub(super) const PER_MESSAGE: u64 = 3;

/// Tokens that prime the model's reply, from the same source.
pub(super) const PER_REPLY: u64 = 3;

/// Counts the tokens of a prompt, off the caller's thread.
///
/// # Errors
/// [`TokenError`].
///
/// # Panics
/// Outside a tokio runtime.
pub async fn prompt_tokens(encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
    checked(count(encoding, texts(prompt)).await? + framing(prompt))
}

/// Counts what stands beside the prompt and reaches the model too: the tools' definitions and the schema of the
/// answer, as JSON. Their form in the model's prompt is known to its provider alone, so this is an estimate.
///
/// # Errors
/// [`TokenError`].
///
/// # Panics
/// Outside a tokio runtime.
pub async fn definition_tokens(encoding: Encoding, tools: &[Tool], format: &TextFormat) -> Result<u32, TokenError> {
    let schema = match format {
        TextFormat::Text | TextFormat::JsonObject => None,
        TextFormat::JsonSchema { .. } => Some(serde_json::to_string(format)),
    };
    let definitions: Result<Vec<String>, _> = tools.iter().map(serde_json::to_string).chain(schema).collect();
    let definitions = definitions.map_err(|_| TokenError::Failed)?;
    checked(count(encoding, definitions.iter().map(String::as_str).collect()).await?)
}

/// The same as [`prompt_tokens`], on this thread.
///
/// # Errors
/// If the vocabulary can't be loaded, or there are more tokens than can be kept.
pub fn prompt_tokens_blocking(encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
    let texts = texts(prompt);
    let tokens: u64 = texts.iter().map(|text| count_blocking(encoding, text)).sum::<Result<_, _>>()?;
    checked(tokens + framing(prompt))
}

fn framing(prompt: &Prompt) -> u64 {
    let messages = prompt.items.len() + usize::from(prompt.instructions.is_some());
    messages as u64 * PER_MESSAGE + PER_REPLY
}

fn texts(prompt: &Prompt) -> Vec<&str> {
    let mut texts: Vec<&str> = prompt.instructions.as_deref().into_iter().collect();
    for item in &prompt.items {
        match item {
            Item::Message(message) => texts.extend(parts(message)),
            Item::Reasoning(reasoning) => texts.extend(reasoning.content.iter().map(|part| part.text.as_str())),
            Item::FunctionCall(call) => texts.extend([call.name.as_str(), call.arguments.as_str()]),
            Item::FunctionCallOutput(output) => texts.push(&output.output),
            // How its provider puts such an item into the prompt is not known here.
            Item::Other(_) => {}
        }
    }
    texts
}

fn parts(message: &Message) -> impl Iterator<Item = &str> {
    message.content.iter().map(|part| match part {
        ContentPart::InputText { text } | ContentPart::ReasoningText { text } => text.as_str(),
        ContentPart::OutputText(output) => &output.text,
        ContentPart::Refusal { refusal } => refusal,
    })
}
