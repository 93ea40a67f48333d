//! The end of what users who are being deleted still run, and of deletions that were interrupted.

use std::{collections::HashSet, sync::Arc, time::Duration};

use actix::Addr;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};
use tracing::Span;

use super::{Cancel, ResponseRegistry};
use crate::actors::node::Node;
use crate::domain::Timestamp;
use crate::protocol::{ResponseId, UserId};
use crate::refusal::Refusal;
use crate::store::AccountError;

/// How often they are looked for.
const PAUSE: Duration = Duration::from_secs(1);

/// How many are begun to be ended at a look.
const BATCH: u32 = 100;

/// After that time whoever began a deletion has left it.
const ABANDONED_AFTER: Duration = Duration::from_secs(60);

/// Cancels, at intervals and without end, the responses of this node whose user is being deleted: each has its one
/// ending and its usage before the user's data goes.
pub(super) async fn end_responses_of_deleted_users(node: Arc<Node>, registry: Addr<ResponseRegistry>) {
    let look = async |limit| match node.store.responses.live_of_deleted_users(&node.name, limit).await {
        Ok(live) => live,
        Err(error) => {
            tracing::warn!(error = %error, "users who are being deleted wait for the database");
            Vec::new()
        }
    };
    end_what_is_found(look, |user, id| cancel(&node, &registry, user, id)).await;
}

/// Looks at intervals, and ends each response that is found and is not being ended already: one that does not end holds up
/// no other.
async fn end_what_is_found<E>(
    look: impl AsyncFn(u32) -> Vec<(UserId, ResponseId)>,
    end: impl Fn(UserId, ResponseId) -> E,
) where
    E: Future<Output = ()>,
{
    let mut ids = HashSet::new();
    let mut endings = FuturesUnordered::new();
    loop {
        let next_look = Instant::now() + PAUSE;
        loop {
            match timeout_at(next_look, endings.next()).await {
                Ok(Some(id)) => drop(ids.remove(&id)),
                Ok(None) => break tokio::time::sleep_until(next_look).await,
                Err(_) => break,
            }
        }
        // Those that are being ended may be found again.
        let limit = BATCH.saturating_add(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        for (user, id) in look(limit).await {
            if ids.insert(id) {
                let ending = end(user, id);
                endings.push(async move {
                    ending.await;
                    id
                });
            }
        }
    }
}

async fn cancel(node: &Node, registry: &Addr<ResponseRegistry>, user: UserId, id: ResponseId) {
    let (reply, cancelled) = oneshot::channel();
    registry.do_send(Cancel { user, id, span: Span::none(), reply });
    match tokio::time::timeout(node.settings.longest_answer(), cancelled).await {
        Ok(Ok(Ok(_) | Err(Refusal::AlreadyEnded(_) | Refusal::NotFound))) => {
            tracing::info!(response.id = %id, "a response of a user who is being deleted was ended");
        }
        // It is looked for again.
        Ok(Ok(Err(refusal))) => {
            tracing::warn!(response.id = %id, refusal = %refusal, "a response of a deleted user could not be ended");
        }
        Ok(Err(_)) | Err(_) => {
            tracing::warn!(response.id = %id, "a response of a deleted user does not end");
        }
    }
}

/// Finishes, at intervals and without end, the deletions whose beginner has left them, once nothing of the user runs.
pub(super) async fn finish_abandoned_deletions(node: Arc<Node>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Err(error) = finish_once(&node).await {
            tracing::warn!(error = %error, "a deletion of a user that was interrupted waits for the database");
        }
    }
}

async fn finish_once(node: &Node) -> Result<(), AccountError> {
    let (accounts, now) = (&node.store.accounts, node.clock.now());
    let patience = i64::try_from(ABANDONED_AFTER.as_micros()).unwrap_or(i64::MAX);
    let begun_before = Timestamp::from_micros(now.as_micros().saturating_sub(patience));
    for user in accounts.users_deleted_before(begun_before).await? {
        if accounts.responses_to_end(user).await? == 0 {
            accounts.delete_user(user, now).await?;
            node.vault.evict(user);
            tracing::info!(user.id = %user, "a deletion of a user that was interrupted is finished");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, time::Duration};

    use super::end_what_is_found;
    use crate::protocol::{ResponseId, UserId};

    #[tokio::test(start_paused = true)]
    async fn a_response_that_does_not_end_holds_up_no_other_one() {
        let (user, stuck, other) = (UserId::new(), ResponseId::new(), ResponseId::new());
        let (looks, asked) = (RefCell::new(0), RefCell::new(Vec::new()));
        let look = async |limit| {
            *looks.borrow_mut() += 1;
            let found = [(user, stuck), (user, other)];
            // The first look finds the one, and each later one both.
            found.into_iter().take(*looks.borrow()).take(limit as usize).collect()
        };
        let end = |_, id| {
            asked.borrow_mut().push(id);
            async move {
                if id == stuck {
                    std::future::pending().await
                }
            }
        };
        let _without_end = tokio::time::timeout(Duration::from_millis(2_500), end_what_is_found(look, end)).await;
        assert_eq!(*asked.borrow(), [stuck, other]);
    }
}
