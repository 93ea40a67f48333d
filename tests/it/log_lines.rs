//! What those who run the server find in its log about a response that failed, and what they do not.

use antiphon::testkit::{Script, ScriptedProvider};
use serde_json::json;

use crate::support::{Site, row_id, texts};

const CANARY: &str = "canary-of-the-logs";

#[tokio::test]
async fn an_event_that_can_not_be_read_is_logged_without_it_and_the_usage_that_lacks_is_an_estimate() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Half an answer").raw(format!("data: {{\"{CANARY}\n\n")).done());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let last = server.client().stream("m", "Tell.").await.read_all().await;
    assert_eq!(last["response"]["error"]["type"], "provider_protocol_error", "{last}");
    let id = last["response"]["id"].as_str().unwrap().to_owned();
    server.logged("a provider failed").await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains("a provider failed")).unwrap();
    assert!(line.contains(&format!("response.id={id}")) && line.contains("error="), "{line}");
    assert!(!log.contains(CANARY), "{log}");
    let sql = "SELECT (output_tokens > 0) || ' ' || estimated FROM usage_records WHERE response = ";
    let told = texts(&site.script().await, &format!("{sql}'{}'", row_id(&id))).await;
    assert_eq!(told, ["1 1"], "an estimate, and not zero");
}

#[cfg(feature = "fault-points")]
#[tokio::test]
async fn a_panic_is_logged_with_its_place_and_its_request_and_told_to_nobody() {
    let mut site = Site::new();
    site.fault(Some("facts-recorded:1:panic".to_owned()));
    let server = site.start().await;
    let client = server.client();
    let body = json!({ "model": "eliza", "input": CANARY });
    let failed = crate::support::Answer::of(client.creation(&body).header("x-request-id", "req_of_the_panic")).await;
    assert_eq!((failed.status, &failed.json()["error"]["type"]), (500, &json!("internal_error")), "{}", failed.text);
    for word in ["panic", ".rs", "backtrace", "fault point", CANARY] {
        assert!(!failed.text.contains(word), "{word}: {}", failed.text);
    }
    server.logged("a thread panicked").await;
    let log = server.log();
    let line = log.lines().find(|line| line.contains("a thread panicked")).unwrap();
    for word in ["request_id=\"req_of_the_panic\"", "place=", ".rs:"] {
        assert!(line.contains(word), "{word}: {line}");
    }
    assert!(!log.contains(CANARY) && !log.contains("a fault point"), "{log}");
    assert_eq!(client.create(&body).await.status, 200, "the others go on");
}
