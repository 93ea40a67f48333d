//! How many streams, and what is in each.

use std::time::Duration;

use crate::speaker::Speech;

/// The streams of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// How many are open at a time.
    pub(crate) streams: usize,
    /// How many each client reads, one after the other.
    pub(crate) after_each_other: usize,
    /// What is in each.
    pub(crate) speech: Speech,
}

impl Plan {
    /// About ten seconds of streams. Few streams are short, so that many of them begin; many streams are slow, so
    /// that two processors have time left and nothing is measured but a queue.
    pub(crate) fn of(streams: usize) -> Self {
        let speech =
            |deltas, millis| Speech { number: 0, deltas, interval: Duration::from_millis(millis), ..Speech::default() };
        match streams {
            0..10 => Self { streams, after_each_other: 50, speech: speech(11, 20) },
            _ => Self { streams, after_each_other: 4, speech: speech(26, 100) },
        }
    }

    /// As many streams at a time, but only once.
    pub(crate) fn warm_up(self) -> Self {
        Self { after_each_other: 1, ..self }
    }

    /// How long a client waits before its first stream: all of them together begin one after the other.
    pub(crate) fn out_of_step(self, number: usize) -> Duration {
        let stream = self.speech.interval.mul_f64(self.speech.deltas as f64);
        stream.mul_f64(number as f64 / self.streams as f64)
    }
}
