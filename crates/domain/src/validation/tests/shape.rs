//! What stands in a request is counted before anything is made of it.

use proptest::prelude::*;

use crate::{LimitOptions, RequestShape, ShapeError};

const LIMITS: LimitOptions = LimitOptions { input_items: 3, request_values: 10, ..LimitOptions::DEFAULT };

fn shape(body: &str) -> Result<(usize, usize), String> {
    match RequestShape::of(body.as_bytes(), &LIMITS) {
        Ok(RequestShape { items, values }) => Ok((items, values)),
        Err(ShapeError::TooMany(violation)) => Err(violation.param),
        Err(ShapeError::NoJson(error)) => Err(format!("no JSON at {}:{}", error.line(), error.column())),
    }
}

#[test]
fn items_and_values_are_counted_where_they_stand() {
    for (body, expected) in [
        ("{}", (0, 0)),
        (r#"{"input":"a,[{b"}"#, (0, 0)),
        (r#"{"input":"\u0041","model":"m"}"#, (0, 1)),
        (r#"{"inp\u0075t":[{},{},{}]}"#, (3, 0)),
        (r#"{"input":[{"role":"user","content":"x"}]}"#, (1, 2)),
        (r#"{"input":[{"content":[{"text":"a"},{"logprobs":[1,2,3,4,5,6,7,8,9]}]}]}"#, (1, 3)),
        (r#"{"input":[{"content":[{"prompt_cache_breakpoint":{"a":[1,2]}}]}]}"#, (1, 6)),
        (r#"{"input":[{"unknown":[[],{},"]]]"]}]}"#, (1, 6)),
        (r#"{"tools":[{"type":"function"}]}"#, (0, 3)),
        (r#"{"unknown":[ 1 , 2 ],"metadata":{ }}"#, (0, 5)),
        // Whoever reads these says what is wrong with them.
        (r#"{"input":[[1,2],3,null]}"#, (3, 0)),
        (r#"{"input":{"a":[1,2]}}"#, (0, 0)),
        (r#"{"input":[{"content":{"a":[1,2]}},{"content":[[1,2],1.5,true,-1]}]}"#, (2, 6)),
        ("[1,2]", (0, 0)),
        ("7", (0, 0)),
    ] {
        assert_eq!(shape(body), Ok(expected), "{body}");
    }
}

#[test]
fn what_is_over_a_limit_is_named_and_the_rest_is_not_looked_at() {
    let many = |value: &str| [value; 11].join(",");
    for (param, body) in [
        ("input", r#"{"input":[{},{},{},{},no json"#.to_owned()),
        ("input", format!(r#"{{"input":[{{"content":[{}]}}]}}"#, many("{}"))),
        ("input", format!(r#"{{"input":[{{"unknown":[{}]}}]}}"#, many("{}"))),
        ("input", format!(r#"{{"input":[{{"content":[{{"prompt_cache_breakpoint":[{}]}}]}}]}}"#, many("0"))),
        ("tools", format!(r#"{{"model":"m","tools":[{}],no json"#, many("0"))),
        ("conversation", format!(r#"{{"conversation":[{}]}}"#, many("0"))),
        ("unknown", format!(r#"{{"unknown":[{}]}}"#, many("0"))),
    ] {
        assert_eq!(shape(&body), Err(param.to_owned()), "{body}");
    }
    let long = format!(r#"{{"{}":[{}]}}"#, "k".repeat(1000), many("0"));
    assert_eq!(shape(&long), Err("k".repeat(100)));
}

#[test]
fn what_is_no_json_is_told_with_its_place() {
    for (body, place) in [("{\"a\":\n tru}", "2:5"), ("{} {}", "1:4"), ("{", "1:1")] {
        assert_eq!(shape(body), Err(format!("no JSON at {place}")), "{body:?}");
    }
    let invalid = RequestShape::of(b"{\"a\":\"\xff\",\"input\":[{},{},{},{}]}", &LIMITS);
    assert!(matches!(invalid, Err(ShapeError::NoJson(_))), "nothing behind it goes uncounted: {invalid:?}");
}

proptest! {
    /// However a document is made, what its reader builds one by one was counted.
    #[test]
    fn no_item_goes_uncounted(parts in prop::collection::vec(0_usize..5, 0..6)) {
        let item = |parts: &usize| format!(r#"{{"content":[{}]}}"#, vec!["{}"; *parts].join(" , "));
        let items: Vec<String> = parts.iter().map(item).collect();
        let body = format!(r#"{{"input": [{}] }}"#, items.join(","));
        let limits = LimitOptions { input_items: 100, request_values: 1000, ..LimitOptions::DEFAULT };
        let shape = RequestShape::of(body.as_bytes(), &limits).map_err(|_| TestCaseError::fail("it is JSON"))?;
        prop_assert_eq!(shape.items, parts.len());
        prop_assert_eq!(shape.values, parts.len() + parts.iter().sum::<usize>());
    }
}
