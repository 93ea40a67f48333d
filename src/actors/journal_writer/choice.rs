//! Which of the entries that wait are committed next.

use std::collections::HashSet;

use crate::protocol::ResponseId;

/// The part of a group's bytes up to which an entry is a small one.
const SMALL: usize = 64;

/// The most that a group may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupBounds {
    pub(super) entries: usize,
    /// Of what the entries hold; the oldest one may have more.
    pub(super) bytes: usize,
}

/// The positions of the entries that make the next group, in the order in which they wait; each entry is told by its
/// response and its bytes.
///
/// The oldest one is always among them, so none waits for ever. Small ones come before large ones: a few words wait for
/// one transaction, however many megabytes wait beside them. One entry of a response is taken and never a later one
/// before it, since the store writes entries of different responses at once; of responses that have earlier entries elsewhere
/// none is.
pub(super) fn choose(
    waiting: impl Iterator<Item = (ResponseId, usize)>,
    mut earlier: HashSet<ResponseId>,
    bounds: GroupBounds,
) -> Vec<usize> {
    let firsts = waiting.enumerate().filter(|(_, (response, _))| earlier.insert(*response));
    let mut candidates = firsts.map(|(position, (_, bytes))| (position, bytes));
    let Some((oldest, oldest_bytes)) = candidates.next() else { return Vec::new() };
    let (small, large): (Vec<_>, Vec<_>) = candidates.partition(|(_, bytes)| *bytes <= bounds.bytes / SMALL);
    let (mut chosen, mut bytes) = (vec![oldest], 0);
    chosen.extend(fitting(small, bounds, 1, &mut bytes));
    bytes += oldest_bytes;
    let taken = chosen.len();
    chosen.extend(fitting(large, bounds, taken, &mut bytes));
    chosen.sort_unstable();
    chosen
}

/// The first of these that have room beside those that are taken.
fn fitting(
    candidates: Vec<(usize, usize)>,
    bounds: GroupBounds,
    taken: usize,
    bytes: &mut usize,
) -> impl Iterator<Item = usize> {
    let room = bounds.entries.saturating_sub(taken);
    let fits = move |(_, size): &(usize, usize)| {
        let has_room = *bytes + size <= bounds.bytes;
        if has_room {
            *bytes += size;
        }
        has_room
    };
    candidates.into_iter().take(room).take_while(fits).map(|(position, _)| position)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::{GroupBounds, SMALL, choose};
    use crate::protocol::ResponseId;

    const BOUNDS: GroupBounds = GroupBounds { entries: 4, bytes: 100 * SMALL };

    /// The positions that are chosen of entries, each told by the number of its response and its bytes.
    fn chosen(waiting: &[(usize, usize)], bounds: GroupBounds) -> Vec<usize> {
        let ids: Vec<_> = (0..=waiting.len()).map(|_| ResponseId::new()).collect();
        choose(waiting.iter().map(|(response, bytes)| (ids[*response], *bytes)), HashSet::new(), bounds)
    }

    #[test]
    fn none_is_chosen_of_a_response_with_earlier_entries_elsewhere() {
        let [one, other] = [ResponseId::new(), ResponseId::new()];
        assert_eq!(choose([(one, 1), (other, 1), (one, 1)].into_iter(), HashSet::from([one]), BOUNDS), [1]);
    }

    #[test]
    fn small_entries_come_first_and_the_oldest_always() {
        const LARGE: usize = 30 * SMALL;
        for (waiting, expected) in [
            (vec![], vec![]),
            // As many as a group may hold.
            (vec![(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)], vec![0, 1, 2, 3]),
            // Those that are large wait for a group with room.
            (vec![(0, LARGE), (1, LARGE), (2, LARGE), (3, LARGE)], vec![0, 1, 2]),
            // Those that are small do not wait for them.
            (vec![(0, LARGE), (1, LARGE), (2, LARGE), (3, 1), (4, 1), (5, 1)], vec![0, 3, 4, 5]),
            // The oldest may be larger than a group, and then no other large one goes with it.
            (vec![(0, 101 * SMALL), (1, LARGE), (2, 100)], vec![0, 2]),
            // A response's entries stay in their order, and one goes at a time.
            (vec![(0, 1), (0, 1), (1, 1)], vec![0, 2]),
            (vec![(0, LARGE), (1, 90 * SMALL), (1, 1), (2, 1)], vec![0, 3]),
        ] {
            assert_eq!(chosen(&waiting, BOUNDS), expected, "of {waiting:?}");
        }
    }

    proptest! {
        #[test]
        fn every_group_is_bounded_in_order_and_takes_the_oldest(
            waiting in prop::collection::vec((0_usize..20, 0_usize..2_000), 1..20),
            entries in 1_usize..8,
            bytes in 64_usize..4_000,
        ) {
            let waiting: Vec<_> = waiting.iter().map(|(response, size)| (response % waiting.len(), *size)).collect();
            let chosen = chosen(&waiting, GroupBounds { entries, bytes });
            prop_assert_eq!(chosen.first(), Some(&0));
            prop_assert!(chosen.len() <= entries);
            prop_assert!(chosen.is_sorted());
            let size: usize = chosen.iter().skip(1).map(|position| waiting[*position].1).sum();
            prop_assert!(size <= bytes);
            for position in &chosen {
                prop_assert!(waiting[..*position].iter().all(|(response, _)| *response != waiting[*position].0));
            }
        }
    }
}
