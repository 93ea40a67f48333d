//! When a key may be used again: after a failure without a word, told as an error.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};

use super::{KEYS, ROWS, body, not_stored, post, posted, settled, stream};
use crate::support::{Answer, Site, count};

#[tokio::test]
async fn a_run_that_failed_without_a_word_gives_its_key_back() {
    let provider = ScriptedProvider::start();
    let requests = [body("m", false), body("m", true), not_stored("m", false), not_stored("m", true)];
    for _ in &requests {
        provider.script("m", Script::status(500, &[], "{}"));
        provider.script("m", Script::answer(["Better."]));
    }
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let (client, script) = (server.client(), site.script().await);
    for (number, request) in (0..).zip(&requests) {
        let key = number.to_string();
        let failed = post(&client, &key, request).await;
        assert_eq!(failed.status, 502, "{}", failed.text);
        assert_eq!(count(&script, KEYS).await, number, "given back with the ending");
        let again = post(&client, &key, request).await;
        assert!(again.status == 200 && again.text.contains("Better."), "{}", again.text);
        assert_eq!(count(&script, ROWS).await, 2 * (number + 1));
    }
    assert_eq!(provider.requests().len(), 2 * requests.len());
}

#[tokio::test]
async fn all_who_wait_for_a_run_that_fails_without_a_word_are_told_of_it_and_may_try_again() {
    let (gate, provider) = (ScriptGate::new(), ScriptedProvider::start());
    provider.script("m", Script::new().pause_until(&gate).cut());
    provider.script("m", Script::answer(["Better."]));
    let site = Site::with_models(&provider, &["m"]).config("[http]\nheader_wait = \"10m\"");
    let server = site.start().await;
    let (client, request) = (server.client(), body("m", true));
    let attached = async {
        gate.reached().await;
        let second = post(&client, "k", &request);
        let opened = async {
            server.logged("http.response.attached").await;
            gate.open();
        };
        tokio::join!(second, opened).0
    };
    let (first, second) = tokio::join!(post(&client, "k", &request), attached);
    assert_eq!((first.status, second.status), (502, 502), "{} {}", first.text, second.text);
    let again = post(&client, "k", &request).await;
    assert!(again.status == 200 && again.text.contains("Better."), "{}", again.text);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_run_whose_stream_had_begun_keeps_its_key_though_it_failed_without_a_word() {
    let (gate, provider) = (ScriptGate::new(), ScriptedProvider::start());
    let head = [("content-type", "text/event-stream")];
    provider.script("m", Script::new().headers(200, &head).pause_until(&gate).cut());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let (client, request) = (server.client(), body("m", true));
    let mut first = stream(&client, "k", &request).await;
    gate.open();
    assert_eq!(first.read_all().await["type"], "response.failed");
    for _ in 0..2 {
        let mut second = stream(&client, "k", &request).await;
        second.read_all().await;
        assert_eq!(second.frames, first.frames);
    }
    assert_eq!((provider.requests().len(), count(&site.script().await, ROWS).await), (1, 1));
}

#[tokio::test]
async fn a_run_that_said_something_keeps_its_key() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::new().text("Hel").cut());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let (client, request) = (server.client(), body("m", false));
    let (first, second) = (post(&client, "k", &request).await, post(&client, "k", &request).await);
    assert_eq!((first.status, first.json()), (200, second.json()), "{}", first.text);
    assert_eq!((first.json()["status"].as_str(), provider.requests().len()), (Some("failed"), 1));
}

#[tokio::test]
async fn a_run_in_the_background_keeps_its_key_though_it_failed_without_a_word() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::status(500, &[], "{}"));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let mut request = body("m", false);
    request["background"] = true.into();
    let first = post(&client, "k", &request).await;
    assert_eq!(client.replay(&first.id()).await.read_all().await["type"], "response.failed");
    let second = post(&client, "k", &request).await;
    assert_eq!((second.status, second.id()), (200, first.id()), "{}", second.text);
    assert_eq!((second.json()["status"].as_str(), provider.requests().len()), (Some("failed"), 1));
}

#[tokio::test]
async fn a_run_that_a_crash_ended_keeps_its_key_and_is_not_asked_for_again() {
    let (gate, provider) = (ScriptGate::new(), ScriptedProvider::start());
    provider.script("m", Script::new().pause_until(&gate).cut());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let (client, request) = (server.client(), body("m", false));
    let cut = tokio::spawn(posted(&client, "k", &request).send());
    gate.reached().await;
    server.kill().await;
    assert!(cut.await.unwrap().is_err());
    let server = site.start().await;
    settled(&site).await;
    for _ in 0..2 {
        let answer = Answer::of(posted(&server.client(), "k", &request)).await;
        assert_eq!((answer.status, answer.header("x-should-retry")), (503, "false"), "{}", answer.text);
    }
    assert_eq!((provider.requests().len(), count(&site.script().await, KEYS).await), (1, 1));
}
