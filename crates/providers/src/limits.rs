//! What a provider may send at most.

#[cfg(test)]
mod tests;

use crate::Error;
use antiphon_domain::{CallIndex, LimitOptions, ResponseOptions};

/// How many bytes JSON takes at most for one byte of a text: an escape such as `\u0041`.
const ESCAPED: usize = 6;

/// How often the last event of a protocol that repeats the output has it: as an item, a part, a text of all items.
const REPEATED: usize = 4;

/// What an event has beside the output and what it echoes: its names, ids and counts.
const BESIDE: usize = 256 << 10;

/// What an event that brings little or no output may take of a call.
const BYTES_PER_EVENT: u64 = 1024;

/// How many values an event of JSON has at least, those of an output of [`SMALL_OUTPUT`] among them. Each takes some
/// hundred bytes of memory, however short it is.
pub(crate) const LEAST_EVENT_VALUES: usize = 256 << 10;

/// The largest output whose values are among those.
const SMALL_OUTPUT: usize = 1 << 20;

/// How many bytes of output there are for each value: the probabilities of tokens have the most, an array of the bytes of
/// each token, and a byte counts once as text and four times as a number.
const BYTES_PER_VALUE: usize = 5;

/// How many details a thought may have for each item of an answer.
const DETAILS_PER_ITEM: usize = 4;

/// What is wrong with an event, or an answer that is no stream, of too many values.
pub(crate) const TOO_MANY_VALUES: Error =
    Error::Protocol { what: "an event holds more values than limits.provider_event_values" };

/// What is wrong with an answer of too many function calls.
pub(crate) const TOO_MANY_CALLS: Error = Error::Protocol { what: "more function calls than limits.provider_calls" };

/// What is wrong with an answer of too many items or blocks, and with an item of too many parts.
pub(crate) const TOO_MANY_ITEMS: Error =
    Error::Protocol { what: "more items, blocks or parts than limits.provider_items" };

/// What is wrong with a call whose function has a name that is too long.
pub(crate) const NAME_TOO_LONG: Error =
    Error::Protocol { what: "the name of a function is longer than limits.function_name_chars" };

/// What is wrong with a call of too many arguments.
pub(crate) const ARGUMENTS_TOO_LONG: Error =
    Error::Protocol { what: "the arguments of a function call are longer than responses.max_output_bytes" };

/// The longest name of a service tier, in bytes.
pub(crate) const LONGEST_TIER: usize = 64;

/// Bounds on the bytes of one call, so that a hostile or broken provider costs a bounded amount of memory. Those on the
/// wire follow from those on the content: a limit on bytes of the wire must not refuse content that is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpstreamLimits {
    /// The most bytes of one event, line ends and field names included.
    pub frame_bytes: usize,
    /// How many more an event may have with a protocol that echoes the request and repeats the output.
    pub echo_bytes: usize,
    /// How many more a call may have with such a protocol.
    pub call_echo_bytes: u64,
    /// The most bytes of one call beside those that its events are allowed: each a kilobyte, and its output as JSON has
    /// it. An event is allowed them once it is there, so that one event is within these in any case.
    pub call_bytes: u64,
    /// The most bytes of the arguments of one function call, and the most events that are allowed their bytes.
    pub output_bytes: usize,
    /// The most bytes of one id.
    pub id_bytes: usize,
    /// The most values of one event as JSON, at every depth.
    pub event_values: usize,
    /// The most function calls.
    pub calls: CallIndex,
    /// The most items or blocks, and the most parts of one item.
    pub items: u32,
    /// The most bytes of the name of a function.
    pub name_bytes: usize,
}

impl UpstreamLimits {
    /// The limits of the options, where an output has so many bytes at most.
    #[must_use]
    pub fn of(limits: &LimitOptions, max_output_bytes: usize) -> Self {
        let mut least = Self::least(limits, max_output_bytes);
        if limits.provider_event_values > 0 {
            least.event_values = limits.provider_event_values;
        }
        match limits.provider_event_bytes {
            0 => least,
            frame_bytes => {
                let call_bytes = Self::least_of_call(limits, frame_bytes);
                Self { frame_bytes, echo_bytes: 0, call_bytes, ..least }
            }
        }
    }

    /// The least limits that refuse no output of so many bytes, however it is written.
    #[must_use]
    pub fn least(limits: &LimitOptions, max_output_bytes: usize) -> Self {
        // A request's instructions and its tools are echoed.
        let echo = (REPEATED - 1) * max_output_bytes + 2 * limits.input_bytes;
        let frame_bytes = ESCAPED * (max_output_bytes + limits.id_chars) + BESIDE;
        Self {
            frame_bytes,
            echo_bytes: ESCAPED * echo,
            // The first events echo the request, and the last ones repeat the output.
            call_echo_bytes: (REPEATED * ESCAPED * echo) as u64,
            call_bytes: Self::least_of_call(limits, frame_bytes),
            output_bytes: max_output_bytes,
            id_bytes: limits.id_chars,
            event_values: LEAST_EVENT_VALUES + max_output_bytes.saturating_sub(SMALL_OUTPUT) / BYTES_PER_VALUE,
            calls: limits.provider_calls,
            items: limits.provider_items,
            name_bytes: limits.function_name_chars,
        }
    }

    /// The limits with a protocol that echoes the request and repeats the output.
    pub(crate) fn with_echoes(self) -> Self {
        let (frame_bytes, call_bytes) = (self.frame_bytes + self.echo_bytes, self.call_bytes + self.call_echo_bytes);
        Self { frame_bytes, call_bytes, ..self }
    }

    /// The most entries of one thought.
    pub(crate) fn details(self) -> usize {
        DETAILS_PER_ITEM * self.items as usize
    }

    fn least_of_call(limits: &LimitOptions, frame_bytes: usize) -> u64 {
        (limits.provider_call_bytes + frame_bytes) as u64
    }

    /// How many bytes of a call an event is allowed that brought so much output.
    pub(crate) fn of_event(output_bytes: usize) -> u64 {
        BYTES_PER_EVENT + (ESCAPED * output_bytes) as u64
    }
}

impl Default for UpstreamLimits {
    /// Those of the default options.
    fn default() -> Self {
        Self::of(&LimitOptions::default(), ResponseOptions::default().max_output_bytes)
    }
}
