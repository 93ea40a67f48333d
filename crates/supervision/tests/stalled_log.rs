//! A log whose reader stands still. The log is the process's, so the test has a process of its own.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use antiphon_supervision::Arbiters;
use parking_lot::Mutex;
use tracing::span::{Attributes, Record};
use tracing::{Event, Id, Metadata, Subscriber, subscriber};

/// A log that stands still until the sender of its channel is dropped.
struct StalledLog(Mutex<Receiver<()>>);

impl Subscriber for StalledLog {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        let _released = self.0.lock().recv();
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[test]
fn a_root_that_hangs_is_told_though_the_log_stands_still() -> Result<(), Box<dyn std::error::Error>> {
    let (stall, stalled) = channel();
    subscriber::set_global_default(StalledLog(Mutex::new(stalled)))?;
    let arbiters = Arbiters::start(1)?;
    let (block, blocked) = channel::<()>();
    arbiters.root().spawn_fn(move || {
        let _released = blocked.recv();
    });
    let (tell, told) = channel();
    arbiters.watch(Duration::from_millis(5), 3, move || {
        let _heard = tell.send(());
    });
    told.recv_timeout(Duration::from_secs(30))?;
    drop((stall, block));
    Ok(())
}
