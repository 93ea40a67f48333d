//! The wait that a provider asks for.

use std::time::Duration;

use hyper::header::{DATE, HeaderMap, RETRY_AFTER};

use antiphon_clock::{Clock, SystemClock};

/// The longest wait that is read. A longer one counts as this one.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `Retry-After`: seconds, or a date, which counts from the answer's own `Date` where there is one. Anything
/// else is ignored.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let until = since_epoch(value)?;
    let sent = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(since_epoch).unwrap_or_else(now);
    Some(until.saturating_sub(sent).min(LONGEST))
}

fn since_epoch(date: &str) -> Option<Duration> {
    httpdate::parse_http_date(date).ok()?.duration_since(std::time::UNIX_EPOCH).ok()
}

fn now() -> Duration {
    Duration::from_micros(u64::try_from(SystemClock.now().as_micros()).unwrap_or_default())
}
