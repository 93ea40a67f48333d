//! Who gets how many bytes.

use super::*;

#[test]
fn each_key_has_its_share_and_all_keys_have_no_more_than_there_is() {
    let budget = SharedBodyBudget::new(10, 6);
    let rooms = ["a", "a", "b", "c"].map(|key| budget.room(key));
    let [first, second, other, third] = &rooms;
    let held = || budget.metrics().held_bytes;
    for (room, bytes, taken, in_all) in [
        (first, 4, Ok(()), 4),
        (second, 3, Err(LackOfRoom::OfKey), 4),
        (second, 2, Ok(()), 6),
        (second, 1, Err(LackOfRoom::OfKey), 6),
        (second, 0, Ok(()), 6),
        (other, 5, Err(LackOfRoom::OfNode), 6),
        (other, 4, Ok(()), 10),
        (third, 1, Err(LackOfRoom::OfNode), 10),
        (third, 0, Ok(()), 10),
        (third, usize::MAX, Err(LackOfRoom::OfKey), 10),
    ] {
        assert_eq!((room.take(bytes), held()), (taken, in_all), "{bytes} of {}", room.key);
    }
    let [first, second, other, third] = rooms;
    drop(first);
    assert_eq!((third.take(4), held()), (Ok(()), 10));
    drop((second, other, third));
    let left = budget.0.lock();
    assert_eq!(left.metrics, BodyMetrics { held_bytes: 0, refused_by_key: 3, refused_by_node: 2 });
    assert!(left.keys.is_empty(), "a key that has taken nothing is forgotten");
}
