//! A handle for what the node itself holds.

use std::sync::{Arc, Weak};

use super::{Antiphon, handle::Inner};
use crate::actors::{ClientStream, Subscription};
use crate::domain::View;
use crate::protocol::UserId;
use crate::refusal::Refusal;

impl Antiphon {
    /// A handle that does not keep the node alive: for what the node itself holds, a provider for example.
    #[must_use]
    pub fn downgrade(&self) -> WeakAntiphon {
        WeakAntiphon(Arc::downgrade(&self.0))
    }
}

/// A handle that keeps nothing alive.
#[derive(Debug, Clone)]
pub struct WeakAntiphon(Weak<Inner>);

impl WeakAntiphon {
    /// The handle; none once the node is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Antiphon> {
        self.0.upgrade().map(Antiphon)
    }

    /// [`Antiphon::subscription`] that keeps nothing alive.
    pub(super) fn subscription(&self, user: UserId, reader: ClientStream, from: u64) -> Subscription {
        let (antiphon, id) = (self.clone(), reader.id);
        let resume = move |mode| {
            let antiphon = antiphon.upgrade();
            async move { antiphon.ok_or(Refusal::Draining)?.resume(user, id, mode).await }
        };
        Subscription::new(reader, (View::default(), from), resume)
    }
}
