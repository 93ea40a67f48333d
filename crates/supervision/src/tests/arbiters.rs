use std::{
    collections::BTreeSet,
    error::Error as _,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use actix::Context;
use actix_rt::{Arbiter, ArbiterHandle};
use parking_lot::Mutex;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tracing::Span;

use super::{
    super::{ActorIdentity, Arbiters, Child, Exit, Roster, spawn_on},
    LABEL, Order, PATIENCE, Victim, only,
};

fn victim_on(arbiter: &ArbiterHandle, roster: &Roster) -> (Child<Victim>, UnboundedReceiver<Exit>) {
    let (tell, told) = unbounded_channel();
    let build = |_: &mut Context<Victim>| Victim::default();
    let identity = ActorIdentity { label: LABEL, span: Span::none() };
    (spawn_on(arbiter, roster, identity, build, move |exit| drop(tell.send(exit))), told)
}

async fn thread(arbiter: &ArbiterHandle) -> std::thread::ThreadId {
    let (tell, mut told) = unbounded_channel();
    assert!(arbiter.spawn_fn(move || {
        let _heard = tell.send(std::thread::current().id());
    }));
    told.recv().await.unwrap()
}

async fn until(mut is_so: impl FnMut() -> bool) {
    let seen = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, seen).await.unwrap();
}

/// The arbiter for a key, once there is one: on a busy machine one may count as hung for a moment.
async fn given(arbiters: &Arbiters, key: u64) -> &ArbiterHandle {
    let found = async {
        loop {
            match arbiters.of(key) {
                Some(arbiter) => return arbiter,
                None => tokio::task::yield_now().await,
            }
        }
    };
    timeout(PATIENCE, found).await.unwrap()
}

/// Blocks an arbiter until the answer is dropped.
fn block(arbiter: &ArbiterHandle) -> std::sync::mpsc::Sender<()> {
    let (block, blocked) = std::sync::mpsc::channel();
    let (begin, begun) = std::sync::mpsc::channel();
    assert!(arbiter.spawn_fn(move || {
        let _heard = begin.send(());
        let _unblocked = blocked.recv();
    }));
    begun.recv().unwrap();
    block
}

#[tokio::test]
async fn one_that_is_killed_while_its_thread_is_blocked_has_ended_at_once() {
    let arbiters = Arbiters::start(1).unwrap();
    let (roster, arbiter) = (Roster::new(), arbiters.of(1).unwrap());
    let unblock = block(arbiter);
    let held = Arc::new(());
    let (tell, told) = unbounded_channel();
    let kept = Arc::clone(&held);
    let build = move |_: &mut Context<Victim>| {
        drop(kept);
        panic!("it was made");
    };
    let identity = ActorIdentity { label: LABEL, span: Span::none() };
    let child = spawn_on(arbiter, &roster, identity, build, move |exit| drop(tell.send(exit)));
    let order = child.addr().send(Order::Stop);
    drop(child);
    assert_eq!(only(told).await, Exit::Killed);
    assert!(order.await.is_err() && roster.live().is_empty());
    assert_eq!(Arc::strong_count(&held), 1, "what it would have been made of is dropped");
    drop(unblock);
    thread(arbiter).await;
}

const EVERY: Duration = Duration::from_millis(5);

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
    let worker = &arbiters.workers[0];
    let home = thread(&worker.arbiter).await;
    let mut at_home = Vec::new();
    for key in 0..32 {
        if thread(arbiters.of(key).unwrap()).await == home {
            at_home.push(key);
        }
    }
    let blocked = block(&worker.arbiter);
    arbiters.watch(EVERY, 3, || {});
    until(|| worker.is_hung()).await;
    for key in 0..32 {
        assert_ne!(thread(given(&arbiters, key).await).await, home);
    }
    drop(blocked);
    until(|| !worker.is_hung()).await;
    let key = at_home.pop().unwrap();
    let returned = async { while thread(given(&arbiters, key).await).await != home {} };
    timeout(PATIENCE, returned).await.unwrap();
}

#[tokio::test]
async fn all_tick_only_if_every_one_has_since() {
    let arbiters = Arbiters::start(2).unwrap();
    let mut ticks = arbiters.ticks();
    assert!(!ticks.all(), "nobody has been asked");
    arbiters.watch(EVERY, 3, || {});
    for arbiter in arbiters.workers.iter().map(|worker| &worker.arbiter).chain([arbiters.root()]) {
        until(|| ticks.all()).await;
        let blocked = block(arbiter);
        let mut times = 0;
        until(|| {
            times += u32::from(ticks.all());
            arbiters.hung() > 0
        })
        .await;
        assert!(times <= 1, "once at most, for what it ticked before it was blocked");
        drop(blocked);
    }
    until(|| ticks.all()).await;
}

#[tokio::test]
async fn of_a_root_that_hangs_somebody_is_told() {
    let arbiters = Arbiters::start(1).unwrap();
    let blocked = block(arbiters.root());
    let (tell, mut told) = unbounded_channel();
    let tell = move || {
        let _heard = tell.send(());
    };
    arbiters.watch(EVERY, 3, tell);
    assert_eq!(timeout(PATIENCE, told.recv()).await, Ok(Some(())));
    let _others_go_on = given(&arbiters, 7).await;
    drop(blocked);
    until(|| arbiters.hung() == 0).await;
    drop(arbiters);
    let ended = async { while told.recv().await.is_some() {} };
    assert!(timeout(PATIENCE, ended).await.is_ok(), "the watch ends with the arbiters");
}

#[tokio::test]
async fn a_second_watch_with_more_patience_does_not_bring_back_what_hangs() {
    let arbiters = Arbiters::start(1).unwrap();
    let _blocked = block(arbiters.root());
    let (tell, mut told) = unbounded_channel();
    arbiters.watch(EVERY, 3, move || {
        let _heard = tell.send(());
    });
    assert_eq!(timeout(PATIENCE, told.recv()).await, Ok(Some(())));
    arbiters.watch(EVERY, u32::MAX, || {});
    let worker = &arbiters.workers[0];
    let before = worker.ticks.load(Ordering::Relaxed);
    until(|| {
        assert!(arbiters.hung() > 0, "its thread is still blocked");
        worker.ticks.load(Ordering::Relaxed) > before + 40
    })
    .await;
    assert!(told.is_empty(), "it is told once");
}

#[test]
fn a_start_that_fails_leaves_no_thread_behind() {
    let started = Arc::new(Mutex::new(Vec::new()));
    let seen = started.clone();
    let failed = Arbiters::start_with(4, move || {
        if seen.lock().len() == 2 {
            return Err(io::Error::other("no more threads"));
        }
        let arbiter = Arbiter::try_new()?;
        seen.lock().push(arbiter.handle());
        Ok(arbiter)
    });
    assert_eq!(failed.unwrap_err().source().unwrap().to_string(), "no more threads");
    let started = started.lock();
    assert_eq!((started.len(), started.iter().any(ArbiterHandle::alive)), (2, false));
}
