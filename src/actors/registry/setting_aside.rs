//! Saying, to the log and to the database, which responses are set aside.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::{
    ResponseRegistry,
    recovered::{Recovered, RecoveryError},
};
use crate::domain::SetAsideReason;
use crate::protocol::ResponseId;
use crate::store::{Error, SetAsideMark};

/// How many marks are written at once.
const MOST_MARKS: usize = 1_000;

impl ResponseRegistry {
    /// Says that a response is set aside.
    pub(super) fn set_aside(
        &mut self,
        id: ResponseId,
        reason: SetAsideReason,
        error: &RecoveryError,
        ctx: &mut Context<Self>,
    ) {
        let (text, advice) = (reason.as_str(), reason.advice());
        tracing::error!(response.id = %id, reason = text, error = %error, advice, "a response is set aside");
        self.write_marks(ctx);
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
            Recovered::Resumable(_) => self.clear_mark(id, ctx),
            Recovered::Over | Recovered::Taken => {}
        }
    }

    /// Writes the marks that are missing, unless that is being done.
    pub(super) fn write_marks(&mut self, ctx: &mut Context<Self>) {
        self.count_unmarked();
        let marks = self.recoveries.queue.next_marks(MOST_MARKS, self.recoveries.now());
        if marks.is_empty() {
            return;
        }
        let (node, epoch, at) = (Arc::clone(&self.node), self.epoch, self.node.clock.now());
        let marks: Vec<_> = marks.into_iter().map(|(id, reason)| (id, SetAsideMark { at, reason })).collect();
        let asked: Vec<_> = marks.iter().map(|(id, _)| *id).collect();
        let write = async move { node.store.responses.mark_set_aside(&node.name, epoch, &marks).await };
        ctx.spawn(
            write.into_actor(self).map(move |written, registry, ctx| registry.marks_written(&asked, written, ctx)),
        );
    }

    fn marks_written(
        &mut self,
        asked: &[ResponseId],
        written: Result<HashSet<ResponseId>, Error>,
        ctx: &mut Context<Self>,
    ) {
        match written {
            Ok(marked) => {
                let answers = asked.iter().map(|id| (*id, marked.contains(id)));
                for id in self.recoveries.queue.marked(answers) {
                    // It has ended, or another node has it.
                    self.recovered(id, Recovered::Taken, ctx);
                }
                for id in asked.iter().filter(|id| self.running.contains_key(id)) {
                    self.clear_mark(*id, ctx);
                }
            }
            Err(error) => {
                if self.recoveries.queue.marking_failed(self.recoveries.now()) {
                    tracing::warn!(error = %error, "no response could be marked as set aside");
                }
            }
        }
        self.count_unmarked();
        self.go_on_recovering(ctx);
    }

    fn count_unmarked(&self) {
        self.node.unmarked_set_aside.store(self.recoveries.queue.never_marked(), Ordering::Relaxed);
    }

    fn clear_mark(&self, id: ResponseId, ctx: &mut Context<Self>) {
        let node = Arc::clone(&self.node);
        let clear = async move { node.store.responses.clear_set_aside(id).await };
        ctx.spawn(clear.into_actor(self).map(move |cleared, _, _| {
            if let Err(error) = cleared {
                tracing::warn!(response.id = %id, error = %error, "the mark of a response that runs again could not be cleared");
            }
        }));
    }
}
