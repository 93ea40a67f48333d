//! What a client posts: the same bytes each time.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::Http;
use crate::plan::Visit;

/// A request for a response.
#[derive(Debug)]
pub(super) struct Posting {
    body: String,
    /// Another body, which must not be taken for the same request.
    other: String,
    key: Option<String>,
    disconnect: Option<&'static str>,
}

impl Posting {
    pub(super) fn of(visit: &Visit, previous: Option<&str>) -> Self {
        let mut body = json!({
            "model": visit.performance.stage.name(),
            "input": format!("visit-{}.", visit.number),
            "metadata": { "visit": visit.number.to_string() },
            "stream": visit.form.stream,
            "background": visit.form.background,
            "store": visit.form.store,
        });
        if visit.form.stream && visit.obfuscated {
            body["stream_options"] = json!({ "include_obfuscation": true });
        }
        if let Some(previous) = previous {
            body["previous_response_id"] = Value::from(previous);
        }
        let same = body.to_string();
        body["temperature"] = json!(0.5);
        let key = visit.keyed.then(|| format!("key-of-visit-{}", visit.number));
        Self { body: same, other: body.to_string(), key, disconnect: visit.disconnect }
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The request, to one of the servers.
    pub(super) fn request(&self, http: &Http, server: usize) -> Option<RequestBuilder> {
        self.with(http, server, self.body.clone())
    }

    /// The request with the other body.
    pub(super) fn misuse(&self, http: &Http, server: usize) -> Option<RequestBuilder> {
        self.with(http, server, self.other.clone())
    }

    fn with(&self, http: &Http, server: usize, body: String) -> Option<RequestBuilder> {
        let mut request = http.request(server, Method::POST, "")?.header("content-type", "application/json").body(body);
        if let Some(key) = &self.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(wish) = self.disconnect {
            request = request.header("antiphon-disconnect", wish);
        }
        Some(request)
    }
}
