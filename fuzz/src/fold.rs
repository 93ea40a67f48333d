//! The fold of a log: any list of facts.

use antiphon_domain::{Fact, Request, Timestamp, Transcript, segment};
use antiphon_protocol::{ResponseEvent, ResponseId};

use crate::segment::read_again;

/// A time that facts have.
const AT: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

/// The facts of a segment; or as many as can be read behind the first byte, so that one fact that can't does not hide the
/// others. The first one is made where there is none that accepts the response: all others need it.
pub(crate) fn run(bytes: &[u8]) {
    let mut facts = segment::decode(bytes).unwrap_or_else(|_| readable(bytes.get(1..).unwrap_or_default()));
    if !matches!(facts.first(), Some(Fact::Accepted { .. })) {
        facts.insert(0, accepted(Request::new("m", 100)));
    }
    check(&facts);
}

fn readable(mut bytes: &[u8]) -> Vec<Fact> {
    let mut facts = Vec::new();
    while let Ok((fact, after)) = postcard::take_from_bytes(bytes) {
        facts.push(fact);
        bytes = after;
    }
    facts
}

/// The response of all targets.
#[expect(clippy::expect_used, reason = "it is an id")]
pub(crate) fn id() -> ResponseId {
    "resp_019aa1b2c3d47000800000000000f01d".parse().expect("it is an id")
}

/// The first fact of a response to that request.
pub(crate) fn accepted(request: Request) -> Fact {
    Fact::Accepted { id: id(), at: AT, request: Box::new(request) }
}

/// Asserts what must hold of the fold of facts of which the first one accepts the response.
pub(crate) fn check(facts: &[Fact]) {
    let (mut transcript, events) = fold(facts);
    check_events(&transcript, &events);
    let (from_log, again) = fold(&read_again(facts));
    assert!(again == events, "the log folds to other events than its facts did");
    assert!(from_log.response() == transcript.response(), "the log folds to another response than its facts did");
    check_halves(facts, &events);
    // Whoever finds this log has to be able to go on with it.
    let _recovery = transcript.recovery();

    let (mut last, had_ended) = (Vec::new(), transcript.ended().is_some());
    transcript.apply(Fact::Ended { at: AT }, &mut last);
    assert!(!had_ended || last.is_empty(), "something follows the end: {last:?}");
    let all: Vec<ResponseEvent> = events.into_iter().chain(last).collect();
    check_events(&transcript, &all);
    assert!(transcript.ended().is_some(), "the last fact does not end the response");
    let mut none = Vec::new();
    facts.iter().for_each(|fact| transcript.apply(fact.clone(), &mut none));
    assert!(none.is_empty(), "something follows the end: {none:?}");
}

fn fold(facts: &[Fact]) -> (Transcript, Vec<ResponseEvent>) {
    let (mut transcript, mut events) = (Transcript::new(id()), Vec::new());
    facts.iter().for_each(|fact| transcript.apply(fact.clone(), &mut events));
    (transcript, events)
}

/// A fold that is copied in the middle of the log goes on as the original does.
fn check_halves(facts: &[Fact], events: &[ResponseEvent]) {
    let (before, after) = facts.split_at(facts.len() / 2);
    let (transcript, mut halves) = fold(before);
    let mut copy = transcript.clone();
    after.iter().for_each(|fact| copy.apply(fact.clone(), &mut halves));
    assert!(halves == events, "a copy of the fold goes on otherwise");
}

/// Events are numbered without a gap, the last one and no other ends the stream, and each can be read as it is written.
#[expect(clippy::expect_used, reason = "what is expected is what is asserted")]
fn check_events(transcript: &Transcript, events: &[ResponseEvent]) {
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.sequence_number(), number as u64, "a gap before {}", event.name());
        let is_last = number + 1 == events.len();
        assert_eq!(event.is_terminal(), is_last && transcript.ended().is_some(), "{} is number {number}", event.name());
        let written = serde_json::to_string(event).expect("an event can be written");
        let read: ResponseEvent = serde_json::from_str(&written).expect("an event can be read");
        assert_eq!(serde_json::to_string(&read).expect("an event can be written"), written);
    }
    let response = transcript.response().expect("the response is accepted");
    assert_eq!(response.status.is_terminal(), transcript.ended().is_some(), "its status is {:?}", response.status);
    assert_eq!(response.status, transcript.status());
}
