use proptest::prelude::*;

use super::{InputTokensDetails, MOST_TOKENS, OutputTokensDetails, Usage};

/// Input, what of it was read from the cache and written to it; output, what of it was reasoning; the total.
type Counts = (u64, u64, u64, u64, u64, u64);

fn usage(
    (input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens, total_tokens): Counts,
) -> Usage {
    Usage {
        input_tokens,
        input_tokens_details: InputTokensDetails { cached_tokens, cache_write_tokens },
        output_tokens,
        output_tokens_details: OutputTokensDetails { reasoning_tokens },
        total_tokens,
    }
}

#[test]
fn a_report_that_contradicts_itself_is_read_as_what_it_most_likely_means() {
    for (what, reported, meant) in [
        ("it adds up", (10, 4, 1, 20, 5, 30), (10, 4, 1, 20, 5, 30)),
        ("all of it zero", (0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0)),
        ("no total", (10, 4, 1, 20, 5, 0), (10, 4, 1, 20, 5, 30)),
        ("a total that fits nothing", (10, 4, 1, 20, 5, 99), (10, 4, 1, 20, 5, 30)),
        ("Gemini: thoughts beside the output, in the total", (10, 0, 0, 20, 50, 80), (10, 0, 0, 70, 50, 80)),
        ("the same, and fewer thoughts than output", (10, 0, 0, 20, 5, 35), (10, 0, 0, 25, 5, 35)),
        ("the same without a total", (10, 0, 0, 20, 50, 0), (10, 0, 0, 70, 50, 80)),
        ("the same with a total that fits nothing", (10, 0, 0, 20, 50, 7), (10, 0, 0, 70, 50, 80)),
        ("more thoughts than output, and the total has none", (10, 0, 0, 20, 50, 30), (10, 0, 0, 20, 20, 30)),
        ("Anthropic: the cache beside the input", (10, 40, 2, 20, 0, 0), (52, 40, 2, 20, 0, 72)),
        ("the same, told by the total", (10, 4, 2, 20, 0, 36), (16, 4, 2, 20, 0, 36)),
        ("the same with a total that fits nothing", (10, 40, 2, 20, 0, 7), (52, 40, 2, 20, 0, 72)),
        ("more cached than input, and the total has none", (10, 40, 2, 20, 0, 30), (10, 10, 0, 20, 0, 30)),
        ("read and written are more than the input", (10, 6, 6, 20, 0, 30), (10, 6, 4, 20, 0, 30)),
        ("cache and thoughts beside both", (10, 40, 0, 20, 50, 120), (50, 40, 0, 70, 50, 120)),
        ("the total fits in two ways, and one leaves nothing over", (10, 5, 0, 3, 5, 18), (10, 5, 0, 8, 5, 18)),
        (
            "as many as there can be",
            (MOST_TOKENS, 0, 0, MOST_TOKENS, 0, 0),
            (MOST_TOKENS, 0, 0, MOST_TOKENS, 0, 2 * MOST_TOKENS),
        ),
    ] {
        assert_eq!(usage(reported).reconciled(), Some(usage(meant)), "{what}");
    }
    let over = MOST_TOKENS + 1;
    for absurd in [
        (over, 0, 0, 1, 0, 0),
        (1, 0, 0, over, 0, 0),
        (1, over, 0, 1, 0, 0),
        (1, 0, over, 1, 0, 0),
        (1, 0, 0, 1, over, 0),
        (u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX, u64::MAX),
    ] {
        assert_eq!(usage(absurd).reconciled(), None, "{absurd:?}");
    }
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..9u64, 1 => MOST_TOKENS - 2..MOST_TOKENS + 2, 1 => any::<u64>()]
}

fn report() -> impl Strategy<Value = Usage> {
    (count(), count(), count(), count(), count(), count()).prop_map(usage)
}

fn adds_up(usage: &Usage) -> bool {
    let InputTokensDetails { cached_tokens, cache_write_tokens } = usage.input_tokens_details;
    cached_tokens + cache_write_tokens <= usage.input_tokens
        && usage.output_tokens_details.reasoning_tokens <= usage.output_tokens
        && usage.input_tokens + usage.output_tokens == usage.total_tokens
}

proptest! {
    #[test]
    fn whatever_was_reported_what_comes_of_it_adds_up(reports in proptest::collection::vec(report(), 1..9)) {
        let meant: Vec<Usage> = reports.iter().filter_map(|report| report.reconciled()).collect();
        for usage in &meant {
            prop_assert!(adds_up(usage), "{usage:?}");
            prop_assert_eq!(usage.reconciled(), Some(*usage));
        }
        for report in reports.iter().filter(|report| report.input_tokens.max(report.output_tokens) > MOST_TOKENS) {
            prop_assert_eq!(report.reconciled(), None);
        }
        prop_assert!(meant.into_iter().reduce(Usage::plus).is_none_or(|sum| adds_up(&sum)));
    }
}
