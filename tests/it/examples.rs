//! Runs the examples. `cargo test` builds them beside the tests.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::support::Client;

/// The binary of an example, of the same build as this test.
fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests are in target/<profile>/deps");
    profile.join("examples").join(name)
}

/// What an example prints, line by line. It must end without an error.
fn said(name: &str) -> Vec<String> {
    let binary = binary(name);
    assert!(binary.is_file(), "{} is missing: `cargo test` makes it, or `cargo build --examples`", binary.display());
    let ended = Command::new(binary).output().unwrap();
    assert!(ended.status.success(), "{name}: {ended:?}");
    String::from_utf8(ended.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn custom_provider_streams_what_its_own_model_says() {
    assert_eq!(
        said("custom_provider"),
        ["event 4: IS ", "event 5: ANYBODY ", "event 6: THERE?", "completed: IS ANYBODY THERE?"]
    );
}

#[test]
fn custom_store_tells_of_the_ending() {
    assert_eq!(said("custom_store"), ["completed, 6 output tokens; the same for its client: true"]);
}

#[test]
fn cancel_from_code_stops_at_the_third_word_it_heard() {
    let lines = said("cancel_from_code");
    assert!(lines[0].starts_with("0 response.created"), "{lines:?}");
    let last = lines.last().unwrap();
    let words = last.strip_prefix("cancelled: ").unwrap_or_else(|| unreachable!("{lines:?}"));
    let heard = lines.iter().filter(|line| line.ends_with("response.output_text.delta")).count();
    assert!(heard >= 3 && words.split_whitespace().count() >= 3, "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with("response.failed")), "{lines:?}");
}

/// A server of an example, on a free port.
struct Serving {
    child: Child,
    /// What it says when it is there.
    line: String,
}

impl Serving {
    fn start(name: &str) -> Self {
        let mut child = Command::new(binary(name)).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, line }
    }

    /// The words after that word.
    fn after(&self, word: &str) -> &str {
        let rest = self.line.split(word).nth(1).unwrap_or_else(|| unreachable!("{}", self.line));
        rest.split_whitespace().next().unwrap()
    }

    /// Stops it as a person does, and sees that it ends well.
    async fn interrupt(mut self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let ended = tokio::task::spawn_blocking(move || self.child.wait()).await.unwrap();
        assert!(ended.unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

#[tokio::test]
async fn minimal_server_serves_the_whole_api() {
    let server = Serving::start("minimal_server");
    let url = server.after("OPENAI_BASE_URL=").strip_suffix("/v1").unwrap();
    let client = Client::new(url, server.after("OPENAI_API_KEY="));
    let response = client.create(&serde_json::json!({ "model": "eliza", "input": "I feel calm." })).await;
    assert_eq!((response.status, response.json()["status"].as_str()), (200, Some("completed")));
    assert_eq!(client.retrieve(&response.id()).await.json(), response.json());
    assert_eq!(client.with_key("ak_wrong").get("/v1/models").await.status, 401);
    // What is being said when it is stopped is said to the end.
    let mut stream = client.stream("eliza", "I remember the long summers at the sea.").await;
    while stream.next().await.unwrap()["type"] != "response.output_text.delta" {}
    let (last, ()) = tokio::join!(stream.read_all(), server.interrupt());
    assert_eq!(last["type"], "response.completed");
}

#[tokio::test]
async fn embed_in_app_has_routes_of_its_own_and_the_api() {
    let server = Serving::start("embed_in_app");
    let url = server.after("OPENAI_BASE_URL=").strip_suffix("/v1").unwrap();
    let client = Client::new(url, server.after("OPENAI_API_KEY="));
    let response = client.create(&serde_json::json!({ "model": "eliza", "input": "I feel calm." })).await;
    assert_eq!(response.status, 200);
    assert_eq!(client.with_key("token-of-eve").retrieve(&response.id()).await.status, 401);
    let app = Client::new(url.strip_suffix("/ai").unwrap(), "");
    let greeting = app.get("/greeting").await;
    assert!(greeting.text.starts_with("completed: "), "{greeting:?}");
    server.interrupt().await;
}

/// An example is to be read at one sitting.
#[test]
fn every_example_of_one_file_is_short() {
    let examples = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
    let files: Vec<_> = examples.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines < 80, "{}: {lines} lines", file.display());
    }
}
