//! What a handle sends that no caller can have sent at will.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{sync::Arc, time::Duration};

use crate::actors::Withdraw;
use crate::domain::{Cause, Idempotency, Request, ResponseOptions, RunPlan};
use crate::protocol::{ResponseId, Status};
use crate::store::ResponseStore;
use crate::testkit::TestNode;

#[tokio::test]
async fn a_response_whose_start_is_withdrawn_is_ended_though_it_runs_and_its_request_may_be_repeated() {
    let node = TestNode::start(ResponseOptions::default()).await;
    let mut plan = node.plan();
    plan.idempotency = Some(Idempotency { key: [7; 32], fingerprint: [7; 32] });
    let again = RunPlan { id: ResponseId::new(), ..plan.clone() };
    plan.request = Arc::new(Request { background: true, ..(*plan.request).clone() });
    let client = node.respond(plan).await;
    let call = node.provider.asked().await;
    node.antiphon.registry().await.unwrap().do_send(Withdraw { id: client.id });
    let ended = async {
        call.closed().await;
        loop {
            let row = node.store.response(client.id).await.unwrap().unwrap();
            if row.status.is_terminal() {
                return (row.status, row.cause);
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(ended, (Status::Failed, Some(Cause::InternalError)));
    let _repeated = node.respond(again).await;
}
