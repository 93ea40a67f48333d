//! The cases of all parts, and how they are run.

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::{FutureExt, future::BoxFuture};

use super::{accounts, group_commit, idempotency_keys, nodes, responses};
use crate::store::Store;

/// The store under test.
#[derive(Clone, Copy)]
pub(super) struct StoreUnderTest<'a> {
    pub(super) store: &'a Store,
}

pub(super) type Case = (&'static str, for<'a> fn(StoreUnderTest<'a>) -> BoxFuture<'a, ()>);

/// A table of cases by the names of their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(in crate::testkit::store_conformance) const CASES: &[crate::testkit::store_conformance::suite::Case] =
            &[$((stringify!($case), |subject| Box::pin($case(subject)))),*];
    };
}
pub(super) use cases;

const PARTS: &[&[Case]] = &[
    responses::admission::CASES,
    responses::appending::CASES,
    responses::ending::CASES,
    responses::deletion::CASES,
    responses::reading::CASES,
    responses::items::CASES,
    responses::setting_aside::CASES,
    group_commit::CASES,
    idempotency_keys::CASES,
    nodes::ownership::CASES,
    nodes::leases::CASES,
    accounts::CASES,
];

/// Runs every case against a store, prints how many there were and returns their number. The cases use ids of their
/// own, so the store need not be empty; its tables must exist.
///
/// # Panics
/// With the name of the first case that the store fails.
pub async fn store_conformance(name: &str, store: impl Into<Store>) -> usize {
    let store = store.into();
    let subject = StoreUnderTest { store: &store };
    let cases = PARTS.iter().copied().flatten();
    for (case, run) in cases.clone() {
        if let Err(panic) = AssertUnwindSafe(run(subject)).catch_unwind().await {
            panic!("{name} fails '{}': {}", case.replace('_', " "), words(panic.as_ref()));
        }
    }
    let count = cases.count();
    println!("store conformance: {name} passes {count} cases");
    count
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}
