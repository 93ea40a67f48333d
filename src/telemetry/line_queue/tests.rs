use proptest::prelude::*;

use super::{LineQueue, QueuedText};

/// Lines of this size; of which number each is, it says.
const LINE: usize = 4;

fn line(number: u32) -> [u8; LINE] {
    number.to_be_bytes()
}

proptest! {
    /// Whatever the writer's pace, what is taken is what was pushed, in order, with the exact number of those that lack
    /// where they lack, and never more waits than there is room for.
    #[test]
    fn what_is_taken_is_what_was_pushed_with_its_gaps(
        room in 1..20_usize,
        steps in proptest::collection::vec((any::<bool>(), 1..30_usize), 1..200),
    ) {
        let mut queue = LineQueue::new(room * LINE);
        let (mut next, mut read) = (0, 0);
        let mut taken = Vec::new();
        for (pushes, bytes) in steps {
            if pushes {
                queue.push(&line(next));
                next += 1;
            } else {
                taken.extend(queue.take(bytes));
            }
            prop_assert!(queue.bytes <= room * LINE);
        }
        while !queue.is_empty() {
            taken.extend(queue.take(1));
        }
        for entry in taken {
            match entry {
                QueuedText::Line(bytes) => {
                    prop_assert_eq!(&bytes, &line(read));
                    read += 1;
                }
                QueuedText::Gap(lines) => read += u32::try_from(lines).unwrap_or(u32::MAX),
            }
        }
        prop_assert_eq!(read, next);
    }
}

#[test]
fn lines_that_could_not_be_written_are_a_gap_before_the_next_one() {
    let mut queue = LineQueue::new(100);
    queue.lose(3);
    assert!(queue.push(b"after"));
    assert_eq!(queue.take(1), [QueuedText::Gap(3), QueuedText::Line(b"after".to_vec())]);
}
