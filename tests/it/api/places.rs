//! Requests for which there is no room, and those that a provider can't honour.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use serde_json::json;

use crate::support::{Events, Site, count};

#[tokio::test]
async fn a_full_line_and_a_busy_key_are_told_apart_and_leave_no_row() {
    let (gate, provider) = (ScriptGate::new(), ScriptedProvider::start());
    provider.script("m", Script::new().text("Hello").pause_until(&gate).text(", world").finish("stop").done());
    provider.script("m", Script::answer(["Later"]));
    let site =
        Site::with_models(&provider, &["m"]).config("max_concurrent = 1\nmax_queue = 1\nmax_concurrent_per_key = 2");
    let server = site.start().await;
    let client = server.client();
    let body = json!({ "model": "m", "input": "Hi.", "stream": true });
    let mut first = Events::of(client.creation(&body)).await;
    first.read_until_text("Hello").await;
    let mut second = Events::of(client.creation(&body)).await;
    second.next().await.unwrap();
    let busy = client.create(&body).await;
    assert_eq!(busy.error(), (429, Some("key_busy".to_owned()), None));
    assert!(!busy.header("retry-after").is_empty() && !busy.header("retry-after-ms").is_empty());
    let other = client.with_key(&site.new_key());
    assert_eq!(other.create(&body).await.error(), (429, Some("queue_full".to_owned()), None));
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 2);
    gate.open();
    for (events, text) in [(&mut first, "Hello, world"), (&mut second, "Later")] {
        assert_eq!(events.read_all().await["type"], "response.completed");
        assert_eq!(events.text(), text);
    }
}

#[tokio::test]
async fn what_a_provider_has_not_is_refused_by_name_unless_a_fallback_has_it() {
    let provider = ScriptedProvider::start();
    provider.script("chat", Script::answer(["{}"]));
    let base = provider.base_url();
    let site = Site::with_models(&provider, &["chat"]).config(&format!(
        "[providers.messages]\nkind = \"anthropic\"\nbase_url = \"{base}\"\n\
         models = [\"claude\", {{ id = \"either\", fallback = [\"chat\"] }}]"
    ));
    let server = site.start().await;
    let client = server.client();
    let asked =
        |model: &str| json!({ "model": model, "input": "Hi.", "text": { "format": { "type": "json_object" } } });
    let refused = (400, Some("unsupported_parameter".to_owned()), Some("text.format".to_owned()));
    assert_eq!(client.create(&asked("claude")).await.error(), refused);
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 0);
    assert_eq!(client.create(&asked("either")).await.output_text(), "{}");
}
