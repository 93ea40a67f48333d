//! What was said before.

use super::*;
use crate::store::{GroupCommit as _, ItemSide, JournalEntry};
use crate::testkit::FlakyStore;

#[tokio::test]
async fn history_stands_before_the_input_and_is_bounded() {
    let stage = Stage::limited(10_000, LimitOptions { history_items: 3, ..LimitOptions::default() }).await;
    for (turn_count, truncation) in [(3, "disabled"), (5, "auto")] {
        let previous = stage.said(turns(turn_count)).await;
        let keys = json!({"previous_response_id": previous, "truncation": truncation});
        let Admitted { plan, .. } = stage.plan(keys).await.unwrap();
        assert_eq!(plan.prompt.items[..3], turns(turn_count)[turn_count - 3..]);
        assert_eq!(plan.prompt.items[3..], plan.input);
        assert_eq!((plan.prompt_tokens, plan.request.max_output_tokens), (40, Some(2_048)));
    }
}

#[tokio::test]
async fn what_is_deleted_while_it_is_read_is_not_found_and_never_a_shorter_history() {
    for side in [ItemSide::Output, ItemSide::Input] {
        let memory = Arc::new(MemoryStore::new());
        let flaky = Arc::new(FlakyStore::new(memory.clone()));
        let models = [Model::new("m", Target::new("own", "u"))].into_iter().collect();
        let stage = Stage::over(flaky.whole(), models, (LimitOptions::default(), TenAnItem)).await;
        let first = stage.said(turns(2)).await;
        let request = Request { previous_response_id: Some(first), ..Request::new("m", 16) };
        let second = stage.run(RunPlan { request: Arc::new(request), ..stage.accepted(turns(1)) }).await;
        let keys = json!({"previous_response_id": second});
        assert_eq!(stage.plan(keys.clone()).await.unwrap().plan.prompt.items.len(), 4);
        flaky.before_items(move |query| {
            let (memory, is_it) = (memory.clone(), query.response == first && query.side == side);
            Box::pin(async move {
                if is_it {
                    memory.commit(&[JournalEntry::Delete(first)]).await.unwrap();
                }
            })
        });
        let refusal = stage.plan(keys).await.unwrap_err();
        assert_eq!(refusal, Violation::previous_not_found(second).into(), "{side:?}");
    }
}

#[tokio::test]
async fn output_that_the_log_alone_has_is_part_of_the_history() {
    let flaky = Arc::new(FlakyStore::new(Arc::new(MemoryStore::new())));
    let models = [Model::new("m", Target::new("own", "u"))].into_iter().collect();
    let stage = Stage::over(flaky.whole(), models, (LimitOptions::default(), TenAnItem)).await;
    flaky.end_without_items();
    let mut client = stage.antiphon.respond(stage.accepted(turns(1)), DeliveryMode::Ending).await.unwrap();
    let call = stage.provider.asked().await;
    call.open();
    call.text("Hello");
    call.finish();
    drop(call);
    client.phase.wait_for(|phase| matches!(phase, ResponsePhase::Ended(_))).await.unwrap();
    let Admitted { plan, .. } = stage.plan(json!({"previous_response_id": client.id})).await.unwrap();
    assert_eq!(
        plan.prompt.items.len(),
        3,
        "what was said, what was answered, what is said now: {:?}",
        plan.prompt.items
    );
}
