//! What a provider is asked that is to keep its responses, and at which URLs.

use serde_json::{Value, json};
use url::Url;

use super::super::ResponsesForm;
use super::super::adapter::ResponsesDialect;
use crate::http::{Detached as _, Dialect as _, UpstreamId};
use crate::{Error, ProviderRequest};
use antiphon_domain::{Prompt, Request, Target};

const LASTING: ResponsesDialect = of_form(true);
const FLEETING: ResponsesDialect = of_form(false);

const fn of_form(lasting: bool) -> ResponsesDialect {
    ResponsesDialect { form: ResponsesForm { lasting, asks_for_encrypted_reasoning: false } }
}

fn request() -> ProviderRequest {
    asking(Request::new("model", 77))
}

fn asking(request: Request) -> ProviderRequest {
    ProviderRequest::new(Target::new("p", "m"), request, Prompt::default())
}

fn body(dialect: &ResponsesDialect) -> Value {
    serde_json::from_slice(&dialect.body(&request()).unwrap()).unwrap()
}

fn calls() -> Url {
    Url::parse("http://h:1/proxy/v1/responses").unwrap()
}

fn id() -> UpstreamId {
    UpstreamId::parse("resp_0-Az").unwrap()
}

#[test]
fn a_response_that_is_to_last_is_kept_and_worked_on_in_the_background() {
    let asked = json!({ "model": "m", "input": [], "stream": true, "max_output_tokens": 77 });
    let with = |more: Value| {
        let mut asked = asked.as_object().unwrap().clone();
        asked.extend(more.as_object().unwrap().clone());
        Value::Object(asked)
    };
    assert_eq!(body(&LASTING), with(json!({ "store": true, "background": true })));
    assert_eq!(body(&FLEETING), with(json!({ "store": false })));
    assert!(LASTING.detached().is_some() && FLEETING.detached().is_none());
}

#[test]
fn a_replay_asks_for_the_whole_stream_with_what_the_request_wished_to_be_included() {
    let url = |request: &ProviderRequest| LASTING.replay_url(&calls(), request, &id()).to_string();
    let bare = "http://h:1/proxy/v1/responses/resp_0-Az?stream=true&include_obfuscation=false";
    assert_eq!(url(&request()), bare);
    let include = vec![Request::INCLUDE_LOGPROBS.to_owned(), Request::INCLUDE_ENCRYPTED_REASONING.to_owned()];
    let wishes = asking(Request { include, ..Request::new("model", 77) });
    let included = "&include%5B%5D=message.output_text.logprobs&include%5B%5D=reasoning.encrypted_content";
    assert_eq!(url(&wishes), format!("{bare}{included}"));
}

#[test]
fn a_cancel_is_asked_for_below_the_response() {
    let url = LASTING.cancel_url(&calls(), &id());
    assert_eq!(url.as_str(), "http://h:1/proxy/v1/responses/resp_0-Az/cancel");
}

#[test]
fn an_id_that_could_ask_for_something_else_is_none() {
    let longest = "x".repeat(8000);
    for good in ["a", "resp_1", "A-Z_09", longest.as_str()] {
        assert_eq!(UpstreamId::parse(good).unwrap().to_string(), good);
    }
    let longer = "x".repeat(8001);
    for bad in ["", ".", "..", "a/b", "a?b", "a#b", "a%2Fb", "a b", "a\\b", "a\n", "r\u{e9}", longer.as_str()] {
        assert!(matches!(UpstreamId::parse(bad), Err(Error::Protocol { .. })), "{bad:?}");
    }
}
