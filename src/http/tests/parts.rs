//! Events that are handed over in parts.

use std::time::Duration;

use actix_web::body::to_bytes;
use tokio::sync::mpsc::Sender;

use super::fixture::{Api, ApiOptions};
use crate::actors::{ClientStream, DeliveryMode, Emission, client_channel};
use crate::domain::View;
use crate::http::{HttpOptions, sse};
use crate::protocol::ResponseId;
use crate::testkit::Call;

/// More than is handed over at once.
const LARGE: usize = 100_000;

const LAST: &str = "event: response.completed\n";

fn complete_at_length(call: &Call) {
    call.open();
    call.text(&"x".repeat(LARGE));
    call.finish();
}

/// A response whose last event is large, that event with what follows it, and its number.
async fn large(api: &Api) -> (ResponseId, String, u64) {
    let id = api.ended(complete_at_length).await;
    let all = api.get(&format!("/v1/responses/{id}?stream=true")).await.text;
    let last = all[all.find(LAST).unwrap()..].to_owned();
    (id, last, all.matches("event: ").count() as u64 - 1)
}

/// A stream that begins with an event of a response.
fn stream(id: ResponseId, from: u64) -> (Sender<Emission>, ClientStream) {
    let (sink, stream) = client_channel(id, DeliveryMode::Events { view: View::default(), from }, 16);
    (sink.sink, stream)
}

fn part(text: &str) -> Emission {
    Emission::Part { bytes: text.to_owned().into() }
}

#[actix_web::test]
async fn an_event_whose_stream_is_lost_in_its_midst_goes_on_where_it_was() {
    let api = Api::new().await;
    let (id, last, number) = large(&api).await;
    for given in [1, 40_000, 32 * 1024, LARGE] {
        let (sink, lost) = stream(id, number);
        sink.try_send(part(&last[..given])).unwrap();
        drop(sink);
        let body = sse::answer(lost, api.user, None, &api.state()).into_body();
        assert!(to_bytes(body).await.unwrap() == last, "after {given} bytes");
    }
}

#[actix_web::test]
async fn nothing_comes_between_the_parts_of_an_event_and_one_that_can_not_go_on_cuts_its_connection() {
    let http = HttpOptions { keep_alive: Duration::from_millis(1), ..HttpOptions::default() };
    let api = Api::with(ApiOptions { http, ..ApiOptions::default() }).await;
    let (id, last, number) = large(&api).await;
    let (sink, slow) = stream(id, number);
    sink.try_send(part(&last[..10])).unwrap();
    let rest = async {
        // Long enough for comments, which would come here.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let rest = last[10..].strip_suffix("data: [DONE]\n\n").unwrap().to_owned().into();
        sink.try_send(Emission::Frame { sequence_number: number, bytes: rest }).unwrap();
        sink.try_send(Emission::End).unwrap();
    };
    let body = sse::answer(slow, api.user, None, &api.state()).into_body();
    let (body, ()) = tokio::join!(to_bytes(body), rest);
    assert!(body.unwrap() == last);
    let (sink, cut) = stream(id, number);
    sink.try_send(part(&last[..10])).unwrap();
    sink.try_send(Emission::Unavailable { last_sequence_number: number - 1 }).unwrap();
    assert!(to_bytes(sse::answer(cut, api.user, None, &api.state()).into_body()).await.is_err());
}

#[actix_web::test]
async fn code_gets_an_event_that_came_in_parts_as_one() {
    let api = Api::new().await;
    let (id, _, number) = large(&api).await;
    let mut events = api.node.user(api.user).events(id, number).await.unwrap();
    assert!(events.next().await.unwrap().unwrap().is_terminal());
    assert!(events.next().await.is_none());
}
