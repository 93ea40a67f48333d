//! How long to wait before the same thing is tried again with the database.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(60);

/// The pause after that many failed tries in a row: it doubles with each.
pub(crate) fn pause_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(u32::BITS - 1);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, pause_after};

    #[test]
    fn the_pauses_double_up_to_a_minute() {
        let millis: Vec<u128> = (1..=10).map(|failures| pause_after(failures).as_millis()).collect();
        assert_eq!(millis, [250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
        assert_eq!(pause_after(u32::MAX), LONGEST);
    }
}
