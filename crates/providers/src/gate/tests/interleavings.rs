//! Random scripts against a model of the gate. Everything happens on one thread, poll by poll, so that a seed that
//! fails fails again.

use std::collections::{BTreeSet, VecDeque};

use super::*;

/// Small numbers from a seed (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % below as u64) as usize
    }
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

enum Hold {
    Turn(BoxFuture<'static, Permit>),
    Slot { _permit: Permit },
}

struct Client {
    key: &'static str,
    hold: Hold,
}

/// The gate, and what it should do: who has a slot, and who waits, in order of arrival.
struct Bench {
    gate: Gate,
    limits: GateLimits,
    running: Vec<Client>,
    waiting: VecDeque<Client>,
}

impl Bench {
    fn random(dice: &mut Dice) -> Self {
        let max_concurrent_per_key = [None, Some(1), Some(2)][dice.roll(3)];
        let gate = gate_with_keys(1 + dice.roll(3), dice.roll(5), max_concurrent_per_key);
        Self { limits: gate.inner.limits, gate, running: Vec::new(), waiting: VecDeque::new() }
    }

    fn clients(&self) -> impl Iterator<Item = &Client> {
        self.running.iter().chain(&self.waiting)
    }

    fn is_full(&self) -> bool {
        self.running.len() == self.limits.max_concurrent.get()
    }

    fn enter(&mut self, key: &'static str) {
        let under_key = self.clients().filter(|client| client.key == key).count();
        let expected = if self.limits.max_concurrent_per_key.is_some_and(|most| under_key == most.get()) {
            Err(GateRefusal::KeyBusy)
        } else if self.is_full() && self.waiting.len() == self.limits.max_queue {
            Err(GateRefusal::QueueFull)
        } else {
            Ok(!self.is_full())
        };
        let entered = self.gate.enter(key);
        assert_eq!(entered.as_ref().map(Ticket::is_granted).map_err(|refusal| *refusal), expected);
        let Ok(ticket) = entered else { return };
        let client = Client { key, hold: Hold::Turn(ticket.granted().boxed()) };
        if expected == Ok(true) {
            self.running.push(client);
        } else {
            self.waiting.push_back(client);
        }
    }

    /// Somebody leaves: gives a slot back, or was handed one and never noticed, or gives up its place in line.
    fn leave(&mut self, index: usize, by_panic: bool) {
        let client = if index < self.running.len() {
            let next = self.waiting.pop_front();
            let client = self.running.swap_remove(index);
            self.running.extend(next);
            client
        } else {
            self.waiting.remove(index - self.running.len()).unwrap()
        };
        if by_panic {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let _held = client;
                resume_unwind(Box::new("on purpose"));
            }));
            assert!(outcome.is_err());
        }
    }

    /// Somebody looks whether it is its turn.
    fn poll(&mut self, index: usize) {
        let has_slot = index < self.running.len();
        let client = self.running.iter_mut().chain(&mut self.waiting).nth(index).unwrap();
        if let Hold::Turn(turn) = &mut client.hold {
            let permit = turn.now_or_never();
            assert_eq!(permit.is_some(), has_slot, "whose turn it is");
            client.hold = match permit {
                Some(permit) => Hold::Slot { _permit: permit },
                None => return,
            };
        }
    }

    fn step(&mut self, dice: &mut Dice) {
        let inside = self.clients().count();
        match dice.roll(8) {
            0..=2 => self.enter(KEYS[dice.roll(KEYS.len())]),
            _ if inside == 0 => {}
            3..=4 => self.poll(dice.roll(inside)),
            5..=6 => self.leave(dice.roll(inside), false),
            _ => self.leave(dice.roll(inside), true),
        }
        self.check();
    }

    fn check(&self) {
        let figures = self.gate.figures();
        let keys: BTreeSet<_> = self.clients().map(|client| client.key).collect();
        assert_eq!((figures.running, figures.waiting), (self.running.len(), self.waiting.len()));
        assert_eq!(figures.keys, keys.len());
        let free = self.gate.inner.slots.available_permits();
        assert_eq!(free + figures.running, self.limits.max_concurrent.get());
        assert!(free == 0 || figures.waiting == 0, "somebody waits for a free slot");
    }

    /// All that are left are served, in order.
    fn drain(&mut self) {
        while !self.running.is_empty() {
            (0..self.clients().count()).for_each(|index| self.poll(index));
            self.leave(0, false);
            self.check();
        }
        assert_eq!(self.waiting.len(), 0);
    }
}

struct SaySeed(u64);

impl Drop for SaySeed {
    #[expect(clippy::print_stderr, reason = "the seed of a failure has to be told")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed is {}", self.0);
        }
    }
}

#[test]
fn no_interleaving_loses_a_slot_or_an_order_or_a_key() {
    for seed in 0..100_000 {
        let _say = SaySeed(seed);
        let mut dice = Dice::seeded(seed);
        let mut bench = Bench::random(&mut dice);
        for _ in 0..12 {
            bench.step(&mut dice);
        }
        bench.drain();
    }
}
