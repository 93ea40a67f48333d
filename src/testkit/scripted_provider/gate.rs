//! A point in a script where the provider waits for the test, and the test for the provider.

use std::sync::Arc;

use tokio::sync::watch;

/// Holds a script until the test opens it. Clones are the same gate; once open it stays open.
#[derive(Debug, Clone)]
pub struct Gate {
    reached: Arc<watch::Sender<bool>>,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { reached: Arc::new(watch::Sender::new(false)), open: Arc::new(watch::Sender::new(false)) }
    }

    /// Waits until a script has reached the gate.
    pub async fn reached(&self) {
        wait(&self.reached).await;
    }

    /// Lets scripts pass.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Reports that the script has reached the gate, and waits until it is open.
    pub(super) async fn pass(&self) {
        self.reached.send_replace(true);
        wait(&self.open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

async fn wait(fact: &watch::Sender<bool>) {
    // The sender is right here, so the wait cannot fail.
    let mut changes = fact.subscribe();
    let _seen = changes.wait_for(|fact| *fact).await;
}
