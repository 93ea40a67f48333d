//! The parameters of the output: `text`, `reasoning`, `top_logprobs` and `include`.

use super::{Violation, keys::Keys, metadata::json_length};
use crate::{LimitOptions, Request};
use antiphon_protocol::{CreateResponse, ReasoningConfig, TextConfig, TextFormat, Verbosity};

const SUMMARIES: [&str; 3] = ["auto", "concise", "detailed"];

/// What can be asked for beside the text.
const INCLUDES: [&str; 2] = [Request::INCLUDE_LOGPROBS, Request::INCLUDE_ENCRYPTED_REASONING];

/// What can be asked for without effect: it concerns kinds of items that no response of this server has.
const VACUOUS_INCLUDES: [&str; 6] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
];

/// The most alternatives of a token that the API lets a client ask for.
const MAX_TOP_LOGPROBS: i64 = 20;

pub(super) fn text_of(create: &CreateResponse, limits: &LimitOptions) -> Result<TextConfig, Violation> {
    let Some(text) = create.text.as_ref() else { return Ok(TextConfig::default()) };
    if json_length(text) > limits.input_bytes {
        return Err(Violation::too_large("text", limits.input_bytes));
    }
    let keys = Keys::new(text.clone(), "text");
    let format = match keys.get("format") {
        None => TextFormat::Text,
        Some(format) => format_of(&Keys::of(format, "text.format")?)?,
    };
    let verbosity = match keys.word("verbosity", &["low", "medium", "high"])? {
        None => None,
        Some("low") => Some(Verbosity::Low),
        Some("high") => Some(Verbosity::High),
        Some(_) => Some(Verbosity::Medium),
    };
    Ok(TextConfig { format, verbosity })
}

fn format_of(keys: &Keys) -> Result<TextFormat, Violation> {
    match keys.word("type", &["text", "json_object", "json_schema"])? {
        None => Err(Violation::missing(keys.at("type"))),
        Some("json_object") => Ok(TextFormat::JsonObject),
        Some("json_schema") => Ok(TextFormat::JsonSchema {
            name: keys.name("name")?,
            description: keys.text("description")?,
            schema: keys.object("schema")?.ok_or_else(|| Violation::missing(keys.at("schema")))?,
            strict: keys.flag("strict")?,
        }),
        Some(_) => Ok(TextFormat::Text),
    }
}

/// None where nothing is asked for.
pub(super) fn reasoning_of(create: &CreateResponse) -> Result<Option<ReasoningConfig>, Violation> {
    let Some(reasoning) = create.reasoning.as_ref() else { return Ok(None) };
    let keys = Keys::new(reasoning.clone(), "reasoning");
    // Which of these words a model knows is its provider's business.
    let hint = |key: &str| keys.text(key)?.map(|word| short_word(&keys, key, word)).transpose();
    let (effort, context, mode) = (hint("effort")?, hint("context")?, hint("mode")?);
    let summary = keys.word("summary", &SUMMARIES)?;
    let old_name = keys.word("generate_summary", &SUMMARIES)?;
    if let (Some(summary), Some(old_name)) = (summary, old_name)
        && summary != old_name
    {
        return Err(Violation::invalid(keys.at("generate_summary"), "'summary' says something else"));
    }
    let summary = summary.or(old_name).map(ToOwned::to_owned);
    let config = ReasoningConfig { effort, summary, context, mode };
    Ok((config != ReasoningConfig::default()).then_some(config))
}

/// A word as APIs have them: `low`, `all_turns`.
fn short_word(keys: &Keys, key: &str, word: String) -> Result<String, Violation> {
    const MOST_CHARS: usize = 64;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if word.is_empty() || word.len() > MOST_CHARS || !word.chars().all(is_allowed) {
        let why = format!("expected a word of up to {MOST_CHARS} letters, digits, underscores or dashes");
        return Err(Violation::invalid(keys.at(key), why));
    }
    Ok(word)
}

pub(super) fn top_logprobs_of(create: &CreateResponse) -> Result<u8, Violation> {
    let asked = create.top_logprobs.unwrap_or(0);
    let refusal = || Violation::invalid("top_logprobs", format_args!("expected a number from 0 to {MAX_TOP_LOGPROBS}"));
    u8::try_from(asked).ok().filter(|_| asked <= MAX_TOP_LOGPROBS).ok_or_else(refusal)
}

/// The values of `include`, each once. A request with `top_logprobs` always includes the probabilities.
pub(super) fn include_of(create: &CreateResponse, top_logprobs: u8) -> Result<Vec<String>, Violation> {
    let given = create.include.as_deref().unwrap_or_default();
    check_include(given)?;
    let wanted = |what: &&str| {
        given.iter().any(|given| given == what) || (*what == Request::INCLUDE_LOGPROBS && top_logprobs > 0)
    };
    Ok(INCLUDES.iter().filter(|what| wanted(what)).map(|what| (*what).to_owned()).collect())
}

pub(super) fn check_include(include: &[String]) -> Result<(), Violation> {
    let is_known = |value: &String| INCLUDES.contains(&value.as_str()) || VACUOUS_INCLUDES.contains(&value.as_str());
    match include.iter().all(is_known) {
        true => Ok(()),
        false => Err(Violation::invalid("include", "there is no such value")),
    }
}
