use std::sync::Arc;

use actix::{Actor, Context, Handler, Running};
use parking_lot::Mutex;
use tokio::sync::mpsc::unbounded_channel;

use super::{
    super::{Exit, Fault, Liveness, Ping, Roster, spawn},
    LABEL, Order, Victim, only, spawned, victim,
};

const DIES_TWICE: Victim = Victim { panics_when_stopping: true };

#[actix::test]
async fn a_parent_is_told_every_ending_once() {
    let roster = Roster::new();
    for (order, expected) in [
        (Order::Panic, Exit::Panicked("boom in handler".into())),
        (Order::PanicLater, Exit::Panicked("boom in future".into())),
        (Order::Stop, Exit::Stopped),
    ] {
        let (child, told) = victim(&roster);
        child.addr().do_send(order);
        assert_eq!(only(told).await, expected);
    }
    assert!(roster.live().is_empty());
}

#[actix::test]
async fn an_actor_is_off_the_roster_when_its_parent_is_told() {
    let (roster, (tell, mut told)) = (Roster::new(), unbounded_channel());
    let seen = roster.clone();
    let child = spawn(&roster, LABEL, |_| Victim::default(), move |_| drop(tell.send(seen.live())));
    child.addr().do_send(Order::Stop);
    assert_eq!(told.recv().await, Some(Vec::new()));
}

#[actix::test]
async fn a_second_panic_while_unwinding_does_not_end_the_process() {
    let (child, told) = spawned(&Roster::new(), DIES_TWICE);
    child.addr().do_send(Order::Panic);
    assert_eq!(only(told).await, Exit::Panicked("boom in handler".into()));
}

#[actix::test]
async fn a_panic_while_stopping_is_the_ending() {
    let (child, told) = spawned(&Roster::new(), DIES_TWICE);
    child.addr().do_send(Order::Stop);
    assert_eq!(only(told).await, Exit::Panicked("boom while stopping".into()));
}

#[actix::test]
async fn a_dropped_child_is_killed() {
    let (child, told) = victim(&Roster::new());
    drop(child);
    assert_eq!(only(told).await, Exit::Killed);
}

#[actix::test]
async fn one_that_is_killed_before_its_first_turn_is_never_made() {
    let (tell, told) = unbounded_channel();
    let entries = Arc::new(Mutex::new(Vec::new()));
    let held = Arc::clone(&entries);
    let build = move |_: &mut Context<Diary>| {
        held.lock().push("built");
        Diary { stopping: Running::Stop, entries: held }
    };
    drop(spawn(&Roster::new(), LABEL, build, move |exit| drop(tell.send(exit))));
    assert_eq!(only(told).await, Exit::Killed);
    assert_eq!(Arc::into_inner(entries).unwrap().into_inner(), [""; 0]);
}

/// Writes down what it does.
struct Diary {
    stopping: Running,
    entries: Arc<Mutex<Vec<&'static str>>>,
}

impl Actor for Diary {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        self.entries.lock().push("started");
    }

    fn stopping(&mut self, _: &mut Self::Context) -> Running {
        self.stopping
    }
}

impl Handler<Ping> for Diary {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {
        self.entries.lock().push("handled");
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        self.entries.lock().push("dropped");
    }
}

/// What an actor does that is killed with a message in its mailbox, after its first turn or before.
async fn killed(stopping: Running, after_its_first_turn: bool) -> Vec<&'static str> {
    let entries = Arc::new(Mutex::new(Vec::new()));
    let (mut child, told) = spawned(&Roster::new(), Diary { stopping, entries: entries.clone() });
    if after_its_first_turn {
        tokio::task::yield_now().await;
    }
    let _first = child.beat(1);
    // With no address left actix would drop it without another turn.
    let _address = child.addr().clone();
    drop(child);
    assert_eq!(only(told).await, Exit::Killed);
    entries.lock().clone()
}

#[actix::test]
async fn a_killed_actor_handles_nothing_more() {
    assert_eq!(killed(Running::Stop, true).await, ["started", "dropped"]);
    assert_eq!(killed(Running::Stop, false).await, ["dropped"]);
}

#[actix::test]
async fn an_actor_that_would_go_on_when_killed_handles_its_mailbox_and_is_gone_all_the_same() {
    assert_eq!(killed(Running::Continue, true).await, ["started", "handled", "dropped"]);
}

#[actix::test]
async fn a_panic_in_the_constructor_is_the_ending() {
    let (tell, told) = unbounded_channel();
    let roster = Roster::new();
    let build = |_: &mut Context<Victim>| -> Victim { panic!("boom at birth") };
    let _child = spawn(&roster, LABEL, build, move |exit| drop(tell.send(exit)));
    assert_eq!(only(told).await, Exit::Panicked("boom at birth".into()));
    assert!(roster.live().is_empty());
}

#[actix::test]
async fn a_panic_may_have_any_payload() {
    for (payload, text) in [
        (Box::new("a str") as Box<dyn std::any::Any + Send>, "a str"),
        (Box::new("a string".to_owned()), "a string"),
        (Box::new(7), "a panic without a text"),
    ] {
        assert_eq!(Exit::of_panic(&*payload), Exit::Panicked(text.into()));
    }
}

#[test]
fn an_ending_in_a_log_does_not_tell_the_text_of_a_panic() {
    let exit = Exit::Panicked("what somebody wrote".into());
    assert_eq!(exit.to_string(), "panicked");
    let debug = format!("{exit:?}");
    assert!(debug.starts_with("panicked #") && debug.len() == "panicked #0000".len(), "{debug}");
    assert_eq!(exit.panic_text(), Some("what somebody wrote"));
}

#[test]
fn two_panics_look_alike_only_if_their_texts_are() {
    let shown = |text: &str| format!("{:?}", Exit::Panicked(text.into()));
    assert_eq!(shown("boom in handler"), shown("boom in handler"));
    assert_ne!(shown("boom in handler"), shown("boom in future"));
    assert_eq!(
        [Exit::Stopped, Exit::Killed, Exit::Hung].map(|exit| format!("{exit:?}")),
        ["stopped", "killed", "hung"]
    );
}

#[actix::test]
async fn an_actor_that_does_not_read_its_mailbox_misses_its_beats_and_is_killed() {
    let roster = Roster::new();
    let (mut child, told) = victim(&roster);
    assert_eq!(child.beat(2), Liveness::Alive);
    tokio::task::yield_now().await;
    assert_eq!(child.beat(2), Liveness::Alive);
    assert_eq!(roster.inflict(LABEL, Fault::Hang).await, 1);
    assert_eq!(child.beat(2), Liveness::Missed(1));
    tokio::task::yield_now().await;
    assert_eq!(child.beat(2), Liveness::Hung);
    // The first cause is kept.
    drop(child);
    assert_eq!(only(told).await, Exit::Hung);
}

#[actix::test]
async fn inflicted_faults_are_endings_like_others() {
    let roster = Roster::new();
    for (fault, expected) in [(Fault::Panic, Exit::Panicked("an inflicted panic".into())), (Fault::Stop, Exit::Stopped)]
    {
        let (_child, told) = victim(&roster);
        tokio::task::yield_now().await;
        roster.inflict(LABEL, fault).await;
        assert_eq!(only(told).await, expected);
    }
}
