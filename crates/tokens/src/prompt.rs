//! What of a prompt is counted.

use super::count::{TokenError, checked, count_blocking};
use antiphon_domain::{Encoding, Prompt};
use antiphon_protocol::{ContentPart, Item, Message, TextFormat, Tool};

/// Tokens that frame each message besides its text: OpenAI's cookbook, "How to count tokens with tiktoken",
/// `tokens_per_message` of all chat models since gpt-4-0613.
pub(super) const PER_MESSAGE: u64 = 3;

/// Tokens that prime the model's reply, from the same source.
pub(super) const PER_REPLY: u64 = 3;

/// What stands beside the prompt, as JSON: the tools' definitions and the schema of the answer.
pub(super) fn definitions(tools: &[&Tool], format: &TextFormat) -> serde_json::Result<Vec<String>> {
    let schema = match format {
        TextFormat::Text | TextFormat::JsonObject => None,
        TextFormat::JsonSchema { .. } => Some(serde_json::to_string(format)),
    };
    tools.iter().map(serde_json::to_string).chain(schema).collect()
}

/// Counts the tokens of a prompt on this thread.
///
/// # Errors
/// [`TokenError`].
pub fn prompt_tokens_blocking(encoding: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
    let texts = texts(prompt);
    let tokens: u64 = texts.iter().map(|text| count_blocking(encoding, text)).sum::<Result<_, _>>()?;
    checked(tokens + framing(prompt))
}

/// The tokens that frame the messages of a prompt.
pub(super) fn framing(prompt: &Prompt) -> u64 {
    let messages = prompt.items.len() + usize::from(prompt.instructions.is_some());
    messages as u64 * PER_MESSAGE + PER_REPLY
}

/// The texts of a prompt that reach the model.
pub(super) fn texts(prompt: &Prompt) -> Vec<&str> {
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
        ContentPart::InputText { text, .. } | ContentPart::ReasoningText { text } => text.as_str(),
        ContentPart::OutputText(output) => &output.text,
        ContentPart::Refusal { refusal } => refusal,
    })
}
