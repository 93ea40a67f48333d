//! What a handle does with responses.

use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::Span;

use super::Antiphon;
use crate::actors::{
    AdmissionSlot, Begin, Cancel, ClientStream, Delete, DeliveryMode, Join, ResponseOutcome, Withdraw,
    check_without_input, client_channel, find, load_response, open_page,
};
use crate::domain::{RunPlan, Violation};
use crate::protocol::{Item, ItemId, Response, ResponseId, Status, UserId};
use crate::provider::GateRefusal;
use crate::refusal::Refusal;
use crate::store::{self, ItemQuery, ItemSide, SortOrder};
use crate::vault;

/// Which of a response's input items are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputItemsQuery {
    /// In which order they are given.
    pub order: SortOrder,
    /// Only those that follow this one in that order.
    pub after: Option<ItemId>,
    /// The most that are given.
    pub limit: u32,
}

/// Some of a response's input items.
#[derive(Debug, Clone, PartialEq)]
pub struct InputItemsPage {
    /// The items, in the order that was asked for.
    pub items: Vec<Item>,
    /// Whether there are more behind them.
    pub has_more: bool,
}

impl Antiphon {
    /// Admits a response and starts it. Returns once it is durable; from then on it reaches its end whatever
    /// the caller does.
    ///
    /// # Errors
    /// If it could not be admitted: then there is no such response, or it will be settled as failed.
    /// [`Refusal::NotResponding`]: the thread that was to run it is blocked.
    pub async fn respond(&self, mut plan: RunPlan, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        let node = self.node();
        if self.is_draining() {
            return Err(Refusal::Draining);
        }
        if node.journal.is_away() {
            return Err(Refusal::DatabaseUnavailable);
        }
        self.leave_out_the_unable(&mut plan)?;
        let key = match plan.request.store {
            true => Some(node.vault.user_key(plan.user).await.map_err(without_user_key)?.response_key(plan.id)),
            false => None,
        };
        let (client, stream) = client_channel(plan.id, mode, node.settings.emission_buffer);
        let (reply, answer) = oneshot::channel();
        let registry = self.registry().await?;
        if !self.has_lease() {
            return Err(Refusal::NoLease);
        }
        let (id, longest) = (plan.id, node.settings.longest_answer());
        let slot = if plan.request.background { AdmissionSlot::Background } else { self.enter_gate(&mut plan)? };
        registry.do_send(Begin { plan, key, slot, client, reply });
        match tokio::time::timeout(longest, self.answer(answer)).await {
            Ok(Some(answer)) => answer.map(|()| stream),
            // Not asked twice: it may have begun. A supervisor that is given up takes its answer with it.
            Ok(None) => Err(if self.has_blocked_thread(id).await { Refusal::NotResponding } else { Refusal::Internal }),
            Err(_elapsed) => {
                registry.do_send(Withdraw { id });
                Err(Refusal::NotResponding)
            }
        }
    }

    /// Whether a supervisor that is gone may be so because its thread is blocked. The watch may find that later than the
    /// registry has.
    async fn has_blocked_thread(&self, id: ResponseId) -> bool {
        let node = self.node();
        let Some(arbiter) = node.arbiters.of(id).filter(|_| node.arbiters.hung() == 0) else { return true };
        let (tell, told) = oneshot::channel();
        arbiter.spawn_fn(move || {
            // Nobody waits any more where this takes long.
            let _late = tell.send(());
        });
        !matches!(tokio::time::timeout(node.settings.heartbeat, told).await, Ok(Ok(())))
    }

    /// Takes the targets out of the plan whose provider can't honour a parameter of the request.
    fn leave_out_the_unable(&self, plan: &mut RunPlan) -> Result<(), Refusal> {
        let refused = self.node().keep_able(&mut plan.targets, &plan.request);
        match refused.filter(|_| plan.targets.is_empty()) {
            Some(param) => Err(Violation::unsupported(param).into()),
            None => Ok(()),
        }
    }

    /// A slot at the first of the targets that takes one more; those before it are not asked.
    fn enter_gate(&self, plan: &mut RunPlan) -> Result<AdmissionSlot, Refusal> {
        let mut refused = Refusal::Internal;
        for (position, target) in plan.targets.iter().enumerate() {
            let upstream = self.node().upstreams.get(&target.provider).ok_or(Refusal::Internal)?;
            match upstream.control.enter(&plan.caller) {
                Ok(ticket) => {
                    plan.targets.drain(..position);
                    return Ok(AdmissionSlot::Gate(ticket));
                }
                Err(full @ GateRefusal::QueueFull) => refused = full.into(),
                // Another model is no way around a limit on the caller.
                Err(busy @ GateRefusal::KeyBusy) => return Err(busy.into()),
            }
        }
        Err(refused)
    }

    /// Reads a stored response of that user, running or long ended.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn subscribe(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        self.join(user, id, mode, false).await
    }

    /// Goes on for a client that had a [`ClientStream`] of the response and lost it through no fault of its own.
    ///
    /// # Errors
    /// [`Refusal`]; [`Refusal::Interrupted`] if it was not stored and what ran it is gone.
    pub async fn resume(&self, user: UserId, id: ResponseId, mode: DeliveryMode) -> Result<ClientStream, Refusal> {
        match self.join(user, id, mode, true).await {
            Err(Refusal::NotFound) => Err(self.why_lost(user, id).await?),
            joined => joined,
        }
    }

    /// Why a client that had a stream of a response finds it no more.
    async fn why_lost(&self, user: UserId, id: ResponseId) -> Result<Refusal, Refusal> {
        let row = self.node().store.responses.response(id).await?.filter(|row| row.user == user && !row.stored);
        Ok(match row.map(|row| row.status) {
            Some(Status::Queued | Status::InProgress | Status::Failed) => Refusal::Interrupted,
            Some(Status::Completed | Status::Incomplete | Status::Cancelled) | None => Refusal::NotFound,
        })
    }

    pub(super) async fn join(
        &self,
        user: UserId,
        id: ResponseId,
        mode: DeliveryMode,
        returning: bool,
    ) -> Result<ClientStream, Refusal> {
        let buffer = self.node().settings.emission_buffer;
        let joined = self.ask(self.node().settings.longest_answer(), |reply| {
            let (client, stream) = client_channel(id, mode, buffer);
            (Join { user, id, returning, client, span: Span::current(), reply }, stream)
        });
        joined.await.map(|((), stream)| stream)
    }

    /// A stored response as of now.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn retrieve(&self, user: UserId, id: ResponseId) -> Result<Response, Refusal> {
        load_response(self.node(), user, id).await.map(Arc::unwrap_or_clone)
    }

    /// Cancels a response of that user. Returns once its ending is durable.
    ///
    /// # Errors
    /// [`Refusal::AlreadyEnded`]: it has ended in another way. [`Refusal::DatabaseUnavailable`]: it will be cancelled,
    /// and the database is away and can't confirm it.
    pub async fn cancel(&self, user: UserId, id: ResponseId) -> Result<Arc<ResponseOutcome>, Refusal> {
        let cancelled = self.ask(self.node().settings.longest_ending(), |reply| {
            (Cancel { user, id, span: Span::current(), reply }, ())
        });
        cancelled.await.map(|(outcome, ())| outcome)
    }

    /// Cancels a stored response of that user if it runs, and deletes all of it.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn delete(&self, user: UserId, id: ResponseId) -> Result<(), Refusal> {
        let longest = self.node().settings.longest_ending() + self.node().settings.longest_answer();
        let deleted = self.ask(longest, |reply| (Delete { user, id, span: Span::current(), reply }, ()));
        deleted.await.map(|((), ())| ())
    }

    /// A page of the items that were the input of a stored response.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] if the query's cursor names no item of it, [`Refusal::NotFound`].
    pub async fn input_items(
        &self,
        user: UserId,
        id: ResponseId,
        query: InputItemsQuery,
    ) -> Result<InputItemsPage, Refusal> {
        let InputItemsQuery { order, after, limit } = query;
        let found = find(self.node(), user, id).await?;
        let after = after.map(|after| found.log.key().stored_item_id(&after));
        let query = ItemQuery { response: id, side: ItemSide::Input, order, after, limit };
        let page = match self.node().store.responses.items(query.clone()).await {
            Err(store::Error::UnknownCursor) => {
                return Err(Violation::invalid("after", "there is no such item in the list").into());
            }
            page => page?,
        };
        if page.items.is_empty() && page.after.is_none() {
            check_without_input(&found.log).await?;
        }
        let items = open_page(found.log.key(), &query, &page)?;
        Ok(InputItemsPage { items, has_more: page.has_more })
    }
}

/// Why a response can't be admitted without its user's key.
pub(super) fn without_user_key(error: vault::Error) -> Refusal {
    let refusal = Refusal::from(error);
    if refusal == Refusal::NotFound { Refusal::UserDeleted } else { refusal }
}
