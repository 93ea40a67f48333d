//! Letting go of a call without ending it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Says what dropping a call's stream means to a provider that works on without a listener: that its work is to
/// end, unless somebody else is to go on with it. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct HandOver(Arc<AtomicBool>);

impl HandOver {
    /// From now on the provider's work outlives the stream.
    pub fn arrange(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the provider's work is to outlive the stream.
    #[must_use]
    pub fn is_arranged(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
