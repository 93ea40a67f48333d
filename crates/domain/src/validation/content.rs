//! The content of input items.

use super::Violation;
use crate::json_text;
use antiphon_protocol::{ContentParam, ContentPart, InputPart, Json, JsonObject, OutputText};

/// Part types of the API that this server can't put into a prompt.
const UNSUPPORTED_PARTS: [&str; 4] = ["input_image", "input_file", "input_audio", "computer_screenshot"];

/// The content of a message by a user, a developer or the system.
pub(super) fn client_parts(content: ContentParam, path: &str) -> Result<Vec<ContentPart>, Violation> {
    match content {
        ContentParam::Text(text) => Ok(vec![ContentPart::input_text(text)]),
        ContentParam::Parts(parts) => each(parts, path, |mut part, path| {
            let prompt_cache_breakpoint = breakpoint(part.prompt_cache_breakpoint.take());
            text_of(part, path, &["input_text"]).map(|text| ContentPart::InputText { text, prompt_cache_breakpoint })
        }),
        ContentParam::Object => Err(no_content(path)),
    }
}

/// The content of a model's message: clients write it as a text, as the parts that it came in, or as input parts.
pub(super) fn assistant_parts(content: ContentParam, path: &str) -> Result<Vec<ContentPart>, Violation> {
    match content {
        ContentParam::Text(text) => Ok(vec![written(text, Vec::new())]),
        ContentParam::Parts(parts) => each(parts, path, |part, path| match part.kind.as_deref() {
            Some("refusal") => {
                let refusal = part.refusal.ok_or_else(|| Violation::missing(format!("{path}.refusal")))?;
                Ok(ContentPart::Refusal { refusal })
            }
            Some(_) | None => said(part, path),
        }),
        ContentParam::Object => Err(no_content(path)),
    }
}

/// What a function answered. Text parts are put together, as the model would read them.
pub(super) fn output_text(output: Option<ContentParam>, path: &str) -> Result<String, Violation> {
    match output {
        Some(ContentParam::Text(text)) => Ok(text),
        Some(ContentParam::Parts(parts)) => {
            each(parts, path, |part, path| text_of(part, path, &["input_text", "output_text"]))
                .map(|texts| texts.concat())
        }
        Some(ContentParam::Object) => Err(no_content(path)),
        None => Err(Violation::missing(path)),
    }
}

pub(super) fn arguments_of(arguments: Option<ContentParam>, path: &str) -> Result<String, Violation> {
    match arguments {
        Some(ContentParam::Text(text)) => Ok(text),
        Some(ContentParam::Parts(_) | ContentParam::Object) => {
            Err(Violation::invalid(path, "expected JSON as a string"))
        }
        None => Err(Violation::missing(path)),
    }
}

/// The texts of a thought, or of its summary.
pub(super) fn thoughts(parts: Option<ContentParam>, path: &str, kind: &str) -> Result<Vec<String>, Violation> {
    match parts {
        None => Ok(Vec::new()),
        Some(ContentParam::Parts(parts)) => each(parts, path, |part, path| text_of(part, path, &[kind])),
        Some(ContentParam::Text(_) | ContentParam::Object) => {
            Err(Violation::invalid(path, "expected an array of parts"))
        }
    }
}

fn each<T>(
    parts: Vec<InputPart>,
    path: &str,
    read: impl Fn(InputPart, &str) -> Result<T, Violation>,
) -> Result<Vec<T>, Violation> {
    parts.into_iter().enumerate().map(|(position, part)| read(part, &format!("{path}[{position}]"))).collect()
}

fn text_of(part: InputPart, path: &str, kinds: &[&str]) -> Result<String, Violation> {
    match part.kind.as_deref() {
        Some(kind) if kinds.contains(&kind) => part.text.ok_or_else(|| Violation::missing(format!("{path}.text"))),
        Some(kind) if UNSUPPORTED_PARTS.contains(&kind) => Err(Violation::unsupported(format!("{path}.type"))),
        Some(_) => Err(Violation::invalid(format!("{path}.type"), format_args!("expected '{}'", kinds.join("' or '")))),
        None => Err(Violation::missing(format!("{path}.type"))),
    }
}

/// A hint, so what has not the form of one counts as none.
fn breakpoint(given: Option<Json>) -> Option<JsonObject> {
    let fields: JsonObject = serde_json::from_str(given?.as_str()).ok()?;
    json_text::too_deep(&fields).is_none().then_some(fields)
}

/// A text of the model's, with the notes on it as they came.
fn said(mut part: InputPart, path: &str) -> Result<ContentPart, Violation> {
    let annotations = part.annotations.take();
    let text = text_of(part, path, &["output_text", "input_text"])?;
    let annotations = annotations.map(|given| annotations_of(&given, &format!("{path}.annotations"))).transpose()?;
    Ok(written(text, annotations.unwrap_or_default()))
}

fn annotations_of(given: &Json, path: &str) -> Result<Vec<JsonObject>, Violation> {
    let read: Result<Vec<JsonObject>, _> = serde_json::from_str(given.as_str());
    let annotations = read.map_err(|_| Violation::invalid(path, "expected an array of objects"))?;
    match annotations.iter().any(|annotation| json_text::too_deep(annotation).is_some()) {
        true => Err(Violation::invalid(path, Json::TOO_DEEP)),
        false => Ok(annotations),
    }
}

fn written(text: String, annotations: Vec<JsonObject>) -> ContentPart {
    ContentPart::OutputText(OutputText { text, annotations, ..OutputText::default() })
}

fn no_content(path: &str) -> Violation {
    Violation::invalid(path, "expected a string or an array of parts")
}
