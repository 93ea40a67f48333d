//! Calls that outlive their listener: heard again, handed over, and ended where nobody is to hear them any more.

use std::time::Duration;

use antiphon::{
    domain::{Fact, FinishReason, Prompt, Request, Target, Timeouts},
    protocol::{ContentPart, Item, ItemId, ItemStatus, JsonObject, Message, ResponseId, Role, Status},
    provider::{
        CallToCancel, Error, Provider, ProviderEvent, ProviderRequest, Reattachment, Responses, UpstreamOptions,
    },
    testkit::{Call, PuppetProvider, Script, ScriptedProvider},
};
use futures_util::{StreamExt, stream::LocalBoxStream};
use serde_json::{Value, json};

use crate::chained::{everything, without_ids};
use crate::support::{Served, Site};

/// Short enough for a test, long enough for a busy machine.
const SOON: Duration = Duration::from_millis(400);

/// Long enough for anything that comes at all.
const PATIENCE: Duration = Duration::from_secs(30);

fn provider(base_url: String, key: &str) -> Responses {
    Responses::reattachable(UpstreamOptions { api_key: Some(key.into()), ..UpstreamOptions::new(base_url) }).unwrap()
}

fn request() -> ProviderRequest {
    let id = ItemId::of_input("msg", ResponseId::new(), 0);
    let content = vec![ContentPart::input_text("Why is the sky blue?")];
    let item = Item::Message(Message {
        id,
        role: Role::User,
        status: ItemStatus::Completed,
        content,
        extra: JsonObject::new(),
    });
    let prompt = Prompt { instructions: None, items: vec![item] };
    ProviderRequest {
        request_id: "req_42".to_owned(),
        ..ProviderRequest::new(Target::new("p", "m"), Request::new("model", 100), prompt)
    }
}

/// The call of that id, as the request's.
fn call(id: &str) -> CallToCancel {
    let timeouts = Timeouts::default();
    CallToCancel { request_id: request().request_id, provider_response_id: id.to_owned(), timeouts }
}

/// A stream, and what was heard of it. Dropping it closes the connection.
struct Listener {
    batches: LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>,
    heard: Vec<ProviderEvent>,
}

impl Listener {
    fn of(batches: LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>>) -> Self {
        Self { batches, heard: Vec::new() }
    }

    async fn read_until_text(&mut self, end: &str) {
        while !self.text().ends_with(end) {
            self.heard.extend(self.batches.next().await.unwrap().unwrap());
        }
    }

    /// Reads to the end; how the stream ended.
    async fn read_all(&mut self) -> Result<(), Error> {
        while let Some(batch) = self.batches.next().await {
            self.heard.extend(batch?);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let texts = self.heard.iter().filter_map(|event| {
            let ProviderEvent::Text { text, .. } = event else { return None };
            Some(text.as_str())
        });
        texts.collect()
    }

    /// The provider's id, of the first event.
    fn id(&self) -> String {
        let Some(ProviderEvent::Opened { provider_response_id: Some(id) }) = self.heard.first() else {
            unreachable!("no id: {:?}", self.heard)
        };
        id.clone()
    }
}

/// A server that keeps its responses, whose own provider says what the test says.
struct Far {
    served: Served,
    puppet: PuppetProvider,
    provider: Responses,
}

impl Far {
    async fn start() -> Self {
        let puppet = PuppetProvider::default();
        let served = Served::start(puppet.clone()).await;
        let provider = provider(format!("{}/v1", served.url), &served.key);
        Self { served, puppet, provider }
    }

    /// Asks it; it has said something, and that was heard.
    async fn begin(&self, request: ProviderRequest) -> (Listener, Call) {
        let mut listener = Listener::of(self.provider.open(request));
        let said = async {
            let call = self.puppet.asked().await;
            call.open();
            call.text("Hel");
            call
        };
        let ((), call) = tokio::join!(listener.read_until_text("Hel"), said);
        (listener, call)
    }

    fn reattach(&self, request: ProviderRequest, id: &str) -> Listener {
        Listener::of(self.provider.reattach(request, id.to_owned()))
    }

    /// What is told again of a response that is over.
    async fn replayed(&self, id: &str) -> Vec<ProviderEvent> {
        let mut listener = self.reattach(request(), id);
        assert_eq!(listener.read_all().await, Ok(()));
        listener.heard
    }
}

/// An upstream whose every byte the test says, and the adapter that asks it.
fn scripted() -> (ScriptedProvider, Responses) {
    let upstream = ScriptedProvider::start();
    let provider = provider(upstream.base_url(), "sk-up");
    (upstream, provider)
}

/// A stream of these events.
fn events(events: &[Value]) -> Script {
    events.iter().fold(Script::new(), |script, event| script.raw(format!("data: {event}\n\n")))
}

fn created(id: &str) -> Value {
    json!({ "type": "response.created", "response": { "id": id, "status": "queued" } })
}

/// The requests so far: method and path.
fn asked(upstream: &ScriptedProvider) -> Vec<String> {
    upstream.requests().into_iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

#[tokio::test]
async fn a_call_without_a_listener_goes_on_and_is_told_again_from_its_beginning() {
    let far = Far::start().await;
    let (first, call) = far.begin(request()).await;
    let (id, half) = (first.id(), first.heard.clone());
    let mut uninterrupted = far.reattach(request(), &id);
    uninterrupted.read_until_text("Hel").await;
    drop(first);
    let mut again = far.reattach(request(), &id);
    again.read_until_text("Hel").await;
    call.events(everything());
    drop(call);
    assert_eq!((uninterrupted.read_all().await, again.read_all().await), (Ok(()), Ok(())));
    assert_eq!(far.served.ended(&id).await.status, Status::Completed);
    assert_eq!(far.replayed(&id).await, again.heard);
    assert_eq!(again.heard, uninterrupted.heard);
    assert_eq!(again.heard[..half.len()], half);
    assert_eq!(again.heard.last(), Some(&ProviderEvent::Finished(FinishReason::Stop)));
    assert!(again.text().starts_with("Hello") && again.text().ends_with("Bye"), "{}", again.text());
    assert_eq!(far.puppet.unheard(), 0, "it was asked once");
}

#[tokio::test]
async fn a_call_is_cancelled_at_the_provider_with_a_listener_and_without() {
    let far = Far::start().await;
    for listens in [true, false] {
        let (listener, asked) = far.begin(request()).await;
        let id = listener.id();
        let _listener = listens.then_some(listener);
        far.provider.cancel(call(&id));
        assert_eq!(far.served.ended(&id).await.status, Status::Cancelled);
        asked.closed().await;
    }
}

#[tokio::test]
async fn a_cancel_goes_through_two_servers() {
    let far = Far::start().await;
    let near = Served::start(far.provider.clone()).await;
    let client = near.client();
    let said = async {
        let call = far.puppet.asked().await;
        call.open();
        call.text("Hel");
        call
    };
    let (mut events, call) = tokio::join!(client.stream("m", "Why is the sky blue?"), said);
    events.read_until_text("Hel").await;
    let mut facts = near.facts(&events.id()).await.into_iter();
    let far_id = facts.find_map(|fact| {
        let Fact::Provider { event: ProviderEvent::Opened { provider_response_id }, .. } = fact else { return None };
        provider_response_id
    });
    let far_id = far_id.unwrap();
    assert_eq!(client.cancel(&events.id()).await.json()["status"], "cancelled");
    assert_eq!(far.served.ended(&far_id).await.status, Status::Cancelled);
    call.closed().await;
    assert_eq!(events.read_all().await["response"]["status"], "cancelled");
}

#[tokio::test]
async fn an_answer_through_a_server_that_keeps_it_is_the_answer_of_one() {
    let far = Far::start().await;
    let near = Served::start(far.provider.clone()).await;
    let mut told = Vec::new();
    for client in [far.served.client(), near.client()] {
        let said = async {
            let call = far.puppet.asked().await;
            call.open();
            call.events(everything());
        };
        let (mut events, ()) = tokio::join!(client.stream("m", "Why is the sky blue?"), said);
        assert_eq!(events.read_all().await["type"], "response.completed");
        told.push(events.data().into_iter().map(without_ids).collect::<Vec<_>>());
    }
    assert_eq!(told[1], told[0]);
}

#[tokio::test]
async fn a_response_that_is_not_there_is_a_404_and_an_id_that_is_none_is_not_asked_for() {
    let far = Far::start().await;
    let mut unknown = far.reattach(request(), &ResponseId::new().to_string());
    assert!(matches!(unknown.read_all().await, Err(Error::Status { status: 404, .. })));

    let (upstream, provider) = scripted();
    for id in ["../models", "resp_1/cancel", "resp_1?stream=false", ""] {
        let mut listener = Listener::of(provider.reattach(request(), id.to_owned()));
        assert!(matches!(listener.read_all().await, Err(Error::Protocol { .. })), "{id}");
    }
    assert_eq!(asked(&upstream), [""; 0]);
}

#[tokio::test]
async fn a_far_server_that_dies_while_it_tells_again_has_closed_the_stream() {
    let upstream = ScriptedProvider::start();
    upstream.script("m", Script::new().text("Once upon").stall());
    let far = Site::with_models(&upstream, &["m"]);
    let far = far.start().await;
    let provider = provider(format!("{}/v1", far.url), &far.key);
    let mut first = Listener::of(provider.open(request()));
    first.read_until_text("Once upon").await;
    let id = first.id();
    drop(first);
    let mut again = Listener::of(provider.reattach(request(), id));
    again.read_until_text("Once upon").await;
    far.kill().await;
    assert_eq!(again.read_all().await, Err(Error::Closed));
}

#[tokio::test]
async fn a_call_that_is_let_go_of_is_left_alone_and_one_that_is_cancelled_is_told_so_once() {
    let (upstream, provider) = scripted();
    upstream.script("m", events(&[created("resp_1")]).stall());
    let mut listener = Listener::of(provider.open(request()));
    listener.heard.extend(listener.batches.next().await.unwrap().unwrap());
    drop(listener);
    // What is no id can't be cancelled, and asks for nothing else.
    provider.cancel(call("../models"));
    upstream.script("", Script::status(200, &[], "{}"));
    provider.cancel(call("resp_1"));
    let cancel = tokio::time::timeout(PATIENCE, upstream.wait_for_request(2)).await.unwrap();
    assert_eq!(asked(&upstream), ["POST /v1/responses", "POST /v1/responses/resp_1/cancel"]);
    let header = |name: &str| cancel.header(name).unwrap_or_default();
    assert_eq!((header("authorization"), header("x-request-id")), ("Bearer sk-up", "req_42"));
    assert_eq!((header("content-length"), header("accept"), header("content-type")), ("0", "application/json", ""));
    assert_eq!(upstream.requests()[0].body["background"], true);
}

#[tokio::test]
async fn a_replay_has_the_headers_and_the_times_of_a_call() {
    let (upstream, provider) = scripted();
    upstream.script("", events(&[created("resp_1")]).stall());
    let timeouts = Timeouts { idle: SOON, ..Timeouts::default() };
    let request = ProviderRequest { target: Target { timeouts, ..Target::new("p", "m") }, ..request() };
    let mut listener = Listener::of(provider.reattach(request, "resp_1".to_owned()));
    assert_eq!(listener.read_all().await, Err(Error::IdleTimeout));
    assert_eq!(listener.id(), "resp_1");
    let replay = upstream.wait_for_request(1).await;
    let header = |name: &str| replay.header(name).unwrap_or_default();
    assert_eq!((header("authorization"), header("x-request-id")), ("Bearer sk-up", "req_42"));
    assert_eq!((header("accept"), header("content-type"), header("content-length")), ("text/event-stream", "", ""));
}

#[test]
fn a_cancel_where_no_runtime_is_harms_nothing() {
    let (upstream, provider) = scripted();
    provider.cancel(call("resp_1"));
    assert_eq!(asked(&upstream), [""; 0]);
}
