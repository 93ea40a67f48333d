//! Bodies of streams.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Answer, Api, outcome};
use crate::actors::{DeliveryMode, Emission, ResponsePhase};
use crate::domain::{Cause, LimitOptions, View};
use crate::http::HttpOptions;
use crate::protocol::Status;

fn frames(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().map(|number| format!("event: e\ndata: {{\"sequence_number\":{number}}}\n\n")).collect()
}

async fn stream(api: &Api) -> Answer {
    api.create(json!({"model": "m", "input": "x", "stream": true})).await
}

#[actix_web::test]
async fn frames_are_written_as_they_are_and_then_done() {
    let api = Api::new();
    let feed = api.reader();
    feed.phase.send_replace(ResponsePhase::Opened);
    (0..60).for_each(|number| feed.frame(number));
    feed.end();
    let answer = stream(&api).await;
    assert_eq!(answer.text, frames(0..60) + "data: [DONE]\n\n");
    for (header, value) in [
        ("content-type", "text/event-stream; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-accel-buffering", "no"),
    ] {
        assert_eq!(answer.header(header), value);
    }
    assert_eq!(*api.backend.wishes.lock(), [DeliveryMode::Events { view: View::default(), from: 0 }]);
    assert!(api.backend.plans.lock()[0].resumable);
}

#[actix_web::test]
async fn a_silent_stream_sends_comments_between_events() {
    tokio::time::pause();
    let api = Api::new();
    let feed = api.reader();
    feed.phase.send_replace(ResponsePhase::Opened);
    feed.frame(0);
    let feeding = async {
        // The fake's keep-alive is 20 ms: three of them pass in silence.
        tokio::time::sleep(Duration::from_millis(75)).await;
        feed.frame(1);
        feed.end();
    };
    let (answer, ()) = tokio::join!(stream(&api), feeding);
    let (first, rest) = answer.text.split_at(frames([0]).len());
    assert_eq!(first, frames([0]));
    let rest = rest.strip_suffix(&(frames([1]) + "data: [DONE]\n\n")).unwrap();
    let comments = rest.matches(": keep-alive\n\n").count();
    assert_eq!(comments, 3, "{rest}");
    assert_eq!(rest.len(), comments * ": keep-alive\n\n".len());
}

#[actix_web::test]
async fn a_lost_reader_is_replaced_after_the_last_frame() {
    let api = Api::new();
    let (first, second, third) = (api.reader(), api.reader(), api.reader());
    first.phase.send_replace(ResponsePhase::Opened);
    first.frame(0);
    first.frame(1);
    drop(first);
    drop(second);
    third.frame(2);
    third.end();
    assert_eq!(stream(&api).await.text, frames(0..3) + "data: [DONE]\n\n");
    let again = DeliveryMode::Events { view: View::default(), from: 2 };
    assert_eq!(*api.backend.resumed.lock(), [again, again]);
}

#[actix_web::test]
async fn a_stream_that_can_not_go_on_ends_with_the_error_event_and_is_not_done() {
    let unavailable = |api: &Api| {
        let feed = api.reader();
        feed.phase.send_replace(ResponsePhase::Opened);
        (0..3).for_each(|number| feed.frame(number));
        feed.sink.try_send(Emission::Unavailable { last_sequence_number: 2 }).unwrap();
    };
    let gone = |api: &Api| {
        (0..3).for_each({
            let feed = api.reader();
            feed.phase.send_replace(ResponsePhase::Opened);
            move |number| feed.frame(number)
        })
    };
    type Break<'a> = &'a dyn Fn(&Api);
    for (broken, code) in [(&unavailable as Break<'_>, Some("database_unavailable")), (&gone, None)] {
        let api = Api::new();
        broken(&api);
        let answer = stream(&api).await;
        let last = answer.text.strip_prefix(&frames(0..3)).unwrap();
        let data = last.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!("error"), &json!(2)));
        assert_eq!((&event["code"], &event["error"]["code"]), (&json!(code), &json!(code)));
        assert_eq!(event["message"], event["error"]["message"]);
    }
}

#[actix_web::test]
async fn readers_that_keep_failing_end_the_stream() {
    let api = Api::new();
    (0..10).for_each(|_| drop(api.reader()));
    let answer = stream(&api).await;
    assert!(answer.text.starts_with("event: error\n"));
    assert_eq!(api.backend.resumed.lock().len(), 5);
}

#[actix_web::test]
async fn the_status_line_waits_for_the_provider_but_not_for_ever() {
    tokio::time::pause();
    let options = || HttpOptions { header_wait: Duration::from_millis(30), ..HttpOptions::default() };
    // Nothing yet when time is up: the stream has begun, and tells how it ends.
    let api = Api::with(options(), LimitOptions::default());
    let feed = api.reader();
    let (ended, sink) = (feed.phase, feed.sink);
    let failing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let outcome = outcome(Status::Failed, Some(Cause::ProviderUnreachable));
        ended.send_replace(ResponsePhase::Ended(outcome.into()));
        sink.try_send(Emission::End).unwrap();
    };
    let (answer, ()) = tokio::join!(stream(&api), failing);
    assert_eq!(answer.status, 200);
    // The database went away before anything was known.
    let api = Api::with(options(), LimitOptions::default());
    api.reader().phase.send_replace(ResponsePhase::Unavailable);
    assert_eq!(stream(&api).await.error().0, 503);
}
