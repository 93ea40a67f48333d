//! Random numbers that a seed decides: the same on every machine, today and later.

/// A generator of the SplitMix64 family.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of a seed, one of many: each stream of the same seed is independent of the others.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xD134_2543_DE82_EF95));
        // Neighbouring seeds differ in few bits; after a few steps their numbers have nothing in common.
        for _ in 0..4 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high.saturating_sub(low) + 1)
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.within(1, 100) <= chance
    }

    /// One of the values, each as often as its weight says.
    pub(crate) fn weighted<T: Copy>(&mut self, first: (u64, T), others: &[(u64, T)]) -> T {
        let all = first.0 + others.iter().map(|(weight, _)| weight).sum::<u64>();
        let mut left = self.within(1, all.max(1));
        for (weight, value) in others {
            if left <= *weight {
                return *value;
            }
            left -= weight;
        }
        first.1
    }
}
