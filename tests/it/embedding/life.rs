//! Where a node can live, and that it goes without a trace.

use std::{
    cell::RefCell,
    sync::{Arc, mpsc},
    thread::{self, ThreadId},
};

use antiphon::{
    Antiphon, Clock, SystemClock,
    actors::{Label, Role, supervision::Fault},
    admission::Model,
    domain::{DisconnectMode, ResponseOptions, Target, Timestamp},
    protocol::{CreateResponse, ResponseEvent, Status},
    provider::{Error, Provider, ProviderEvent, ProviderRequest},
    testkit::PuppetProvider,
};
use futures_util::{
    StreamExt as _,
    stream::{self, LocalBoxStream},
};
use parking_lot::Mutex;
use tokio::sync::{
    mpsc::{UnboundedSender, unbounded_channel},
    oneshot,
};

use super::{PATIENCE, answer, builder, node, options, question};

/// Has one question answered.
async fn one_response() {
    let puppet = PuppetProvider::default();
    let (_antiphon, ada) = node(&puppet).await;
    let events = ada.respond(question()).await.unwrap();
    answer(&puppet, &["Because."]).await;
    let response = events.ending().await.unwrap();
    assert_eq!((response.status, response.output_text().as_str()), (Status::Completed, "Because."));
}

#[actix::test]
async fn it_lives_under_an_actix_system() {
    one_response().await;
}

#[tokio::test]
async fn it_lives_under_tokio_on_one_thread() {
    one_response().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_lives_under_tokio_on_many_threads() {
    one_response().await;
}

#[test]
fn it_is_started_where_there_is_no_runtime_at_all() {
    let antiphon = builder(&PuppetProvider::default()).start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert!(runtime.block_on(antiphon.user_named("ada")).is_ok());
}

#[tokio::test]
async fn several_nodes_live_in_one_process_and_die_alone() {
    let (first, second) = (PuppetProvider::default(), PuppetProvider::default());
    let (one, ada) = node(&first).await;
    let (_two, bob) = node(&second).await;
    let lost = ada.respond(question()).await.unwrap();
    let kept = bob.respond(question()).await.unwrap();
    let (cut, call) = (first.asked().await, second.asked().await);
    call.open();
    call.text("Be");
    let roster = one.roster().clone();
    drop((one, ada, lost));
    roster.wait_until_empty(PATIENCE).await.unwrap();
    cut.closed().await;
    call.text("cause.");
    call.finish();
    drop(call);
    assert_eq!(kept.ending().await.unwrap().output_text(), "Because.");
}

/// A clock that tells when nobody has it any more.
#[derive(Debug)]
struct Watch {
    _gone: oneshot::Sender<()>,
}

impl Clock for Watch {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

/// Tells when the thread ends that it was called on.
#[derive(Debug)]
struct Tracer {
    puppet: PuppetProvider,
    ended: mpsc::Sender<()>,
}

thread_local! {
    static ENDED: RefCell<Option<LastWord>> = const { RefCell::new(None) };
}

struct LastWord(mpsc::Sender<()>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

impl Provider for Tracer {
    fn open(&self, request: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        ENDED.set(Some(LastWord(self.ended.clone())));
        self.puppet.open(request)
    }
}

#[tokio::test]
async fn dropping_the_handle_ends_all_that_it_started() {
    let (gone, nobody_has_it) = oneshot::channel();
    let (ended, threads) = mpsc::channel();
    let puppet = PuppetProvider::default();
    let antiphon = builder(&puppet)
        .clock(Watch { _gone: gone })
        .provider("traced", Tracer { puppet: puppet.clone(), ended })
        .model(Model::new("m", Target::new("traced", "m")))
        .start()
        .unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let addr = antiphon.addr();
    let events = ada.respond(question()).await.unwrap();
    let call = puppet.asked().await;
    let roster = antiphon.roster().clone();
    drop((antiphon, ada, events));
    // The actors, the provider's connection, all that they shared, and the threads. The address keeps nothing alive.
    roster.wait_until_empty(PATIENCE).await.unwrap();
    call.closed().await;
    assert!(nobody_has_it.await.is_err(), "the clock is dropped");
    tokio::task::spawn_blocking(move || threads.recv_timeout(PATIENCE)).await.unwrap().unwrap();
    assert!(!addr.connected());
}

/// Traces the first thread that it is asked on, and blocks another one until it is told not to.
#[derive(Debug)]
struct Blocking {
    traced: Mutex<Option<ThreadId>>,
    released: Mutex<Option<mpsc::Receiver<()>>>,
    ended: mpsc::Sender<()>,
    /// Whether the call blocks.
    asked: UnboundedSender<bool>,
}

impl Provider for Blocking {
    fn open(&self, _: ProviderRequest) -> LocalBoxStream<'static, Result<Vec<ProviderEvent>, Error>> {
        let here = thread::current().id();
        let traced = *self.traced.lock().get_or_insert_with(|| {
            ENDED.set(Some(LastWord(self.ended.clone())));
            here
        });
        let released = if here == traced { None } else { self.released.lock().take() };
        self.asked.send(released.is_some()).unwrap();
        if let Some(released) = released {
            released.recv().unwrap_err();
        }
        stream::pending().boxed_local()
    }
}

#[tokio::test]
async fn a_blocked_thread_is_the_only_one_that_a_dropped_node_leaves() {
    let (ended, threads) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let (asked, mut blocks) = unbounded_channel();
    let blocking = Blocking { traced: Mutex::default(), released: Mutex::new(Some(released)), ended, asked };
    let model = Model::new("blocking", Target::new("blocking", "m"));
    let builder = builder(&PuppetProvider::default()).provider("blocking", blocking).model(model);
    let antiphon = builder.responses(ResponseOptions { arbiters: 2, ..options() }).start().unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let mut running = Vec::new();
    loop {
        running.push(ada.respond(CreateResponse::text("blocking", "Why?")).await.unwrap());
        if blocks.recv().await.unwrap() {
            break;
        }
    }
    drop((antiphon, ada, running));
    tokio::task::spawn_blocking(move || threads.recv_timeout(PATIENCE)).await.unwrap().unwrap();
    drop(release);
}

#[tokio::test]
async fn the_ending_can_be_had_after_the_last_event_was_read() {
    let puppet = PuppetProvider::default();
    let (_antiphon, ada) = node(&puppet).await;
    let mut events = ada.respond(question()).await.unwrap();
    answer(&puppet, &["Because."]).await;
    while let Some(event) = events.next().await {
        event.unwrap();
    }
    let (id, next) = (events.id(), events.next_sequence_number());
    assert!(events.next().await.is_none());
    assert_eq!(events.ending().await.unwrap().status, Status::Completed);
    assert_eq!(ada.events(id, next + 7).await.unwrap().ending().await.unwrap().status, Status::Completed);
}

#[tokio::test]
async fn who_drops_the_events_leaves_the_response() {
    let puppet = PuppetProvider::default();
    let antiphon = builder(&puppet)
        .responses(ResponseOptions { disconnect: DisconnectMode::Cancel, ..options() })
        .start()
        .unwrap();
    let ada = antiphon.user_named("ada").await.unwrap();
    let events = ada.respond(question()).await.unwrap();
    let id = events.id();
    let call = puppet.asked().await;
    call.open();
    drop(events);
    call.closed().await;
    let response = ada.events(id, 0).await.unwrap().ending().await.unwrap();
    let details = response.incomplete_details.unwrap();
    assert_eq!((response.status, details.reason.as_ref()), (Status::Incomplete, "client_disconnected"));
}

#[tokio::test]
async fn a_lost_emitter_costs_no_event() {
    let puppet = PuppetProvider::default();
    let (antiphon, ada) = node(&puppet).await;
    let mut events = ada.respond(question()).await.unwrap();
    let id = events.id();
    let call = puppet.asked().await;
    call.open();
    call.text("Be");
    let mut words = String::new();
    let mut next = 0;
    let mut note = |event: ResponseEvent| {
        assert_eq!(event.sequence_number(), next);
        next += 1;
        words.push_str(event.delta().unwrap_or_default());
        event.delta().is_some()
    };
    while !note(events.next().await.unwrap().unwrap()) {}
    let hit = antiphon.roster().inflict(Label::of(Role::ClientEmitter, id), Fault::Panic).await;
    assert_eq!(hit, 1);
    call.text("cause.");
    call.finish();
    drop(call);
    while let Some(event) = events.next().await {
        note(event.unwrap());
    }
    assert_eq!(words, "Because.");
}

/// Whoever shares the handle with threads and tasks may do so.
#[test]
fn handles_go_anywhere() {
    fn anywhere<T: Send + Sync + Clone + 'static>() {}
    anywhere::<Antiphon>();
    anywhere::<antiphon::User>();
    anywhere::<Arc<Antiphon>>();
}
