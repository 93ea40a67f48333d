//! The requests of clients.

use antiphon_domain::{Fact, LimitOptions, RequestShape, ShapeError, Timestamp, ValidatedRequest, validate};
use antiphon_protocol::{ContentParam, CreateResponse, Input, Item};

use crate::fold;

#[expect(clippy::expect_used, reason = "what is expected is what is asserted")]
pub(crate) fn run(bytes: &[u8]) {
    // The API takes nothing but an object, and what is no UTF-8 is no JSON, whoever skips it without a look.
    let is_text = std::str::from_utf8(bytes).is_ok();
    if !is_text || bytes.trim_ascii_start().first() != Some(&b'{') {
        return;
    }
    let (id, limits) = (fold::id(), LimitOptions::default());
    let shape = RequestShape::of(bytes, &limits);
    let Ok(create) = serde_json::from_slice::<CreateResponse>(bytes) else { return };
    check_shape(&create, shape);
    if holds_object(&create) {
        return assert!(validate(create, id, &limits).is_err(), "what is not kept is accepted");
    }
    let written = serde_json::to_vec(&create).expect("a request can be written");
    let again: CreateResponse = serde_json::from_slice(&written).expect("a request that is written can be read");
    assert!(serde_json::to_vec(&again).expect("a request can be written") == written, "it is written otherwise");
    assert!(again == create, "what is written is read as another request");

    let Ok(validated) = validate(create, id, &limits) else { return };
    let ValidatedRequest { request, input, .. } = &validated;
    assert!(validate(again, id, &limits).as_ref() == Ok(&validated), "what is written is understood otherwise");
    let written = serde_json::to_string(input).expect("items can be written");
    let items: Vec<Item> = serde_json::from_str(&written).expect("items can be read");
    assert!(items == *input, "the input is read as another one");
    fold::check(&[fold::accepted(request.clone()), Fact::Ended { at: Timestamp::from_micros(1) }]);
}

/// Whether it has an object where no item that this server knows has one: what is in it is not kept.
fn holds_object(create: &CreateResponse) -> bool {
    let Some(Input::Items(items)) = &create.input else { return false };
    let contents = items.iter().flat_map(|item| [&item.content, &item.arguments, &item.output, &item.summary]);
    contents.flatten().any(|content| matches!(content, ContentParam::Object))
}

/// What is counted before a request is read: it is JSON, and has no fewer items.
fn check_shape(create: &CreateResponse, shape: Result<RequestShape, ShapeError>) {
    let items = match &create.input {
        Some(Input::Items(items)) => items.len(),
        Some(Input::Text(_)) | None => 0,
    };
    match shape {
        Ok(shape) => assert!(items <= shape.items, "{items} items, of which {} were counted", shape.items),
        Err(ShapeError::TooMany(_)) => {}
        Err(ShapeError::NoJson(error)) => assert!(!error.is_syntax(), "what can be read is no JSON: {error}"),
    }
}
