use std::{collections::BTreeSet, time::Duration};

use actix::Context;
use actix_rt::ArbiterHandle;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracing::Span;

use super::{
    super::{Arbiters, Child, Exit, Roster, spawn_on},
    LABEL, Order, Victim, only,
};

fn victim_on(arbiter: &ArbiterHandle, roster: &Roster) -> (Child<Victim>, UnboundedReceiver<Exit>) {
    let (tell, told) = unbounded_channel();
    let build = |_: &mut Context<Victim>| Victim::default();
    (spawn_on(arbiter, roster, (LABEL, Span::none()), build, move |exit| drop(tell.send(exit))), told)
}

async fn thread(arbiter: &ArbiterHandle) -> std::thread::ThreadId {
    let (tell, mut told) = unbounded_channel();
    assert!(arbiter.spawn_fn(move || {
        let _heard = tell.send(std::thread::current().id());
    }));
    told.recv().await.unwrap()
}

async fn hung(arbiters: &Arbiters, count: usize) {
    while arbiters.hung() != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn another_arbiter_needs_no_system_of_the_caller() {
    let arbiters = Arbiters::start(2).unwrap();
    let roster = Roster::new();
    let (child, told) = victim_on(arbiters.of(1).unwrap(), &roster);
    child.addr().do_send(Order::Panic);
    assert_eq!(only(told).await, Exit::Panicked("boom in handler".into()));
    let (_survivor, told) = victim_on(arbiters.of(2).unwrap(), &roster);
    drop(arbiters);
    assert_eq!(only(told).await, Exit::Killed, "an arbiter that is gone takes its actors along");
}

#[tokio::test]
async fn an_actor_for_an_arbiter_that_is_gone_is_told_as_killed() {
    let arbiters = Arbiters::start(1).unwrap();
    let (arbiter, roster) = (arbiters.root().clone(), Roster::new());
    let (_first, told) = victim_on(&arbiter, &roster);
    drop(arbiters);
    assert_eq!(only(told).await, Exit::Killed);
    let (_late, told) = victim_on(&arbiter, &roster);
    assert_eq!(only(told).await, Exit::Killed);
    assert!(roster.live().is_empty());
}

#[tokio::test]
async fn a_key_has_one_thread_and_the_root_has_its_own() {
    let arbiters = Arbiters::start(3).unwrap();
    let root = thread(arbiters.root()).await;
    let mut threads = BTreeSet::new();
    for key in 0..64 {
        let first = thread(arbiters.of(key).unwrap()).await;
        assert_eq!(thread(arbiters.of(key).unwrap()).await, first);
        assert_ne!(first, root);
        threads.insert(format!("{first:?}"));
    }
    assert_eq!(threads.len(), 3, "all are used");
}

#[tokio::test]
async fn a_blocked_arbiter_gets_no_new_work_until_it_lives_again() {
    let arbiters = Arbiters::start(2).unwrap();
    let (block, blocked) = std::sync::mpsc::channel::<()>();
    let home = thread(arbiters.of(7).unwrap()).await;
    arbiters.of(7).unwrap().spawn_fn(move || {
        let _unblocked = blocked.recv();
    });
    arbiters.watch(Duration::from_millis(5), 3, || panic!("the root does not hang"));
    hung(&arbiters, 1).await;
    for key in 0..32 {
        assert_ne!(thread(arbiters.of(key).unwrap()).await, home);
    }
    drop(block);
    hung(&arbiters, 0).await;
    assert_eq!(thread(arbiters.of(7).unwrap()).await, home, "what moved away is at home again");
}

#[tokio::test]
async fn of_a_root_that_hangs_somebody_is_told() {
    let arbiters = Arbiters::start(1).unwrap();
    let (block, blocked) = std::sync::mpsc::channel::<()>();
    arbiters.root().spawn_fn(move || {
        let _unblocked = blocked.recv();
    });
    let (tell, mut told) = unbounded_channel();
    arbiters.watch(Duration::from_millis(5), 3, move || {
        let _heard = tell.send(());
    });
    assert_eq!(told.recv().await, Some(()));
    assert!(arbiters.of(7).is_some(), "the others go on");
    drop(block);
    hung(&arbiters, 0).await;
    drop(arbiters);
    assert_eq!(told.recv().await, None, "the watch ends with the arbiters");
}
