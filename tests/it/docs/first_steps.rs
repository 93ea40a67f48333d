//! The first steps of a reader: what `README.md` and `docs/quickstart.md` have them type.

use antiphon::testkit::{Script, ScriptedProvider};
use serde_json::json;

use super::{
    markdown::{Block, blocks},
    peers::everybody,
    programs::run,
    providers::at,
};
use crate::support::{Events, Running, Site};

/// Runs a block with the server's address and key in the places where the page has its own.
async fn try_out(block: &Block, server: &Running, id: &str) -> String {
    let text = block.text.replace("http://127.0.0.1:8080", &server.url).replace("ak_...", &server.key);
    run(&block.language, &text, &[("KEY", &server.key), ("ID", id)]).await
}

/// The block of a page that holds these words.
fn block_with(page: &str, language: &str, words: &str) -> Block {
    let found = blocks(page, &[language]).into_iter().find(|block| block.text.contains(words));
    found.unwrap_or_else(|| unreachable!("{page}: {words}"))
}

/// The text of the deltas in a stream as curl prints it.
fn streamed(printed: &str) -> String {
    let events = printed.lines().filter_map(|line| line.strip_prefix("data: ")?.strip_prefix('{'));
    let deltas = events.filter_map(|event| event.split_once("\"delta\":\"")?.1.split_once('"'));
    deltas.map(|(delta, _)| delta).collect()
}

#[tokio::test]
async fn both_pages_get_the_first_words_by_curl_and_by_python() {
    let site = Site::new();
    let server = site.start().await;
    for page in ["README.md", "docs/quickstart.md"] {
        let curl = try_out(&block_with(page, "sh", "\"model\":\"eliza\""), &server, "").await;
        assert_eq!(streamed(&curl), "Do you often feel calm today?", "{page}: {curl}");
        assert!(curl.ends_with("data: [DONE]\n\n"), "{page}: {curl}");
        let python = try_out(&block_with(page, "python", "import"), &server, "").await;
        assert_eq!(python.trim_end(), "Do you often feel calm today?", "{page}");
    }
}

#[test]
fn the_providers_of_the_readme_are_a_valid_configuration() {
    for block in blocks("README.md", &["toml"]) {
        let site = Site::new().config(&block.text).variable("OPENAI_API_KEY", "sk-of-the-page");
        assert!(!site.run(&["check-config"]).is_empty());
    }
}

#[tokio::test]
async fn the_lines_of_the_readme_cancel_resume_and_delete() {
    let provider = ScriptedProvider::start();
    let endless = ["One ", "two ", "three "].into_iter().fold(Script::new(), Script::text);
    provider.script("m", endless.stall());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let body = json!({ "model": "m", "input": "Count.", "stream": true, "background": true });
    let mut events = Events::of(server.client().creation(&body)).await;
    events.read_until_text("three ").await;
    let printed = try_out(&block_with("README.md", "sh", "/cancel"), &server, &events.id()).await;
    let parts: Vec<&str> = printed.split("event: ").collect();
    assert!(parts[0].contains("\"status\":\"cancelled\""), "{printed}");
    assert!(parts[1].contains("\"sequence_number\":8"), "{printed}");
    let last = parts.last().unwrap();
    assert!(last.starts_with("response.failed"), "{printed}");
    assert!(last.ends_with("\"deleted\":true}"), "{printed}");
}

#[tokio::test]
async fn the_quick_start_comes_to_a_real_model_and_to_keys_for_others() {
    const PAGE: &str = "docs/quickstart.md";
    let ollama = everybody().into_iter().find(|known| known.heading == "Ollama").unwrap();
    let peer = ScriptedProvider::start();
    peer.script(ollama.model.1, ollama.answer);
    let site = Site::new().config(&at(&blocks(PAGE, &["toml"])[0], &peer));
    let server = site.start().await;
    let curl = try_out(&block_with(PAGE, "sh", "\"model\":\"qwen3\""), &server, "").await;
    assert!(streamed(&curl).ends_with(ollama.text), "{curl}");
    assert!(curl.contains("event: response.completed"), "{curl}");
    let typed = blocks(PAGE, &["console"])
        .into_iter()
        .flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>());
    let commands: Vec<String> =
        typed.filter_map(|line| Some(line.strip_prefix("$ cargo run -- ")?.to_owned())).collect();
    let (serves, others): (Vec<_>, Vec<_>) = commands.iter().partition(|command| *command == "serve");
    assert_eq!((serves.len(), others.len()), (2, 4));
    for command in others {
        assert!(!site.run(&command.split(' ').collect::<Vec<_>>()).is_empty(), "{command}");
    }
}
