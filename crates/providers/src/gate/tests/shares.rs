//! What one key leaves to others where it has no limit of its own.

use proptest::prelude::*;

use super::*;

/// Enters under a key until it is refused: those that run, those that wait, and why no more may.
fn flood(gate: &Gate, key: &str) -> (Vec<Ticket>, usize, GateRefusal) {
    let mut tickets = Vec::new();
    loop {
        match gate.enter(key) {
            Ok(ticket) => tickets.push(ticket),
            Err(refusal) => {
                let waiting = tickets.iter().filter(|ticket| !ticket.is_granted()).count();
                return (tickets, waiting, refusal);
            }
        }
    }
}

#[test]
fn one_key_leaves_a_quarter_of_the_slots_and_half_of_the_line() {
    let cases = [(1, 1, 1, 1), (2, 4, 2, 3), (3, 0, 3, 0), (4, 8, 3, 5), (8, 16, 6, 9), (1_024, 1_024, 768, 513)];
    for (slots, queue, runs, waits) in cases {
        let gate = gate(slots, queue);
        let (tickets, waiting, _) = flood(&gate, "a");
        assert_eq!((tickets.len() - waiting, waiting), (runs, waits), "{slots} slots, a line of {queue}");
    }
}

#[test]
fn who_comes_beside_a_flood_has_a_slot_at_once_or_else_the_next_free_one() {
    let roomy = gate(8, 8);
    let _flood = flood(&roomy, "a");
    let _other = permit(&roomy, "b");

    let narrow = gate(1, 8);
    let (mut flood, _, _) = flood(&narrow, "a");
    let mut other = Waiter::at(&narrow, "b");
    drop(flood.remove(0));
    let other = other.try_take();
    assert!(other.is_some(), "those of the flood came before, and had a slot before");
    drop(other);
    assert!(flood.remove(0).granted().now_or_never().is_some());
}

#[test]
fn with_a_limit_of_their_own_keys_may_have_all_slots() {
    let gate = gate_with_keys(4, 4, Some(8));
    assert_eq!(flood(&gate, "a").0.len(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// However many keys flood it: who comes new is taken in, and has a slot or else the next one that becomes free,
    /// since everybody else who waits had one or has one.
    #[test]
    fn however_many_keys_flood_it_none_starves(slots in 1..40_usize, queue in 8..64_usize, flooding in 1..4_usize) {
        let keys = flooding.min(slots);
        let gate = gate(slots, queue);
        let names: Vec<String> = (0..keys).map(|key| key.to_string()).collect();
        let mut inside: Vec<Ticket> = Vec::new();
        let mut refused = 0;
        // In turns, until all are refused one after the other.
        for key in names.iter().cycle() {
            match gate.enter(key) {
                Ok(ticket) => (inside.push(ticket), refused = 0).1,
                Err(_) => refused += 1,
            }
            if refused == keys {
                break;
            }
        }
        let newcomer = gate.enter("new");
        prop_assert!(newcomer.is_ok(), "{:?} {:?}", newcomer, gate.figures());
        let newcomer = newcomer.unwrap();
        prop_assert!(newcomer.is_granted() || slots < 3 * keys + 2, "{:?}", gate.figures());
        if newcomer.is_granted() {
            return Ok(());
        }
        let mut turn = newcomer.granted().boxed();
        let running = inside.iter().position(Ticket::is_granted).unwrap();
        drop(inside.remove(running));
        prop_assert!((&mut turn).now_or_never().is_some());
    }
}
