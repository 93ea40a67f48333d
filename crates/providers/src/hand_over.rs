//! Dropping a call without ending the provider's work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The choice what dropping a call's stream means for a provider that works on without a listener: its work is
/// cancelled, unless it is handed over to another listener. Clones share the choice.
#[derive(Debug, Clone, Default)]
pub struct HandOver(Arc<AtomicBool>);

impl HandOver {
    /// Lets the provider's work outlive the stream from now on.
    pub fn arrange(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the provider's work is to outlive the stream.
    #[must_use]
    pub fn is_arranged(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
