//! A node with an API over memory, and requests in one line.

use std::{sync::Arc, time::Duration};

use actix_web::{
    App,
    body::{BoxBody, MessageBody, to_bytes},
    dev::{HttpServiceFactory, ServiceResponse},
    http::{StatusCode, header::HeaderMap},
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use async_trait::async_trait;
use futures_util::future::poll_fn;
use serde_json::{Value, json};

use crate::access::{AuthError, Principal};
use crate::actors::{DeliveryMode, ProviderOptions, ResponsePhase};
use crate::antiphon::Antiphon;
use crate::domain::{Encoding, Idempotency, Model, Prompt, ResponseOptions, RetryPolicy, RunPolicy, Target};
use crate::http::{Authenticate, HttpOptions, HttpState, envelope::no_route, health, request_id::identify, scope};
use crate::journal::Log;
use crate::protocol::{ResponseEvent, ResponseId, UserId};
use crate::store::MemoryStore;
use crate::testkit::{Call, FlakyStore, ManualClock, PuppetProvider};
use crate::tokens::{TokenCounter, TokenError};
use crate::vault::{KeyRing, Vault};

pub(super) const KEY: &str = "sk-good";

/// One token a byte of the prompt's items as JSON.
#[derive(Debug)]
struct ByteCounter;

#[async_trait]
impl TokenCounter for ByteCounter {
    async fn count(&self, _: Encoding, texts: &[&str]) -> Result<u64, TokenError> {
        Ok(texts.iter().map(|text| text.len() as u64).sum())
    }

    async fn prompt_tokens(&self, _: Encoding, prompt: &Prompt) -> Result<u32, TokenError> {
        u32::try_from(serde_json::to_vec(&prompt.items).unwrap().len()).map_err(|_| TokenError::TooMany)
    }
}

/// One key is good.
#[derive(Debug)]
struct OneKey(UserId);

#[async_trait]
impl Authenticate for OneKey {
    async fn authenticate(&self, bearer: &str) -> Result<Principal, AuthError> {
        if bearer == KEY {
            return Ok(Principal { user: self.0, key_id: "k".to_owned() });
        }
        Err(AuthError::InvalidKey)
    }
}

/// What a test wants otherwise.
#[derive(Debug)]
pub(super) struct ApiOptions {
    pub(super) http: HttpOptions,
    pub(super) responses: ResponseOptions,
    pub(super) provider: ProviderOptions,
    /// Providers beside `p`, each with a model of its name.
    pub(super) others: Vec<(&'static str, PuppetProvider)>,
    pub(super) clock: Arc<ManualClock>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        // A test that wants a second attempt says so.
        let retry = RetryPolicy { max_retries: 0, ..RetryPolicy::default() };
        Self {
            http: HttpOptions::default(),
            responses: ResponseOptions { arbiters: 1, ..ResponseOptions::default() },
            provider: ProviderOptions { retry, ..ProviderOptions::default() },
            others: Vec::new(),
            clock: Arc::default(),
        }
    }
}

/// Options with which a database that is away is soon given up, while no stall of a busy machine looks like a hang.
pub(super) fn impatient() -> ApiOptions {
    let patience = Duration::from_millis(40);
    let options = ApiOptions::default();
    let responses = ResponseOptions {
        heartbeat: Duration::from_millis(20),
        hang_after: Duration::from_secs(20),
        admission_patience: patience,
        outage_patience: patience,
        ..options.responses
    };
    ApiOptions { responses, ..options }
}

/// The API of a node over a store in memory. Its provider `p` has the models `m` and `org/name`.
pub(super) struct Api {
    pub(super) node: Antiphon,
    pub(super) store: Arc<FlakyStore>,
    pub(super) provider: PuppetProvider,
    pub(super) user: UserId,
    vault: Vault,
    state: HttpState,
}

/// What was answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn id(&self) -> ResponseId {
        self.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Status, code and parameter of an error, which must have the envelope and the request id.
    #[track_caller]
    pub(super) fn error(&self) -> (u16, Option<String>, Option<String>) {
        let body = self.json();
        let error = body["error"].as_object().unwrap();
        let keys: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["message", "type", "param", "code"], "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!self.header("x-request-id").is_empty());
        let text = |key: &str| error[key].as_str().map(ToOwned::to_owned);
        (self.status.as_u16(), text("code"), text("param"))
    }
}

/// An answer whose body is read while it comes.
pub(super) struct Streamed {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    body: BoxBody,
    text: String,
}

impl Streamed {
    fn new(answer: ServiceResponse<BoxBody>) -> Self {
        let (status, headers) = (answer.status(), answer.headers().clone());
        Self { status, headers, body: answer.into_body(), text: String::new() }
    }

    /// Reads more; false after the end.
    async fn read(&mut self) -> bool {
        let mut body = std::pin::Pin::new(&mut self.body);
        let chunk = poll_fn(|task| body.as_mut().poll_next(task)).await;
        chunk.map(|chunk| self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap())).is_some()
    }

    /// Reads until the body has so many of these.
    pub(super) async fn read_until(&mut self, count: usize, text: &str) {
        while self.text.matches(text).count() < count {
            assert!(self.read().await, "the body ended: {}", self.text);
        }
    }

    /// The id of the response, which its first event tells.
    pub(super) async fn id(&mut self) -> ResponseId {
        self.read_until(1, "\n\n").await;
        let (_, id) = self.text.split_once("\"id\":\"").unwrap();
        id.split('"').next().unwrap().parse().unwrap()
    }

    /// The whole body, once it has ended.
    pub(super) async fn rest(mut self) -> Answer {
        while self.read().await {}
        Answer { status: self.status, headers: self.headers, text: self.text }
    }
}

impl Api {
    pub(super) async fn new() -> Self {
        Self::with(ApiOptions::default()).await
    }

    pub(super) async fn with(options: ApiOptions) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let store = Arc::new(FlakyStore::new(Arc::clone(&memory)));
        let vault = Vault::new(KeyRing::generate().unwrap(), memory);
        let provider = PuppetProvider::default();
        let mut builder = Antiphon::builder(store.whole(), vault.clone())
            .provider_with_options("p", provider.clone(), options.provider)
            .models(["m", "org/name"].into_iter().map(|id| model(id, "p")).collect())
            .responses(options.responses)
            .clock(options.clock)
            .token_counter(ByteCounter);
        for (name, other) in options.others {
            builder = builder.provider_with_options(name, other, options.provider).model(model(name, name));
        }
        let node = builder.start().unwrap();
        let user = node.user_named("somebody").await.unwrap().id();
        let state = HttpState::new(&node, OneKey(user), options.http);
        Self { node, store, provider, user, vault, state }
    }

    /// What a server of this API needs.
    pub(super) fn state(&self) -> HttpState {
        self.state.clone()
    }

    /// Sends a request with the good key.
    pub(super) async fn send(&self, request: TestRequest) -> Answer {
        self.send_as(Some(KEY), request).await
    }

    pub(super) async fn send_as(&self, key: Option<&str>, request: TestRequest) -> Answer {
        self.send_through(scope("/v1", self.state.clone()), key, request).await
    }

    /// Sends a request through these routes, wrapped as the server wraps them.
    pub(super) async fn send_through(
        &self,
        routes: impl HttpServiceFactory + 'static,
        key: Option<&str>,
        request: TestRequest,
    ) -> Answer {
        match self.answer(routes, key, request).await {
            Ok(answer) => Streamed::new(answer).rest().await,
            Err(error) => {
                let answer = error.error_response();
                let (status, headers) = (answer.status(), answer.headers().clone());
                let bytes = to_bytes(answer.into_body()).await.unwrap();
                Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
            }
        }
    }

    async fn answer(
        &self,
        routes: impl HttpServiceFactory + 'static,
        key: Option<&str>,
        request: TestRequest,
    ) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
        let app = App::new()
            .service(routes)
            .service(health(self.state.clone()))
            .default_service(web::to(no_route))
            .wrap(actix_web_lab::middleware::CatchPanic::default())
            .wrap(from_fn(identify));
        let app = init_service(app).await;
        let request = match key {
            Some(key) => request.insert_header(("authorization", format!("Bearer {key}"))),
            None => request,
        };
        let answer = actix_web::dev::Service::call(&app, request.to_request()).await?;
        Ok(answer.map_into_boxed_body())
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    pub(super) async fn post(&self, path: &str) -> Answer {
        self.send(TestRequest::post().uri(path)).await
    }

    pub(super) async fn create(&self, body: Value) -> Answer {
        self.send(create(body)).await
    }

    /// Sends a request, and has the provider play its part once it is asked.
    pub(super) async fn played(&self, request: TestRequest, play: impl FnOnce(&Call)) -> Answer {
        let playing = async {
            let call = self.provider.asked().await;
            play(&call);
        };
        let (answer, ()) = tokio::join!(self.send(request), playing);
        answer
    }

    /// Begins to read a stream. Returns when the head of the answer is there.
    pub(super) async fn stream(&self, request: TestRequest) -> Streamed {
        Streamed::new(self.answer(scope("/v1", self.state.clone()), Some(KEY), request).await.unwrap())
    }

    /// Begins to read the stream of a new response whose provider has answered.
    pub(super) async fn opened_stream(&self, body: Value) -> (Streamed, Call) {
        let asked = async {
            let call = self.provider.asked().await;
            call.open();
            call
        };
        tokio::join!(self.stream(create(body)), asked)
    }

    /// A response that ended as `play` has it end.
    pub(super) async fn ended(&self, play: impl FnOnce(&Call)) -> ResponseId {
        self.played(create(request()), play).await.id()
    }

    /// A response that has completed.
    pub(super) async fn completed(&self) -> ResponseId {
        self.ended(complete).await
    }

    /// A response that runs in the background, and its provider.
    pub(super) async fn running(&self) -> (ResponseId, Call) {
        let answer = self.create(json!({"model": "m", "input": "x", "background": true})).await;
        (answer.id(), self.provider.asked().await)
    }

    /// Waits until a response is so far.
    pub(super) async fn wait_for(&self, id: ResponseId, reached: impl FnMut(&ResponsePhase) -> bool) {
        let mut client = self.node.resume(self.user, id, DeliveryMode::Ending).await.unwrap();
        client.phase.wait_for(reached).await.unwrap();
    }

    /// Waits until a response has said this.
    pub(super) async fn wait_for_text(&self, id: ResponseId, text: &str) {
        let mut events = self.node.user(self.user).events(id, 0).await.unwrap();
        while let Some(event) = events.next().await {
            if matches!(event.unwrap(), ResponseEvent::OutputTextDelta { delta, .. } if delta == text) {
                return;
            }
        }
    }

    /// How a stored response was accepted.
    pub(super) async fn run_policy(&self, id: ResponseId) -> RunPolicy {
        let key = self.vault.user_key(self.user).await.unwrap().response_key(id);
        let (transcript, _) = Log::new(Arc::clone(&self.store) as _, key, id).fold().await.unwrap();
        transcript.run_policy().unwrap().clone()
    }

    /// The digests of a key and of the body of that request.
    pub(super) fn idempotency(&self, key: &str, body: &Value) -> Idempotency {
        self.node.idempotency(self.user, key, body.to_string().as_bytes())
    }
}

/// The least that a request can ask.
pub(super) fn request() -> Value {
    json!({"model": "m", "input": "x"})
}

pub(super) fn create(body: Value) -> TestRequest {
    TestRequest::post().uri("/v1/responses").set_json(body)
}

/// Answers with a few words.
pub(super) fn complete(call: &Call) {
    call.open();
    call.text("Hello.");
    call.finish();
}

fn model(id: &str, provider: &str) -> Model {
    Model {
        context_window: 10_000,
        owned_by: "tests".to_owned(),
        created: 1,
        ..Model::new(id, Target::new(provider, format!("upstream-{id}")))
    }
}
