//! A request that its provider refuses: in the provider's words for the client that asked, and for nobody else.

use antiphon::testkit::{Script, ScriptedProvider};
use serde_json::{Value, json};

use crate::support::Site;

/// Code, message and parameter.
fn told(error: &Value) -> [&Value; 3] {
    ["code", "message", "param"].map(|key| &error[key])
}

#[tokio::test]
async fn a_refusal_is_told_at_once_and_after_a_restart_and_is_in_no_log() {
    let words = json!({ "message": "Schema says CANARYzq.", "param": "tools", "code": "invalid_value" });
    let refusal = json!({ "error": words }).to_string();
    let provider = ScriptedProvider::start();
    for _ in 0..2 {
        provider.script("m", Script::status(422, &[("content-type", "application/json")], &refusal));
    }
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let expected = ["invalid_value", "Schema says CANARYzq.", "tools"];
    let answer = client.create(&json!({ "model": "m", "input": "Hi." })).await;
    assert_eq!((answer.status, told(&answer.json()["error"])), (400, expected.map(Value::from).each_ref()));
    let id = client.create(&json!({ "model": "m", "input": "Hi.", "background": true })).await.id();
    client.replay(&id).await.read_all().await;
    server.terminate();
    let (_, log) = server.ended().await;
    let line = log.lines().find(|line| line.contains("a provider failed")).unwrap();
    for word in ["422", "invalid_value", "tools"] {
        assert!(line.contains(word), "{line}");
    }
    assert!(!log.contains("CANARY"), "{log}");
    let again = site.start().await;
    let read = again.client().retrieve(&id).await.json();
    assert_eq!((read["status"].as_str(), told(&read["error"])), (Some("failed"), expected.map(Value::from).each_ref()));
    assert_eq!(provider.requests().len(), 2, "what is the request's fault is not tried again");
}
