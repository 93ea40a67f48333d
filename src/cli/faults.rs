//! What tests do to a running server from outside, in builds with the feature `fault-points` alone.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use crate::antiphon::WeakAntiphon;

/// Blocks the thread of an arbiter of responses at each SIGUSR1, another one if one is blocked already, until SIGUSR2.
/// Runs for ever.
pub(super) async fn obey_signals(antiphon: WeakAntiphon) -> io::Result<()> {
    let (mut block, mut unblock) = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
    let mut blocked = Vec::new();
    for number in 0.. {
        tokio::select! {
            _ = block.recv() => {
                if let Some(antiphon) = antiphon.upgrade() {
                    blocked.extend(antiphon.block_arbiter(number));
                }
            }
            _ = unblock.recv() => blocked.clear(),
        }
    }
    Ok(())
}
