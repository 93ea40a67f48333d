//! Helpers for the tests of this crate and of embedders.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod delaying_proxy;
pub mod flaky_store;
mod manual_clock;
pub mod postgres;
mod puppet_provider;
mod scripted_provider;
pub mod store_conformance;
mod test_client;
mod test_node;

pub use delaying_proxy::DelayingProxy;
pub use flaky_store::FlakyStore;
pub use manual_clock::ManualClock;
pub use puppet_provider::{Call, PuppetProvider};
pub use scripted_provider::{DeafServer, RecordedRequest, Script, ScriptGate, ScriptedProvider, refused_base_url};
pub use store_conformance::store_conformance;
pub use test_client::TestClient;
pub use test_node::{TestNode, impatient};
