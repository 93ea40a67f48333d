//! A database of an earlier release: the server opens it, reads and replays what it holds, and settles what was running.
//!
//! `tests/golden/RELEASE/database` was written by that release: `database.sql` is the whole database of a server that
//! was killed while it worked, with its key ring, its node's name and an API key. Beside it is what the release itself
//! answered about each response, for the two that were running after its own restart. The files are never changed.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use antiphon::testkit::refused_base_url;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Running, Site, open_database};

const RELEASE: &str = "0.1.0";

/// The responses that had ended: a plain one, one with a call that goes on from it, one that was cut by its length, one
/// that the provider refused, and one that its client cancelled.
const ENDED: [&str; 5] = ["completed", "calls", "short", "failed", "cancelled"];

/// The responses that were running, in the foreground and in the background.
const RUNNING: [&str; 2] = ["live", "background"];

/// The response that waited in line.
const QUEUED: &str = "resp_01a22cbde08e72a7b3c32dedc8d9a0a1";

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(RELEASE).join("database").join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

fn id(name: &str) -> String {
    let response: Value = serde_json::from_str(&text(&format!("{name}.json"))).unwrap();
    response["id"].as_str().unwrap().to_owned()
}

/// A server on the data directory as the release left it, and a client with its key.
struct Upgraded {
    _site: Site,
    _server: Running,
    client: Client,
}

async fn upgraded() -> Upgraded {
    let site = Site::new().provider("scripted", &refused_base_url(), &["m"]);
    fs::create_dir(site.data()).unwrap();
    for name in ["keys.json", "node"] {
        let copy = site.data().join(name);
        fs::copy(file(name), &copy).unwrap();
        fs::set_permissions(copy, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let path = site.data().join("antiphon.db");
    let database = open_database(&format!("sqlite://{}?mode=rwc", path.display())).await;
    database.execute_unprepared(&text("database.sql")).await.unwrap();
    database.close().await.unwrap();
    site.mark_started();
    let server = site.start().await;
    let client = Client::new(&server.url, text("api_key").trim());
    Upgraded { _site: site, _server: server, client }
}

impl Upgraded {
    /// Whether the response, its stream and its input are what the release itself gave.
    async fn reads_as_before(&self, name: &str) {
        let path = format!("/v1/responses/{}", id(name));
        for (path, file) in [
            (format!("{path}?stream=true"), format!("{name}.sse")),
            (path.clone(), format!("{name}.json")),
            (format!("{path}/input_items"), format!("{name}.input.json")),
        ] {
            let answer = Answer::of(self.client.request(Method::GET, &path)).await;
            assert_eq!((answer.status, answer.text), (200, text(&file)), "{file}");
        }
    }

    /// A request with a key, byte for byte as given: a repetition is told by its bytes.
    async fn create_with_key(&self, key: &str, body: &str) -> Answer {
        let request = self.client.request(Method::POST, "/v1/responses").header("content-type", "application/json");
        Answer::of(request.header("idempotency-key", key).body(body.to_owned())).await
    }
}

#[tokio::test]
async fn responses_of_an_earlier_release_read_and_replay_as_they_did() {
    let upgraded = upgraded().await;
    for name in ENDED {
        upgraded.reads_as_before(name).await;
    }
}

#[tokio::test]
async fn what_an_earlier_release_left_running_is_settled_and_what_waited_is_run() {
    let upgraded = upgraded().await;
    for name in RUNNING {
        upgraded.client.replay(&id(name)).await.read_all().await;
        upgraded.reads_as_before(name).await;
    }
    let ended = upgraded.client.replay(QUEUED).await.read_all().await;
    assert_eq!(ended["type"], "response.completed");
    assert_eq!(upgraded.client.retrieve(QUEUED).await.output_text(), "Do you often feel queued?");
}

#[tokio::test]
async fn idempotency_keys_of_an_earlier_release_are_known() {
    let upgraded = upgraded().await;
    let story =
        r#"{"model":"m","input":"Tell me a story.","instructions":"Be brief.","metadata":{"purpose":"fixture"}}"#;
    let again = upgraded.create_with_key("story", story).await;
    assert_eq!((again.status, again.text), (200, text("completed.json")));
    let other = upgraded.create_with_key("story", &story.replace("a story", "another")).await;
    assert_eq!(other.error().1.as_deref(), Some("idempotency_key_reused"));
    let unstored = r#"{"model":"eliza","input":"I feel calm today.","store":false}"#;
    let unstored = upgraded.create_with_key("unstored", unstored).await;
    assert_eq!(unstored.error().1.as_deref(), Some("idempotency_result_not_stored"));
}

#[tokio::test]
async fn a_conversation_of_an_earlier_release_goes_on() {
    let upgraded = upgraded().await;
    let body = json!({ "model": "eliza", "input": "I feel better.", "previous_response_id": id("completed") });
    let answer = upgraded.client.create(&body).await;
    assert_eq!(answer.json()["status"], "completed", "{answer:?}");
    upgraded.reads_as_before("completed").await;
}
