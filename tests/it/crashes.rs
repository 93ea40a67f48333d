//! The real process dies at every point between a fact, its commit and what a client sees, and the next one recovers.

use std::{os::unix::process::ExitStatusExt as _, panic};

use antiphon::{fault::FaultPoint, testkit::postgres};
use futures_util::{StreamExt as _, stream};

use self::{
    cases::{Case, cases, is_of_the_database},
    record::Rows,
    stories::World,
};
use crate::support::{Running, Site};

mod cases;
mod record;
mod stories;

/// How many crashes are tried side by side.
const SIDE_BY_SIDE: usize = 4;

/// The signal by which a process aborts.
const SIGABRT: i32 = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_at_any_point_is_recovered_by_the_next_one() {
    let cases = FaultPoint::ALL.iter().flat_map(|point| {
        let cases = cases(*point);
        assert!(!cases.is_empty(), "no story comes to {point:?}");
        cases
    });
    try_all(cases, Site::new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_at_any_point_of_a_commit_on_postgresql_is_recovered_by_the_next_one() {
    let points = FaultPoint::ALL.iter().filter(|point| is_of_the_database(**point));
    let cases = points.flat_map(|point| cases(*point).into_iter().take(1));
    try_all(cases, || Site::new().on(&postgres::fresh_database())).await;
}

#[tokio::test]
async fn a_point_that_there_is_not_is_an_error_at_the_start() {
    let mut site = Site::new();
    site.fault(Some("nowhere".to_owned()));
    let (status, errors) = site.refused(&["check-config"]);
    assert_eq!(status.code(), Some(1));
    assert!(errors.contains("FAULT_POINT: 'nowhere' is no fault point"), "{errors}");
}

/// Tries all and tells of all that fail.
async fn try_all(cases: impl Iterator<Item = Case>, site: fn() -> Site) {
    let tried = cases.map(|case| async move {
        let tried = tokio::spawn(crash(case, site));
        tried.await.err().map(|error| format!("{case:?}: {}", words(error.into_panic())))
    });
    let failed: Vec<String> =
        stream::iter(tried).buffer_unordered(SIDE_BY_SIDE).filter_map(async |failed| failed).collect().await;
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

fn words(panic: Box<dyn std::any::Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(words) => *words,
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// A server dies in this case, another one starts, and what was true stays true.
async fn crash(case: Case, site: fn() -> Site) {
    let mut world = World::of(case.story, site()).await;
    let before = world.begin().await;
    world.site.fault(Some(case.fault()));
    let (told, key) = match before {
        Some(begun) => {
            died(world.site.launch()).await;
            begun
        }
        None => {
            let server = world.site.start().await;
            let told = world.play(&server.client()).await;
            let key = server.key.clone();
            died(server).await;
            (told, key)
        }
    };
    let left = Rows::of(&world.site).await;
    assert!(case.held.is_what_is_left(&left), "{:?} is not what is left: {left:?}", case.held);
    world.site.fault(None);
    world.gate.open();
    let server = world.site.start_again(&key).await;
    record::check(&world, &server.client(), (&told, &left)).await;
}

async fn died(server: Running) {
    let (status, log) = server.ended().await;
    assert_eq!(status.signal(), Some(SIGABRT), "{status}: {log}");
}
