use std::time::Duration;

use antiphon::protocol::ResponseId;
use reqwest::{Method, RequestBuilder, Response, header::HeaderMap};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Speaks to a server over TCP.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    key: String,
}

impl Client {
    pub(crate) fn new(url: &str, key: &str) -> Self {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into());
        let tls = tls.with_safe_default_protocol_versions().unwrap();
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let http =
            reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().timeout(Duration::from_secs(60));
        Self { http: http.build().unwrap(), url: url.to_owned(), key: key.to_owned() }
    }

    /// The same server with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    /// The address of the server, for who speaks no HTTP to it.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A request with no key.
    pub(crate) fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A request with the key.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth(&self.key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    /// `POST /v1/responses`.
    pub(crate) fn creation(&self, body: &Value) -> RequestBuilder {
        self.request(Method::POST, "/v1/responses").header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn create(&self, body: &Value) -> Answer {
        Answer::of(self.creation(body)).await
    }

    /// A response that is streamed.
    pub(crate) async fn stream(&self, model: &str, input: &str) -> Events {
        Events::of(self.creation(&json!({ "model": model, "input": input, "stream": true }))).await
    }

    /// The stream of a response that is there already, from its beginning.
    pub(crate) async fn replay(&self, id: &str) -> Events {
        Events::of(self.request(Method::GET, &format!("/v1/responses/{id}?stream=true"))).await
    }

    pub(crate) async fn retrieve(&self, id: &str) -> Answer {
        self.get(&format!("/v1/responses/{id}")).await
    }

    pub(crate) async fn cancel(&self, id: &str) -> Answer {
        Answer::of(self.request(Method::POST, &format!("/v1/responses/{id}/cancel"))).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, &format!("/v1/responses/{id}"))).await
    }
}

/// `GET /health/live` is answered, and within 100 ms: the fastest of many, since the machine is busy with others.
pub(crate) async fn is_live(client: &Client) {
    const MOST: Duration = Duration::from_millis(100);
    for _ in 0..1_000 {
        let asked = Instant::now();
        let answer = client.get("/health/live").await;
        let took = asked.elapsed();
        assert_eq!(answer.status, 200, "{}", answer.text);
        if took < MOST {
            return;
        }
    }
    unreachable!("/health/live never took less than {MOST:?}");
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::attempt(request).await.unwrap()
    }

    /// The answer of a server that may die before it has given it.
    pub(crate) async fn attempt(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// A header; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| unreachable!("no JSON: {self:?}"))
    }

    /// Status, code and parameter of an answer that must be an error in the envelope, with a request id.
    pub(crate) fn error(&self) -> (u16, Option<String>, Option<String>) {
        let json = self.json();
        let body = json["error"].as_object().unwrap_or_else(|| unreachable!("no envelope: {self:?}"));
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        assert!(body["type"].is_string(), "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        let field = |name: &str| body[name].as_str().map(str::to_owned);
        (self.status, field("code"), field("param"))
    }

    /// The response's id.
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| unreachable!("no response: {self:?}")).to_owned()
    }

    /// The text of the last item.
    pub(crate) fn output_text(&self) -> String {
        text_of(&self.json())
    }
}

/// The text that a response object holds.
pub(super) fn text_of(response: &Value) -> String {
    let items = response["output"].as_array().unwrap().iter();
    let parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.filter_map(|part| part["text"].as_str()).collect()
}

/// A stream of events that is being read.
pub(crate) struct Events {
    response: Response,
    /// Bytes that are the beginning of a character.
    partial: Vec<u8>,
    unread: String,
    /// How much of that has no end of an event.
    searched: usize,
    /// The events so far, as they came.
    pub(crate) frames: Vec<String>,
}

impl Events {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::attempt(request).await.unwrap()
    }

    /// The stream of a server that may die before it begins.
    pub(crate) async fn attempt(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.send().await?;
        assert_eq!(response.status(), 200, "no stream");
        Ok(Self { response, partial: Vec::new(), unread: String::new(), searched: 0, frames: Vec::new() })
    }

    /// The data of the next event; none at the end of the stream, however it came.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(frame) = self.frame() {
                let Some((_, data)) = frame.split_once("\ndata: ") else { continue };
                let data = serde_json::from_str(data).ok();
                self.frames.push(frame);
                return data;
            }
            let chunk = self.response.chunk().await.ok()??;
            self.partial.extend_from_slice(&chunk);
            let whole = match std::str::from_utf8(&self.partial) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let rest = self.partial.split_off(whole);
            self.unread.push_str(std::str::from_utf8(&self.partial).unwrap());
            self.partial = rest;
        }
    }

    /// The next event, if all of it is there. Each byte is looked at once, however large the event is.
    fn frame(&mut self) -> Option<String> {
        let from = self.unread.floor_char_boundary(self.searched.saturating_sub(1));
        let Some(end) = self.unread[from..].find("\n\n") else {
            self.searched = self.unread.len();
            return None;
        };
        let rest = self.unread.split_off(from + end + 2);
        let mut frame = std::mem::replace(&mut self.unread, rest);
        frame.truncate(from + end);
        self.searched = 0;
        Some(frame)
    }

    /// Reads until the text so far ends like this.
    pub(crate) async fn read_until_text(&mut self, end: &str) {
        while !self.text().ends_with(end) {
            assert!(self.next().await.is_some(), "ended before {end:?}: {:#?}", self.frames);
        }
    }

    /// Reads to the end; the last event.
    pub(crate) async fn read_all(&mut self) -> Value {
        while self.next().await.is_some() {}
        self.data().pop().unwrap()
    }

    /// The events so far.
    pub(crate) fn data(&self) -> Vec<Value> {
        let data = self.frames.iter().filter_map(|frame| frame.split_once("\ndata: "));
        data.map(|(_, json)| serde_json::from_str(json).unwrap()).collect()
    }

    /// The text of all deltas so far.
    pub(crate) fn text(&self) -> String {
        let events = self.data().into_iter().filter(|event| event["type"] == "response.output_text.delta");
        events.filter_map(|event| event["delta"].as_str().map(str::to_owned)).collect()
    }

    /// The response's id, of its first event.
    pub(crate) fn id(&self) -> String {
        self.data()[0]["response"]["id"].as_str().unwrap().to_owned()
    }
}

/// A response's id as the database has it.
pub(crate) fn row_id(id: &str) -> String {
    id.parse::<ResponseId>().unwrap().uuid().hyphenated().to_string()
}
