//! One key that takes all it can get, and another that comes after it.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Events, Site};

#[tokio::test]
async fn a_key_that_floods_a_provider_leaves_room_for_another_one() {
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("waits", Script::new().text("Hello").pause_until(&gate).finish("stop").done());
    provider.script("says", Script::answer(["At once"]));
    let site = Site::with_models(&provider, &["waits", "says"]).config("max_concurrent = 8\nmax_queue = 8");
    let server = site.start().await;
    let client = server.client();
    let flood = json!({ "model": "waits", "input": "Hi.", "stream": true });
    let mut running = join_all((0..6).map(|_| Events::of(client.creation(&flood)))).await;
    for events in &mut running {
        events.read_until_text("Hello").await;
    }
    let waiting = join_all((0..5).map(|_| Events::of(client.creation(&flood)))).await;
    assert_eq!(client.create(&flood).await.error(), (429, Some("key_busy".to_owned()), None));

    let other = client.with_key(&site.new_key());
    let answer = other.create(&json!({ "model": "says", "input": "Hi." })).await;
    assert_eq!((answer.status, answer.output_text().as_str()), (200, "At once"));
    gate.open();
    for mut events in running.into_iter().chain(waiting) {
        assert_eq!(events.read_all().await["type"], "response.completed");
    }
}
