//! Parameters that this server knows and can't honour: refused unless null or at their default.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Violation;
use antiphon_protocol::CreateResponse;

pub(super) fn check_unsupported(create: &CreateResponse) -> Result<(), Violation> {
    // A background response that is not stored could never be read.
    refuse_if("background", create.background == Some(true) && create.store == Some(false))?;
    refuse_if("conversation", create.conversation.is_some())?;
    refuse_if("prompt", create.prompt.is_some())?;
    refuse_if("context_management", create.context_management.is_some())?;
    refuse_if("moderation", create.moderation.is_some())?;
    refuse_if("prompt_cache_retention", !is_one_of(create.prompt_cache_retention.as_ref(), &["in_memory"]))?;
    refuse_if("service_tier", create.service_tier.as_deref().is_some_and(|tier| !["auto", "default"].contains(&tier)))?;
    check_prompt_cache_options(create.prompt_cache_options.as_ref())
}

fn check_prompt_cache_options(options: Option<&BTreeMap<String, Value>>) -> Result<(), Violation> {
    let Some(options) = options else { return Ok(()) };
    refuse_if("prompt_cache_options.mode", !is_one_of(options.get("mode"), &["implicit"]))?;
    refuse_if("prompt_cache_options.ttl", options.get("ttl").is_some_and(|ttl| !ttl.is_null()))
}

fn refuse_if(param: &str, refused: bool) -> Result<(), Violation> {
    if refused { Err(Violation::unsupported(param)) } else { Ok(()) }
}

/// Whether a value is absent, null or one of these words.
fn is_one_of(value: Option<&Value>, words: &[&str]) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(word)) => words.contains(&word.as_str()),
        Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => false,
    }
}
