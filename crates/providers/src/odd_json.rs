//! Streams of events with something odd in one place, for the tests of decoders.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::Index, test_runner::TestCaseError};
use serde_json::{Value, json};

use crate::{Error, ProviderEvent};
use antiphon_domain::CallIndex;

/// Any JSON, with keys and words that mean something to nobody.
pub(crate) fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("x".repeat(70_000))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,4}", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// The pointers to all places of a value, outer ones first.
pub(crate) fn places(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(values) => values.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let below = |(key, value): (String, &Value)| {
        let key = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        let own = std::iter::once(key.clone());
        own.chain(places(value).into_iter().map(move |place| format!("{key}{place}"))).collect::<Vec<_>>()
    };
    inner.into_iter().flat_map(below).collect()
}

/// What of an answer nothing odd may cost: its text, its reasoning, its calls with their functions and arguments, and
/// its ending.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Essence {
    text: String,
    reasoning: String,
    calls: BTreeMap<CallIndex, (String, String)>,
    finished: BTreeMap<CallIndex, usize>,
    ending: Option<String>,
    result: Option<Result<(), Error>>,
}

/// What came of a stream.
type Decoded = (Vec<ProviderEvent>, Result<(), Error>);

/// The essence of what was decoded.
pub(crate) fn essence((events, result): Decoded) -> Essence {
    let mut essence = Essence { result: Some(result), ..Essence::default() };
    for event in events {
        if let ProviderEvent::Text { text, .. } = &event {
            essence.text += text;
        }
        if let ProviderEvent::Reasoning { text } | ProviderEvent::ReasoningSummary { text, .. } = &event {
            essence.reasoning += text;
        }
        if let ProviderEvent::FunctionCallStarted { call, name, .. } = &event {
            essence.calls.entry(*call).or_default().0 += name;
        }
        if let ProviderEvent::FunctionCallArguments { call, text } = &event {
            essence.calls.entry(*call).or_default().1 += text;
        }
        if let ProviderEvent::FunctionCallFinished { call, .. } = &event {
            *essence.finished.entry(*call).or_default() += 1;
        }
        if let ProviderEvent::Finished(reason) = &event {
            essence.ending = Some(reason.as_str().to_owned());
        }
    }
    essence
}

/// The events as they were changed, each behind the `event:` line that it had before.
pub(crate) fn stream_of(plain: &[Value], changed: &[Value]) -> String {
    let events = plain.iter().zip(changed);
    events.map(|(plain, changed)| format!("event: {}\ndata: {changed}\n\n", plain["type"].as_str().unwrap())).collect()
}

/// One place of an answer, what comes there in its stead, and where the stream is cut in two.
#[derive(Debug)]
pub(crate) struct OddField {
    event: Index,
    place: Index,
    odd: Value,
    cut: Index,
}

/// Any of them.
pub(crate) fn odd_field() -> impl Strategy<Value = OddField> {
    (any::<Index>(), any::<Index>(), odd_json(), any::<Index>()).prop_map(|(event, place, odd, cut)| OddField {
        event,
        place,
        odd,
        cut,
    })
}

/// Checks that the field costs nothing of the answer's essence, if it stands beside the words of its event.
///
/// # Errors
/// If it costs something, or stands nowhere beside the words.
pub(crate) fn costs_nothing(
    answer: &[Value],
    field: OddField,
    is_beside_the_words: impl Fn(&Value, &str, &Value) -> bool,
    decode: impl Fn([&[u8]; 2]) -> Decoded,
) -> Result<(), TestCaseError> {
    let OddField { event, place, odd, cut } = field;
    let event = event.index(answer.len());
    let places = places(&answer[event]);
    let place = place.get(&places);
    prop_assume!(is_beside_the_words(&answer[event], place, &odd));
    let mut changed = answer.to_vec();
    *changed[event].pointer_mut(place).unwrap() = odd;
    let stream = stream_of(answer, &changed);
    let (first, second) = stream.as_bytes().split_at(cut.index(stream.len()));
    let plain: String = answer.iter().map(|event| format!("data: {event}\n\n")).collect();
    let (found, expected) = (essence(decode([first, second])), essence(decode([plain.as_bytes(), b""])));
    prop_assert_eq!(found, expected, "{} of {}", place, event);
    Ok(())
}

/// Values that no number, text or map of this server holds as they are written.
pub(crate) const HELD_BY_TEXT_ALONE: [&str; 5] =
    ["12345678901234567890123", "1e400", r#""\ud83d""#, "1.10", r#"{"a":1,"a":2}"#];

/// How often the text is in the arguments, notes and fields that the events have, of those that it is in.
pub(crate) fn counts_of(text: &str, events: &[ProviderEvent]) -> Vec<usize> {
    let kept = events.iter().filter_map(|event| {
        if let ProviderEvent::FunctionCallArguments { text, .. } = event {
            return Some(text.as_str());
        }
        let (ProviderEvent::Annotation { annotation: fields }
        | ProviderEvent::FunctionCallFinished { extra: fields, .. }
        | ProviderEvent::ItemFinished { extra: fields }
        | ProviderEvent::OtherItemStarted { fields, .. }
        | ProviderEvent::OtherItemEvent { fields, .. }
        | ProviderEvent::OtherItemFinished { fields, .. }) = event
        else {
            return None;
        };
        Some(fields.as_str())
    });
    kept.map(|kept| kept.matches(text).count()).filter(|count| *count > 0).collect()
}
