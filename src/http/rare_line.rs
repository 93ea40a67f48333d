//! What a flood would log again and again, counted: a flood of requests is no flood of lines.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long further requests are only counted.
const QUIET: Duration = Duration::from_secs(60);

/// A line about requests that is logged once a minute at most, with how many there were since the last one.
#[derive(Debug, Default)]
pub(super) struct RareLine(Mutex<Untold>);

#[derive(Debug, Default)]
struct Untold {
    told: Option<Instant>,
    requests: u64,
}

impl RareLine {
    /// Counts a request; the number that the log is to tell, if it is time to tell one.
    pub(super) fn count(&self, now: Instant) -> Option<u64> {
        let mut untold = self.0.lock();
        untold.requests += 1;
        if untold.told.is_some_and(|told| now < told + QUIET) {
            return None;
        }
        untold.told = Some(now);
        Some(std::mem::take(&mut untold.requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_those_of_a_minute_together() {
        let (keys, start) = (RareLine::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(keys.count(at(0)), Some(1));
        assert!((1..60).all(|second| keys.count(at(second)).is_none()));
        assert_eq!(keys.count(at(60)), Some(60));
        assert_eq!((keys.count(at(61)), keys.count(at(200))), (None, Some(2)));
    }
}
