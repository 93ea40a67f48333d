//! What every store has to do, as a suite that any store can be put through.

#![expect(clippy::panic, clippy::unwrap_used, clippy::print_stdout, reason = "it is a test, for any test harness")]

mod accounts;
mod admission;
mod appending;
mod ending;
mod fixtures;
mod groups;
mod idempotency;
mod items;
mod leases;
mod ownership;
mod reading;

use std::{any::Any, panic::AssertUnwindSafe};

use futures_util::{FutureExt, future::BoxFuture};

use crate::access::Accounts;
use crate::store::Store;

/// The store under test by its two sides.
#[derive(Clone, Copy)]
struct Subject<'a> {
    store: &'a dyn Store,
    accounts: &'a dyn Accounts,
}

type Case = (&'static str, for<'a> fn(Subject<'a>) -> BoxFuture<'a, ()>);

/// A table of cases by the names of their functions.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        pub(super) const CASES: &[super::Case] = &[$((stringify!($case), |subject| Box::pin($case(subject)))),*];
    };
}
use cases;

const SUITES: &[&[Case]] = &[
    admission::CASES,
    appending::CASES,
    ending::CASES,
    groups::CASES,
    idempotency::CASES,
    ownership::CASES,
    leases::CASES,
    reading::CASES,
    items::CASES,
    accounts::CASES,
];

/// Puts a store through every case, prints how many there were and gives their number. The cases use ids of
/// their own, so that the store need not be empty; its tables must exist. `accounts` is where its users are: often the
/// same value, but it need not be.
///
/// # Panics
/// With the name of the first case that the store fails.
pub async fn store_conformance(name: &str, store: &dyn Store, accounts: &dyn Accounts) -> usize {
    let subject = Subject { store, accounts };
    let cases = SUITES.iter().copied().flatten();
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
