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
    /// The keys that were given slots, in order, of those that are inside.
    served: Vec<&'static str>,
}

impl Bench {
    fn random(dice: &mut Dice) -> Self {
        let max_concurrent_per_key = [None, Some(1), Some(2)][dice.roll(3)];
        let gate = gate_with_keys(1 + dice.roll(6), dice.roll(7), max_concurrent_per_key);
        Self { limits: gate.inner.limits, gate, running: Vec::new(), waiting: VecDeque::new(), served: Vec::new() }
    }

    fn clients(&self) -> impl Iterator<Item = &Client> {
        self.running.iter().chain(&self.waiting)
    }

    fn running_under(&self, key: &str) -> usize {
        self.running.iter().filter(|client| client.key == key).count()
    }

    fn may_run(&self, key: &str) -> bool {
        let free = self.limits.max_concurrent.get() - self.running.len();
        let is_shared = self.limits.max_concurrent_per_key.is_none();
        free > 0 && (!is_shared || self.running_under(key) < 3 * free)
    }

    fn expected(&self, key: &str) -> Result<bool, GateRefusal> {
        let under_key = self.clients().filter(|client| client.key == key).count();
        let waiting_under_key = under_key - self.running_under(key);
        let room = self.limits.max_queue - self.waiting.len();
        match self.limits.max_concurrent_per_key {
            Some(most) if under_key == most.get() => Err(GateRefusal::KeyBusy),
            _ if self.may_run(key) => Ok(true),
            _ if room == 0 => Err(GateRefusal::QueueFull),
            None if waiting_under_key > room => Err(GateRefusal::KeyBusy),
            _ => Ok(false),
        }
    }

    fn enter(&mut self, key: &'static str) {
        let expected = self.expected(key);
        let entered = self.gate.enter(key);
        assert_eq!(entered.as_ref().map(Ticket::is_granted).map_err(|refusal| *refusal), expected);
        let Ok(ticket) = entered else { return };
        let client = Client { key, hold: Hold::Turn(ticket.granted().boxed()) };
        if expected == Ok(true) {
            self.run(client);
        } else {
            self.waiting.push_back(client);
        }
    }

    /// Somebody leaves: gives a slot back, or was handed one and never noticed, or gives up its place in line.
    fn leave(&mut self, index: usize, by_panic: bool) {
        let client = if index < self.running.len() {
            self.running.swap_remove(index)
        } else {
            self.waiting.remove(index - self.running.len()).unwrap()
        };
        self.hand_over();
        if by_panic {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let _held = client;
                resume_unwind(Box::new("on purpose"));
            }));
            assert!(outcome.is_err());
        }
    }

    fn run(&mut self, client: Client) {
        self.served.push(client.key);
        self.running.push(client);
    }

    /// Whose key has the fewest slots is next, of those whose key was served the longest ago, of those the first.
    fn hand_over(&mut self) {
        let inside: BTreeSet<_> = self.clients().map(|client| client.key).collect();
        self.served.retain(|key| inside.contains(key));
        let next = |bench: &Self| {
            let turn = |key: &str| (bench.running_under(key), bench.served.iter().rposition(|served| *served == key));
            let waiting = bench.waiting.iter().enumerate();
            let (index, client) = waiting.min_by_key(|(index, client)| (turn(client.key), *index))?;
            bench.may_run(client.key).then_some(index)
        };
        while let Some(index) = next(self) {
            let client = self.waiting.remove(index).unwrap();
            self.run(client);
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
        assert!(figures.running <= self.limits.max_concurrent.get());
        let is_held_up = |client: &Client| !self.may_run(client.key);
        assert!(self.waiting.iter().all(is_held_up), "somebody waits for a free slot");
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
    for seed in 0..50_000 {
        let _say = SaySeed(seed);
        let mut dice = Dice::seeded(seed);
        let mut bench = Bench::random(&mut dice);
        for _ in 0..12 {
            bench.step(&mut dice);
        }
        bench.drain();
    }
}
