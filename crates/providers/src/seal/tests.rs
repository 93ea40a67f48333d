#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fields(json: serde_json::Value) -> JsonObject {
    serde_json::from_value(json).unwrap()
}

fn origins() -> [Origin; 5] {
    [
        Origin::of(Protocol::ChatCompletions, &Target::new("p", "m")),
        Origin::of(Protocol::ChatCompletions, &Target::new("p", "another")),
        Origin::of(Protocol::Anthropic, &Target::new("p", "m")),
        Origin::of(Protocol::Responses, &Target::new("p", "m")),
        Origin::of(Protocol::Responses, &Target::new("another", "m")),
    ]
}

fn everything() -> Vec<Sealed> {
    let detail = fields(json!({ "type": "reasoning.encrypted", "data": "x==", "index": 0 }));
    let text = Some("hm \u{1f980}".to_owned());
    vec![
        Sealed::Signature { signature: "c2ln".to_owned(), thinking: text.clone() },
        Sealed::Redacted { data: "eA==".to_owned() },
        Sealed::Encrypted { data: "gAAAA".to_owned() },
        Sealed::Thought(SealedThought { field: Some(ThoughtField::Reasoning), text, details: vec![detail] }),
        Sealed::Call { call_id: "c1".to_owned(), fields: fields(json!({ "extra_content": { "a": [1] } })) },
    ]
}

#[test]
fn what_is_sealed_is_opened_where_it_came_from_and_nowhere_else() {
    let origins = origins();
    for (position, origin) in origins.iter().enumerate() {
        for what in everything() {
            let sealed = origin.seal(&what).unwrap();
            for (other, opener) in origins.iter().enumerate() {
                let expected = (other == position).then_some(&what);
                assert_eq!(opener.open(&sealed).as_ref(), expected, "{position} {other}");
            }
        }
        let marked = origin.mark(fields(json!({ "extra_content": 1 })));
        let own = origins.iter().map(|other| other.own(&marked)).collect::<Vec<_>>();
        assert_eq!(own.iter().flatten().count(), 1);
        assert_eq!(own[position], Some(fields(json!({ "extra_content": 1 }))));
        assert!(origin.mark(JsonObject::new()).is_empty());
    }
}

/// Another server of this kind can be the provider: it needs its own mark back.
#[test]
fn marks_lie_over_each_other() {
    let [far, _, _, near, _] = origins();
    let marked = far.mark(fields(json!({ "extra_content": 1 })));
    let both = near.mark(marked.clone());
    assert_eq!(near.own(&both), Some(marked));
    assert_eq!(far.own(&both), None);
}

#[test]
fn fields_without_a_mark_are_the_responses_apis_own() {
    for origin in origins() {
        let unmarked = fields(json!({ "namespace": "maths" }));
        let expected = (origin.protocol == Protocol::Responses).then(|| unmarked.clone());
        assert_eq!(origin.own(&unmarked), expected);
        assert_eq!(origin.own(&fields(json!({ "namespace": "maths", "antiphon_origin": 7 }))), None);
    }
}

/// Clients hold them, and databases.
#[test]
fn the_sealed_forms_of_the_first_version_are_read() {
    let [chat, _, messages, responses, _] = origins();
    let signature = Sealed::Signature { signature: "c2ln".to_owned(), thinking: None };
    assert_eq!(messages.open("anthropic.thinking.c2ln"), Some(signature));
    assert_eq!(messages.open("anthropic.redacted.eA=="), Some(Sealed::Redacted { data: "eA==".to_owned() }));
    assert_eq!(responses.open("gAAAA"), Some(Sealed::Encrypted { data: "gAAAA".to_owned() }));
    for (origin, sealed) in [
        (&messages, "gAAAA"),
        (&messages, "anthropic.thinking."),
        (&responses, ""),
        (&responses, "anthropic.thinking.c2ln"),
        (&responses, "anthropic.redacted.eA=="),
        (&chat, "gAAAA"),
        (&chat, "anthropic.thinking.c2ln"),
    ] {
        assert_eq!(origin.open(sealed), None, "{sealed}");
    }
}

#[test]
fn what_is_nested_too_deeply_to_be_read_counts_as_nothing() {
    let [origin, ..] = origins();
    let name = &origin.name;
    let deep = format!("[{name:?},{{\"call\":{{\"call_id\":\"c\",\"fields\":{{\"a\":{}", "[".repeat(100_000));
    assert_eq!(origin.open(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(deep))), None);
}

proptest! {
    /// A client can write anything.
    #[test]
    fn anything_can_stand_where_something_sealed_is_expected(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let coded = URL_SAFE_NO_PAD.encode(&bytes);
        for origin in origins() {
            let name = &origin.name;
            let named = URL_SAFE_NO_PAD.encode(format!("[{name:?},{text:?}]"));
            for sealed in [format!("{PREFIX}{text}"), format!("{PREFIX}{coded}"), format!("{PREFIX}{named}")] {
                prop_assert_eq!(origin.open(&sealed), None);
            }
        }
    }
}
