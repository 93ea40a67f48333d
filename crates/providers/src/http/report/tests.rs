#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use super::*;
use crate::Error;
use antiphon_domain::{Cause, Failure, FailureClass};
use serde_json::json;

fn answered(status: u16, body: &Value) -> Error {
    Error::Status { status, retry_after: None, report: refused(status, body.to_string().as_bytes()) }
}

/// Status, message, parameter and code of what the client is told.
type Words<'a> = (u16, Option<&'a str>, Option<&'a str>, Option<&'a str>);

fn words(failure: &Failure) -> Option<Words<'_>> {
    let told = failure.rejection.as_deref()?;
    Some((told.status, told.message.as_deref(), told.param.as_deref(), told.code.as_deref()))
}

#[test]
fn every_word_has_its_one_cause_wherever_it_stands() {
    for (word, kind) in WORDS {
        let cause = match kind {
            RateLimited => Cause::ProviderRateLimited,
            Overloaded => Cause::ProviderUnavailable,
            Unauthorized => Cause::ProviderUnauthorized,
            ContextTooLong => Cause::ContextLengthExceeded,
            Rejected(_) => Cause::ProviderRejected,
        };
        for key in ["code", "type", "status"] {
            let error = json!({ key: word, "message": "m" });
            assert_eq!(Error::Reported(report_of(&error)).cause(), cause, "{key} {word} in a stream");
            assert_eq!(answered(400, &json!({ "error": error })).cause(), cause, "{key} {word} with a status");
        }
        assert_eq!(WORDS.iter().filter(|(other, _)| *other == word).count(), 1, "{word}");
    }
}

#[test]
fn every_status_has_its_one_cause_and_says_whether_the_request_is_at_fault() {
    use Cause::*;
    for (status, cause, class, told) in [
        (400, ProviderRejected, FailureClass::Rejected, Some(400)),
        (401, ProviderUnauthorized, FailureClass::Refused, None),
        (402, ProviderRejected, FailureClass::Refused, None),
        (403, ProviderUnauthorized, FailureClass::Refused, None),
        (404, ProviderRejected, FailureClass::Refused, Some(404)),
        (405, ProviderRejected, FailureClass::Rejected, None),
        (408, ProviderRejected, FailureClass::NotAccepted, None),
        (409, ProviderRejected, FailureClass::Rejected, None),
        (413, ProviderRejected, FailureClass::Rejected, Some(413)),
        (422, ProviderRejected, FailureClass::Rejected, Some(422)),
        (429, ProviderRateLimited, FailureClass::NotAccepted, None),
        (500, ProviderUnavailable, FailureClass::NotAccepted, None),
        (503, ProviderUnavailable, FailureClass::NotAccepted, None),
        (529, ProviderUnavailable, FailureClass::NotAccepted, None),
    ] {
        for body in [
            json!({ "error": { "message": "m" } }),
            json!(null),
            json!({ "error": { "type": "invalid_request_error" } }),
        ] {
            let error = answered(status, &body);
            assert_eq!(error.cause(), cause, "{status}");
            let failure = error.failure();
            assert_eq!((failure.class, words(&failure).map(|told| told.0)), (class, told), "{status}");
        }
    }
}

/// Each is a request that is at fault, and is told so.
fn all_told<const COUNT: usize>(cases: [(u16, Value, Words<'_>); COUNT]) {
    for (status, body, expected) in cases {
        let error = answered(status, &body);
        assert_eq!(error.cause(), Cause::ProviderRejected, "{body}");
        assert_eq!(words(&error.failure()), Some(expected), "{body}");
    }
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_provider() {
    let openai = json!({ "error": { "message": "Invalid schema.", "type": "invalid_request_error",
        "param": "text.format.schema", "code": "invalid_json_schema" } });
    all_told([
        (400, openai, (400, Some("Invalid schema."), Some("text.format.schema"), Some("invalid_json_schema"))),
        // vLLM and SGLang, older and newer; a status is no code.
        (
            400,
            json!({ "object": "error", "message": "bad", "type": "BadRequestError", "param": "tools", "code": 400 }),
            (400, Some("bad"), Some("tools"), None),
        ),
        (
            404,
            json!({ "error": { "message": "no such model", "code": "404" } }),
            (404, Some("no such model"), None, None),
        ),
        // Anthropic.
        (
            400,
            json!({ "type": "error", "error": { "type": "invalid_request_error", "message": "max_tokens: too large" } }),
            (400, Some("max_tokens: too large"), None, None),
        ),
        (
            413,
            json!({ "type": "error", "error": { "type": "request_too_large", "message": "too large" } }),
            (413, Some("too large"), None, None),
        ),
        // Gemini answers with a list.
        (
            400,
            json!([{ "error": { "code": 400, "message": "bad schema", "status": "INVALID_ARGUMENT" } }]),
            (400, Some("bad schema"), None, None),
        ),
    ]);
}

#[test]
fn a_refusal_is_told_in_whatever_shape_it_comes() {
    let raw = json!({ "error": { "message": "too many stops" } }).to_string();
    all_told([
        // OpenRouter passes on what the provider behind it said.
        (
            400,
            json!({ "error": { "code": 400, "message": "Provider returned error", "metadata": { "raw": raw } } }),
            (400, Some("too many stops"), None, None),
        ),
        (
            400,
            json!({ "error": { "code": 400, "message": "Provider returned error", "metadata": { "raw": "no JSON" } } }),
            (400, Some("no JSON"), None, None),
        ),
        // Ollama, FastAPI, Mistral, Bedrock.
        (404, json!({ "error": "model 'x' not found" }), (404, Some("model 'x' not found"), None, None)),
        (
            422,
            json!({ "detail": [{ "loc": ["body", "messages", 0], "msg": "Field required" }] }),
            (422, Some("Field required"), Some("messages.0"), None),
        ),
        (
            422,
            json!({ "object": "error", "message": { "detail": [{ "msg": "Input should be valid" }] }, "type": "invalid_request_error" }),
            (422, Some("Input should be valid"), None, None),
        ),
        (400, json!({ "message": "malformed input" }), (400, Some("malformed input"), None, None)),
        // Groq's word for too many requests, where one request is larger than a minute's tokens.
        (
            413,
            json!({ "error": { "message": "Request too large", "code": "rate_limit_exceeded" } }),
            (413, Some("Request too large"), None, Some("rate_limit_exceeded")),
        ),
    ]);
}

#[test]
fn what_is_about_this_server_is_told_to_no_client() {
    for (status, body, cause) in [
        (
            400,
            json!([{ "error": { "code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT" } }]),
            Cause::ProviderUnauthorized,
        ),
        (
            400,
            json!({ "code": "Client specified an invalid argument", "error": "Incorrect API key provided: xa***ey." }),
            Cause::ProviderUnauthorized,
        ),
        (
            400,
            json!({ "error": { "type": "invalid_request_error", "message": "Your credit balance is too low to access the API." } }),
            Cause::ProviderRateLimited,
        ),
        (
            402,
            json!({ "error": { "message": "Insufficient Balance", "type": "unknown_error", "code": "invalid_request_error" } }),
            Cause::ProviderRejected,
        ),
        (
            429,
            json!({ "error": { "message": "You exceeded your quota.", "code": "insufficient_quota" } }),
            Cause::ProviderRateLimited,
        ),
    ] {
        let error = answered(status, &body);
        assert_eq!(error.cause(), cause, "{body}");
        let failure = error.failure();
        assert_eq!(words(&failure), None, "{body}");
        let expected = if status == 429 { FailureClass::NotAccepted } else { FailureClass::Refused };
        assert_eq!(failure.class, expected, "another target may do: {body}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_known_by_every_providers_words() {
    for text in [
        "This model's maximum context length is 8192 tokens. However, your request has 9000 input tokens.",
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        "You passed 9000 input tokens. However, the model's context length is only 8192 tokens.",
        "The prompt (total length 9000) is too long to fit into the model (context length 8192).",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "Requested token count exceeds the model's maximum context length of 8192 tokens.",
        "prompt is too long: 213462 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).",
        "Input is too long for requested model.",
        "Input Tokens Exceeded: Number of input tokens exceeds maximum length.",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "Please reduce the length of the messages or completion.",
        "prompt too long; exceeded max context length by 10 tokens",
        "the input length exceeds the context length",
        "the request exceeds the available context size, try increasing it",
        "Prompt contains 40123 tokens, too large for model with 32768 maximum context length",
        "invalid params, context window exceeds limit (2013)",
        "Invalid request: Your request exceeded model token limit: 131072 (requested: 140000)",
        "Range of input length should be [1, 129024]",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 and 20",
        "prompt token count of 9000 exceeds the limit of 8192",
    ] {
        let error = json!({ "message": text, "type": "BadRequestError", "param": "input_tokens", "code": 400 });
        for said in [
            answered(400, &json!({ "error": error })),
            answered(500, &json!({ "error": text })),
            Error::Reported(report_of(&error)),
        ] {
            assert_eq!(said.cause(), Cause::ContextLengthExceeded, "{text}");
            assert_eq!(words(&said.failure()).and_then(|told| told.1), Some(text));
        }
    }
    for (status, error) in [
        (429, json!({ "message": "Rate limit: please reduce the length of the messages." })),
        (400, json!({ "message": "max_tokens is too large: this model supports at most 4096." })),
    ] {
        assert_ne!(answered(status, &json!({ "error": error })).cause(), Cause::ContextLengthExceeded, "{error}");
    }
}

#[test]
fn a_document_is_one_of_an_error_by_what_stands_at_its_top() {
    for (body, is_error) in [
        (json!({ "error": { "message": "m" } }), true),
        (json!({ "error": "m" }), true),
        (json!([{ "error": { "message": "m" } }]), true),
        (json!({ "object": "error", "message": "m" }), true),
        (json!({ "error": null, "choices": [] }), false),
        (json!({ "error": "", "choices": [] }), false),
        (json!({ "error": false, "choices": [] }), false),
        (json!({ "error": {}, "choices": [] }), false),
        (json!({ "choices": [] }), false),
        (json!([]), false),
        (json!("error"), false),
    ] {
        assert_eq!(error_document(&body.to_string()).is_some(), is_error, "{body}");
    }
    assert_eq!(error_document("<html>error</html>"), None);
    let odd = r#"{"choices":[1e999],"error":{"code":"slow_down","x":1e999}}"#;
    assert_eq!(error_document(odd), Some(Report::Overloaded));
    let many = format!(r#"{{"choices":[{}0],"error":"it broke"}}"#, "0,".repeat(300_000));
    assert_eq!(error_document(&many), Some(Report::Other));
}

#[test]
fn a_log_names_the_words_that_everybody_may_read() {
    let named = |param: &str, code: &str| {
        let error = json!({ "message": "canary", "param": param, "code": code });
        answered(400, &json!({ "error": error })).words_for_logs()
    };
    assert_eq!(named("tools", "invalid_value"), (Some("invalid_value"), Some("tools")));
    assert_eq!(named("canary", "canary"), (None, None));
    let error = answered(400, &json!({ "error": { "message": "canary", "param": "canary", "code": "canary" } }));
    assert!(!format!("{error} {error:?} {:?}", error.clone().failure()).contains("canary"));
}

#[test]
fn a_text_without_end_costs_no_more_than_its_beginning() {
    let long = "\u{1f980}".repeat(100_000);
    let error = answered(400, &json!({ "error": { "message": long, "param": long, "code": long } }));
    let Some(rejection) = error.report().and_then(Report::rejection) else { unreachable!("{error:?}") };
    let lengths =
        [&rejection.message, &rejection.param, &rejection.code].map(|text| text.as_ref().unwrap().chars().count());
    assert_eq!(lengths, [MOST_OF_A_TEXT; 3]);
    assert_eq!(error.failure().rejection.unwrap().message.unwrap().chars().count(), 1_000);
}
