//! How large a group may be.

use std::time::Duration;

use super::choice::GroupBounds;
use crate::domain::GroupOptions;

/// Time alone makes no group smaller than this: so few entries take as long as one.
const SMALLEST: usize = 16;

/// The most entries of the next group, by how long the last ones took.
#[derive(Debug)]
pub(super) struct GroupSize {
    options: GroupOptions,
    entries: usize,
}

impl GroupSize {
    pub(super) fn new(options: GroupOptions) -> Self {
        Self { options, entries: options.group_entries }
    }

    /// The most that the next group may hold.
    pub(super) fn bounds(&self) -> GroupBounds {
        GroupBounds { entries: self.entries, bytes: self.options.group_bytes }
    }

    /// A group of that many entries took so long to commit. One that took too long for its size makes the next ones
    /// half as large; a full one that did not lets them grow slowly.
    pub(super) fn committed(&mut self, entries: usize, took: Duration) {
        if took > self.options.group_time {
            if entries > self.entries / 2 {
                self.entries = (entries / 2).max(SMALLEST.min(self.options.group_entries));
            }
        } else if entries >= self.entries {
            self.entries = (self.entries + self.entries.div_ceil(8)).min(self.options.group_entries);
        }
    }

    /// A group of that many entries did not finish in time: groups are at most half as large from now on.
    pub(super) fn timed_out(&mut self, entries: usize) {
        self.entries = self.entries.min(entries / 2).max(1);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::GroupSize;
    use crate::domain::GroupOptions;

    const FAST: Duration = Duration::from_millis(100);
    const SLOW: Duration = Duration::from_millis(101);

    fn size() -> GroupSize {
        GroupSize::new(GroupOptions { group_entries: 1024, group_bytes: 1 << 20, group_time: FAST })
    }

    #[test]
    fn groups_follow_the_time_that_they_take() {
        // What happened: the entries of a group and its time, and the most entries of the next group.
        let story = [
            (1024, FAST, 1024),
            (1024, SLOW, 512),
            (512, SLOW, 256),
            (256, FAST, 288),
            (288, FAST, 324),
            // A small group says nothing about large ones.
            (1, SLOW, 324),
            (162, SLOW, 324),
            (163, SLOW, 81),
            (80, FAST, 81),
            (81, FAST, 92),
            (92, SLOW, 46),
            (46, SLOW, 23),
            (23, SLOW, 16),
            (16, SLOW, 16),
        ];
        let mut size = size();
        for (entries, took, next) in story {
            size.committed(entries, took);
            assert_eq!(size.bounds().entries, next, "after {entries} entries in {took:?}");
        }
    }

    #[test]
    fn a_group_that_is_not_done_in_time_is_halved_down_to_one_entry() {
        let mut size = size();
        for entries in [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1] {
            size.timed_out(entries);
            assert_eq!(size.bounds().entries, (entries / 2).max(1));
        }
        // And it comes back.
        for _ in 0..100 {
            size.committed(size.bounds().entries, FAST);
        }
        assert_eq!(size.bounds().entries, 1024);
    }
}
