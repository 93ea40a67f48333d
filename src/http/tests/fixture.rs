//! The backend, and requests in one line.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::{
    App, body,
    dev::{HttpServiceFactory, ServiceResponse},
    http::{StatusCode, header::HeaderMap},
    middleware::from_fn,
    test::{TestRequest, init_service},
    web,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{mpsc, watch};

use crate::access::{AccountService, AuthError, Principal};
use crate::actors::{
    ClientStream, DeliveryMode, Emission, ResponseOutcome, ResponsePhase, SharedSuccessPromise, SuccessPromise,
};
use crate::admission::Model;
use crate::antiphon::Antiphon;
use crate::domain::{Cause, Encoding, Idempotency, LimitOptions, Prompt, ResponseOptions, RunPlan, Target, Timestamp};
use crate::http::{
    Authenticate, Backend, HttpOptions, HttpState, InFlight, envelope::no_route, health, request_id::identify, scope,
};
use crate::protocol::{Item, ItemId, Response, ResponseId, Status, TextConfig, ToolChoice, Truncation, UserId};
use crate::provider::UpstreamHealth;
use crate::refusal::Refusal;
use crate::store::{self, MemoryStore, SortOrder};
use crate::testkit::PuppetProvider;
use crate::tokens::{TokenCounter, TokenError};
use crate::vault::{KeyRing, Vault};

pub(super) const KEY: &str = "sk-good";

/// A backend that notes what it is asked and answers what the test gave it.
#[derive(Debug, Default)]
pub(super) struct FakeBackend {
    pub(super) plans: Mutex<Vec<RunPlan>>,
    pub(super) wishes: Mutex<Vec<DeliveryMode>>,
    pub(super) resumed: Mutex<Vec<DeliveryMode>>,
    pub(super) pages: Mutex<Vec<(SortOrder, Option<ItemId>, u32)>>,
    /// Readers to hand out, in order.
    pub(super) readers: Mutex<Vec<ClientStream>>,
    /// Who has the idempotency key, whichever it is.
    pub(super) claimed: Mutex<Option<ResponseId>>,
    /// Who has it once a response was refused for it.
    pub(super) claimed_by_admitting: Mutex<Option<ResponseId>>,
    pub(super) attached: Mutex<Vec<DeliveryMode>>,
    /// Whoever attaches finds that the key was given back.
    pub(super) given_back: AtomicBool,
    pub(super) key_always_taken: AtomicBool,
    pub(super) admit_error: Mutex<Option<Refusal>>,
    pub(super) cancel: Mutex<Option<Result<Arc<ResponseOutcome>, Refusal>>>,
    /// The responses that exist.
    pub(super) known: Mutex<Vec<ResponseId>>,
    pub(super) providers: Mutex<BTreeMap<String, UpstreamHealth>>,
}

impl FakeBackend {
    fn reader(&self) -> Result<ClientStream, Refusal> {
        let mut readers = self.readers.lock();
        if readers.is_empty() { Err(Refusal::NotFound) } else { Ok(readers.remove(0)) }
    }

    fn find(&self, id: ResponseId) -> Result<ResponseId, Refusal> {
        self.known.lock().contains(&id).then_some(id).ok_or(Refusal::NotFound)
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn respond(&self, plan: RunPlan, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.known.lock().push(plan.id);
        self.plans.lock().push(plan);
        self.wishes.lock().push(mode);
        if self.key_always_taken.load(Ordering::Relaxed) {
            return Err(Refusal::IdempotencyKeyInUse);
        }
        if let Some(error) = self.admit_error.lock().take() {
            *self.claimed.lock() = self.claimed_by_admitting.lock().take();
            return Err(error);
        }
        self.reader().map_err(|_| Refusal::Internal)
    }

    fn idempotency(&self, _: UserId, _: &str, _: &[u8]) -> Idempotency {
        Idempotency { key: [0; 32], fingerprint: [0; 32] }
    }

    async fn claimed(&self, _: UserId, _: &Idempotency) -> Result<Option<ResponseId>, Refusal> {
        Ok(*self.claimed.lock())
    }

    async fn attach(&self, _: UserId, _: ResponseId, mode: DeliveryMode) -> Result<Option<ClientStream>, Refusal> {
        self.attached.lock().push(mode);
        if self.given_back.load(Ordering::Relaxed) {
            return Ok(None);
        }
        Ok(Some(self.reader()?))
    }

    async fn subscribe(&self, _: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.find(id)?;
        self.wishes.lock().push(mode);
        self.reader()
    }

    async fn resume(&self, _: UserId, _: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.resumed.lock().push(mode);
        self.reader()
    }

    async fn retrieve(&self, _: UserId, id: ResponseId) -> Result<Response, Refusal> {
        Ok(response(self.find(id)?, Status::Completed, None))
    }

    async fn cancel(&self, _: UserId, _: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
        self.cancel.lock().clone().unwrap_or(Err(Refusal::NotFound))
    }

    async fn delete(&self, _: UserId, id: ResponseId) -> Result<(), Refusal> {
        self.find(id)?;
        self.known.lock().retain(|known| *known != id);
        Ok(())
    }

    async fn input_items(
        &self,
        _: UserId,
        id: ResponseId,
        page: (SortOrder, Option<ItemId>, u32),
    ) -> Result<Option<(Vec<Item>, bool)>, Refusal> {
        self.find(id)?;
        let unknown = page.1.as_ref().is_some_and(|after| after.as_str() == "unknown");
        self.pages.lock().push(page);
        Ok((!unknown).then(|| (Vec::new(), false)))
    }

    fn providers(&self) -> BTreeMap<String, UpstreamHealth> {
        self.providers.lock().clone()
    }

    async fn ready(&self) -> Result<bool, store::Error> {
        Ok(true)
    }
}

/// One token a byte of the prompt's items as JSON.
#[derive(Debug)]
struct ByteCounter;

#[async_trait]
impl TokenCounter for ByteCounter {
    async fn count(&self, _: Encoding, _: &[&str]) -> Result<u64, TokenError> {
        Ok(0)
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

/// The API over a fake backend.
pub(super) struct Api {
    pub(super) backend: Arc<FakeBackend>,
    /// What makes the plans.
    pub(super) node: Antiphon,
    /// Who has the good key.
    pub(super) user: UserId,
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

    /// Status, code and parameter of an error, which must have the envelope and the request id.
    #[track_caller]
    pub(super) fn error(&self) -> (u16, Option<String>, Option<String>) {
        let body = self.json();
        let error = body["error"].as_object().unwrap();
        let keys: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(keys, ["code", "message", "param", "type"], "{body}");
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert!(!self.header("x-request-id").is_empty());
        let text = |key: &str| error[key].as_str().map(ToOwned::to_owned);
        (self.status.as_u16(), text("code"), text("param"))
    }
}

impl Api {
    pub(super) fn new() -> Self {
        Self::with(
            HttpOptions { keep_alive: Duration::from_millis(20), ..HttpOptions::default() },
            LimitOptions::default(),
        )
    }

    pub(super) fn with(options: HttpOptions, limits: LimitOptions) -> Self {
        let backend = Arc::new(FakeBackend::default());
        let store = Arc::new(MemoryStore::new());
        let vault = Vault::new(KeyRing::generate().unwrap(), store.clone());
        let accounts = AccountService::new(store.clone(), vault.clone());
        // A store in memory waits for nothing.
        let user = accounts.create_user("somebody", Timestamp::from_micros(0)).now_or_never().unwrap().unwrap().id;
        let node = Antiphon::builder(store, vault)
            .provider("p", PuppetProvider::default())
            .models(["m", "org/name"].into_iter().map(model).collect())
            .limits(limits)
            .token_counter(ByteCounter)
            .responses(ResponseOptions { arbiters: 1, ..ResponseOptions::default() })
            .start()
            .unwrap();
        let state = HttpState {
            backend: Arc::clone(&backend) as Arc<dyn Backend>,
            admission: Arc::clone(node.admission()),
            authenticator: Arc::new(OneKey(user)),
            options: Arc::new(options),
            in_flight: InFlight::default(),
        };
        Self { backend, node, user, state }
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
        match actix_web::dev::Service::call(&app, request.to_request()).await {
            Ok(answer) => read(answer).await,
            Err(error) => {
                let answer = error.error_response();
                let (status, headers) = (answer.status(), answer.headers().clone());
                let bytes = body::to_bytes(answer.into_body()).await.unwrap();
                Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
            }
        }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(TestRequest::get().uri(path)).await
    }

    pub(super) async fn create(&self, body: Value) -> Answer {
        self.send(TestRequest::post().uri("/v1/responses").set_json(body)).await
    }

    /// A response that exists.
    pub(super) fn known(&self) -> ResponseId {
        let id = ResponseId::new();
        self.backend.known.lock().push(id);
        id
    }

    /// Gives the backend a reader and returns its other end.
    pub(super) fn reader(&self) -> Feed {
        let (phase, phases) = watch::channel(ResponsePhase::Opening);
        let (sink, emissions) = mpsc::channel(64);
        let (success_promise, shared) = (SuccessPromise::default(), SharedSuccessPromise::default());
        shared.join(&success_promise);
        let reader = ClientStream { id: ResponseId::new(), phase: phases, emissions, success_promise: shared };
        self.backend.readers.lock().push(reader);
        Feed { phase, sink, success_promise }
    }
}

async fn read(answer: ServiceResponse<impl body::MessageBody>) -> Answer {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let bytes = body::to_bytes(answer.into_body()).await.map_err(|_| ()).unwrap();
    Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
}

/// The backend's end of a reader.
pub(super) struct Feed {
    pub(super) phase: watch::Sender<ResponsePhase>,
    pub(super) sink: mpsc::Sender<Emission>,
    pub(super) success_promise: SuccessPromise,
}

impl Feed {
    pub(super) fn frame(&self, sequence_number: u64) {
        let bytes = Bytes::from(format!("event: e\ndata: {{\"sequence_number\":{sequence_number}}}\n\n"));
        self.sink.try_send(Emission::Frame { sequence_number, bytes }).unwrap();
    }

    pub(super) fn end(self) {
        self.sink.try_send(Emission::End).unwrap();
    }

    pub(super) fn ended(&self, status: Status, cause: Option<Cause>) {
        self.phase.send_replace(ResponsePhase::Ended(Arc::new(outcome(status, cause))));
    }
}

pub(super) fn outcome(status: Status, cause: Option<Cause>) -> ResponseOutcome {
    let response = Arc::new(response(ResponseId::new(), status, None));
    ResponseOutcome { status, cause, response, provider_status: None, retry_after: None }
}

fn model(id: &str) -> Model {
    Model {
        id: id.to_owned(),
        target: Target::new("p", format!("upstream-{id}")),
        fallbacks: Vec::new(),
        context_window: 10_000,
        encoding: Encoding::O200kBase,
        default_output_tokens: 2_048,
        max_output_tokens: 100_000,
        owned_by: "tests".to_owned(),
        created: 1,
    }
}

pub(super) fn response(id: ResponseId, status: Status, instructions: Option<String>) -> Response {
    Response {
        id,
        object: "response".into(),
        created_at: 1,
        status,
        completed_at: None,
        error: None,
        incomplete_details: None,
        model: "m".to_owned(),
        output: Vec::new(),
        usage: None,
        instructions,
        previous_response_id: None,
        background: false,
        store: true,
        metadata: BTreeMap::new(),
        temperature: 1.0,
        top_p: 1.0,
        presence_penalty: 0.0,
        frequency_penalty: 0.0,
        top_logprobs: 0,
        max_output_tokens: None,
        max_tool_calls: None,
        tools: Vec::new(),
        tool_choice: ToolChoice::default(),
        parallel_tool_calls: true,
        text: TextConfig::default(),
        reasoning: None,
        truncation: Truncation::Disabled,
        service_tier: "default".into(),
        user: None,
        safety_identifier: None,
        prompt_cache_key: None,
    }
}
