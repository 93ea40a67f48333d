//! What the words mean by which providers say why their answer ended.
//!
//! Servers that speak one protocol pass on the words of another one's models, so there is one table for all protocols.
//! A word that is not in it is an error: what a provider meant by it is not known, and the unknown is never a success.

#[cfg(test)]
mod tests;

use crate::{Error, Report};
use antiphon_domain::FinishReason;
use antiphon_protocol::Usage;

/// The meaning of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WordMeaning {
    /// The answer is complete.
    Stop,
    /// The answer is complete, with calls of tools.
    ToolCalls,
    /// A limit of tokens cut the answer.
    Length,
    /// A filter of content cut the answer, or the model refused to go on.
    ContentFilter,
    /// The provider gave up.
    Failed,
    /// The answer goes on: some servers say so with a word where others have null.
    Unfinished,
}

use WordMeaning::{ContentFilter, Failed, Length, Stop, ToolCalls, Unfinished};

/// Every word that is known, in lower case with underscores, each with its meaning. A word stands with the first that
/// used it.
const WORDS: &[(&str, WordMeaning)] = &[
    // Chat Completions of OpenAI: platform.openai.com/docs/api-reference/chat.
    ("stop", Stop),
    ("length", Length),
    ("tool_calls", ToolCalls),
    ("function_call", ToolCalls),
    ("content_filter", ContentFilter),
    // Responses of OpenAI, as `incomplete_details.reason` and as a status that gateways pass on.
    ("max_output_tokens", Length),
    ("completed", Stop),
    ("incomplete", Failed),
    ("failed", Failed),
    ("cancelled", Failed),
    ("canceled", Failed),
    // Messages of Anthropic: docs.claude.com, "Handling stop reasons". A paused turn is to be continued by tools of the
    // provider's own, which are never asked for.
    ("end_turn", Stop),
    ("stop_sequence", Stop),
    ("max_tokens", Length),
    ("model_context_window_exceeded", Length),
    ("tool_use", ToolCalls),
    ("refusal", ContentFilter),
    ("pause_turn", Failed),
    ("compaction", Failed),
    // Gemini and Vertex AI: ai.google.dev/api/generate-content, `FinishReason`.
    ("safety", ContentFilter),
    ("recitation", ContentFilter),
    ("language", ContentFilter),
    ("blocklist", ContentFilter),
    ("prohibited_content", ContentFilter),
    ("spii", ContentFilter),
    ("model_armor", ContentFilter),
    ("image_safety", ContentFilter),
    ("image_prohibited_content", ContentFilter),
    ("image_recitation", ContentFilter),
    ("image_other", Failed),
    ("no_image", Failed),
    ("malformed_function_call", Failed),
    ("function_call_filter", Failed),
    ("unexpected_tool_call", Failed),
    ("too_many_tool_calls", Failed),
    ("missing_thought_signature", Failed),
    ("malformed_response", Failed),
    ("other", Failed),
    ("finish_reason_unspecified", Failed),
    // Converse of Bedrock: docs.aws.amazon.com, API reference, `stopReason`.
    ("guardrail_intervened", ContentFilter),
    ("content_filtered", ContentFilter),
    ("malformed_model_output", Failed),
    ("malformed_tool_use", Failed),
    // Cohere: docs.cohere.com, `finish_reason` of both versions of Chat.
    ("complete", Stop),
    ("tool_call", ToolCalls),
    ("error_toxic", ContentFilter),
    ("error_limit", Length),
    ("error", Failed),
    ("timeout", Failed),
    ("user_cancel", Failed),
    // Mistral: docs.mistral.ai/api, `finish_reason`.
    ("model_length", Length),
    // DeepSeek: api-docs.deepseek.com.
    ("insufficient_system_resource", Failed),
    // Zhipu: docs.z.ai, `finish_reason`.
    ("sensitive", ContentFilter),
    ("network_error", Failed),
    // Baidu Qianfan.
    ("normal", Stop),
    // DashScope of Alibaba, whose chunks say "null" in quotes, and watsonx.ai of IBM.
    ("null", Unfinished),
    ("none", Unfinished),
    ("not_finished", Unfinished),
    ("token_limit", Length),
    ("time_limit", Failed),
    // xAI: docs.x.ai, `FinishReason` of its gRPC API.
    ("reason_stop", Stop),
    ("reason_max_len", Length),
    ("reason_max_context", Length),
    ("reason_tool_calls", ToolCalls),
    ("reason_time_limit", Failed),
    ("max_length", Length),
    ("max_context", Length),
    // vLLM (`FinishReason` in vllm/v1/engine), SGLang and LMDeploy. A repetition is a model that went round in circles.
    ("abort", Failed),
    ("aborted", Failed),
    ("repetition", Failed),
    // Text Generation Inference of Hugging Face, Together AI.
    ("eos", Stop),
    ("eos_token", Stop),
    // TensorRT-LLM: `FinishReason` of its executor.
    ("end_id", Stop),
    ("stop_words", Stop),
    ("timed_out", Failed),
    // llama.cpp's own API, as `stop_type`.
    ("word", Stop),
    ("limit", Length),
    // Titan of Amazon, as `completionReason`.
    ("finish", Stop),
    ("finished", Stop),
    ("stop_criteria_met", Stop),
    // GigaChat of Sber.
    ("blacklist", ContentFilter),
    // MiniMax, Reka and Aleph Alpha.
    ("max_output", Length),
    ("context", Length),
    ("end_of_text", Stop),
    // Gateways that translate.
    ("end_of_turn", Stop),
    ("stop_token", Stop),
    ("function_calls", ToolCalls),
    ("tool_uses", ToolCalls),
    ("maximum_tokens", Length),
    ("context_length", Length),
    ("context_length_exceeded", Length),
    ("content_filtering", ContentFilter),
];

/// Reads the word by which a provider says why its answer ended. Letter case and what stands between the parts of a
/// word do not matter. None where the word says that the answer goes on.
///
/// # Errors
/// [`Error::Reported`] for a word by which providers say that they gave up, [`Error::Protocol`] for one that is not
/// known.
pub(crate) fn finish_reason(word: &str) -> Option<Result<FinishReason, Error>> {
    Some(match meaning(word) {
        Some(Stop) => Ok(FinishReason::Stop),
        Some(ToolCalls) => Ok(FinishReason::ToolCalls),
        Some(Length) => Ok(FinishReason::Length),
        Some(ContentFilter) => Ok(FinishReason::ContentFilter),
        Some(Failed) => Err(Error::Reported(Report::Other)),
        Some(Unfinished) => return None,
        None if word.trim().is_empty() => return None,
        None => Err(Error::Protocol { what: "a reason to finish that is not known" }),
    })
}

/// The most tokens of an output that nobody sees: models count the tokens that end their output, and say nothing more
/// after the output of a tool (docs.claude.com, "Empty responses with end_turn").
const MOST_END_TOKENS: u64 = 3;

/// Whether an answer without any output can have ended for that reason. `is_known_form` says whether output of it would
/// have been recognized.
///
/// # Errors
/// If it is said to be complete, and either output was counted that did not come, or its form is not known.
pub(crate) fn check_empty(reason: &FinishReason, usage: Option<Usage>, is_known_form: bool) -> Result<(), Error> {
    if matches!(reason, FinishReason::Length | FinishReason::ContentFilter) {
        return Ok(());
    }
    if usage.is_some_and(|usage| usage.visible_tokens() > MOST_END_TOKENS) {
        return Err(Error::Empty { what: "output was counted" });
    }
    if !is_known_form {
        return Err(Error::Empty { what: "its form is not known" });
    }
    Ok(())
}

fn meaning(word: &str) -> Option<WordMeaning> {
    let known =
        |word: &str| WORDS.iter().find(|(known, _)| folded(known).eq(folded(word))).map(|(_, meaning)| *meaning);
    // Gemini's OpenAI endpoint writes the word of the protocol, then its own: `content_filter: RECITATION`.
    // What is not known as a whole is no success.
    let of_parts = || word.split_once(": ").and_then(|(wide, narrow)| known(narrow).or_else(|| known(wide)));
    let of_parts = || of_parts().filter(|meaning| matches!(meaning, Length | ContentFilter | Failed));
    known(word).or_else(of_parts)
}

/// A word in lower case, without what stands between its parts.
fn folded(word: &str) -> impl Iterator<Item = char> {
    word.chars().filter(|char| !matches!(char, '_' | '-' | ' ')).flat_map(char::to_lowercase)
}
