use serde_json::json;

use super::TokenCount;

#[test]
fn a_count_is_a_whole_number_and_nonsense_is_more_than_there_can_be() {
    let nonsense = Some(u64::MAX);
    for (written, count) in [
        (json!(null), None),
        (json!(0), Some(0)),
        (json!(7), Some(7)),
        (json!(u64::MAX), nonsense),
        (json!(57.0), Some(57)),
        (json!(14417.92), Some(14418)),
        (json!(0.4), Some(0)),
        (json!(-0.0), Some(0)),
        (json!(-1), nonsense),
        (json!(-0.5), nonsense),
        (json!(1e300), nonsense),
        (json!("12"), nonsense),
        (json!(true), nonsense),
        (json!([]), nonsense),
        (json!({}), nonsense),
    ] {
        assert_eq!(TokenCount::of(&written).known(), count, "{written}");
    }
}
