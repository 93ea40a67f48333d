//! Saying, to the log and to the database, which responses are set aside.

use std::sync::Arc;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    ResponseRegistry,
    recovered::{Recovered, RecoveryError},
};
use crate::domain::SetAsideReason;
use crate::protocol::ResponseId;
use crate::store::SetAsideMark;

impl ResponseRegistry {
    /// Says that a response is set aside.
    pub(super) fn set_aside(
        &self,
        id: ResponseId,
        reason: SetAsideReason,
        error: &RecoveryError,
        ctx: &mut Context<Self>,
    ) {
        let (text, advice) = (reason.as_str(), reason.advice());
        tracing::error!(response.id = %id, reason = text, error = %error, advice, "a response is set aside");
        self.write_mark(id, Some(reason), ctx);
    }

    /// Says that a response goes on after all. One that has ended needs no other mark.
    pub(super) fn no_longer_set_aside(
        &self,
        id: ResponseId,
        reason: SetAsideReason,
        recovered: &Recovered,
        ctx: &mut Context<Self>,
    ) {
        tracing::warn!(response.id = %id, reason = reason.as_str(), "a response that was set aside goes on");
        match recovered {
            Recovered::Resumable(_) => self.write_mark(id, None, ctx),
            Recovered::Over | Recovered::Taken => {}
        }
    }

    /// Writes the marks that could not be written before.
    pub(super) fn write_marks(&self, ctx: &mut Context<Self>) {
        for (id, reason) in self.recoveries.queue.unmarked() {
            self.write_mark(id, Some(reason), ctx);
        }
    }

    fn write_mark(&self, id: ResponseId, reason: Option<SetAsideReason>, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.node);
        let mark = reason.map(|reason| SetAsideMark { at: node.clock.now(), reason });
        let write = async move { node.store.responses.mark_set_aside(id, mark).await };
        ctx.spawn(write.into_actor(self).map(move |written, registry, _| match written {
            Ok(_) if mark.is_some() => {
                let now = registry.recoveries.now();
                registry.recoveries.queue.marked(id, now);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(response.id = %id, error = %error, "a response could not be marked as set aside, or as not");
            }
        }));
    }
}
