//! The configurations of `docs/providers.md`, each in front of a peer that answers as that provider does.

use antiphon::testkit::{RecordedRequest, ScriptedProvider};
use reqwest::Url;
use serde_json::{Value, json};

use super::{
    markdown::{Block, blocks},
    peers::{Known, everybody, upstream},
};
use crate::support::{Events, Running, Site};

pub(super) const PAGE: &str = "docs/providers.md";

/// The configuration with the peer's host in place of the provider's, and nothing else changed.
pub(super) fn at(block: &Block, peer: &ScriptedProvider) -> String {
    let peer = Url::parse(&peer.base_url()).unwrap();
    let line = |line: &str| match line.strip_prefix("base_url = \"").and_then(|rest| rest.strip_suffix('"')) {
        Some(url) => {
            format!("base_url = \"{}{}\"\n", peer.origin().ascii_serialization(), Url::parse(url).unwrap().path())
        }
        None => format!("{line}\n"),
    };
    block.text.lines().map(line).collect()
}

/// A server with that configuration in front of the peer.
pub(super) async fn serve(block: &Block, known: &Known, peer: &ScriptedProvider) -> (Site, Running) {
    let site = Site::new().config(&at(block, peer));
    let site = match known.key {
        Some((variable, _)) => site.variable(variable, "sk-of-the-page"),
        None => site,
    };
    let server = site.start().await;
    (site, server)
}

/// Whether the provider would take this request, and do all that it asks for.
fn check_request(request: &RecordedRequest, known: &Known) {
    let Known { heading, key, told, reads, .. } = known;
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", known.path), "{heading}");
    assert_eq!(request.header("content-type"), Some("application/json"), "{heading}");
    let sent = ["authorization", "x-api-key"].map(|name| request.header(name));
    let expected = match key {
        Some((_, "x-api-key")) => [None, Some("sk-of-the-page")],
        Some(_) => [Some("Bearer sk-of-the-page"), None],
        None => [None, None],
    };
    assert_eq!(sent, expected, "{heading}");
    assert_eq!(request.header("anthropic-version").is_some(), known.path.ends_with("/messages"), "{heading}");
    let body = request.body.as_object().unwrap();
    let unread: Vec<_> = body.keys().filter(|field| !reads.contains(&field.as_str())).collect();
    assert!(unread.is_empty(), "{heading} does not read {unread:?}");
    assert_eq!((&body["model"], &body["stream"]), (&json!(known.model.1), &json!(true)), "{heading}");
    for (field, value) in told.as_object().unwrap() {
        assert_eq!(&body[field], value, "{heading}: {field}");
    }
}

/// The text of the items of that kind.
fn said(response: &Value, kind: &str) -> String {
    let items = response["output"].as_array().unwrap().iter().filter(|item| item["type"] == kind);
    let parts = items.flat_map(|item| item["content"].as_array().into_iter().flatten());
    parts.map(|part| part["text"].as_str().unwrap()).collect()
}

async fn check(block: &Block, known: &Known) {
    let peer = ScriptedProvider::start();
    peer.script(known.model.1, known.answer.clone());
    let (_site, server) = serve(block, known, &peer).await;
    let body = json!({ "model": known.model.0, "instructions": "Be brief.", "input": "Why is the sky blue?",
        "max_output_tokens": 256, "reasoning": { "effort": "low" }, "temperature": 1, "prompt_cache_key": "k",
        "stream": true });
    let mut events = Events::of(server.client().creation(&body)).await;
    let last = events.read_all().await;
    let (heading, response) = (known.heading, &last["response"]);
    assert_eq!(last["type"], "response.completed", "{heading}: {last}");
    assert_eq!((events.text().as_str(), said(response, "message").as_str()), (known.text, known.text), "{heading}");
    assert_eq!(said(response, "reasoning"), known.thought, "{heading}");
    let count = |field: &str| response["usage"][field].as_u64();
    let (input, output) = known.usage.unzip();
    assert_eq!((count("input_tokens"), count("output_tokens")), (input, output), "{heading}");
    assert_eq!(response["usage"].is_null(), known.usage.is_none(), "{heading}");
    check_request(&peer.requests()[0], known);
}

#[tokio::test]
async fn every_configuration_of_the_page_gets_an_answer_out_of_its_provider() {
    let (page, everybody) = (blocks(PAGE, &["toml"]), everybody());
    let headings: Vec<&str> = page.iter().map(|block| block.heading.as_str()).collect();
    assert_eq!(headings, everybody.iter().map(|known| known.heading).collect::<Vec<_>>());
    for (block, known) in page.iter().zip(&everybody) {
        check(block, known).await;
    }
}

/// A section of the page, and what is known of its provider.
fn section(heading: &str) -> (Block, Known) {
    let block = blocks(PAGE, &["toml"]).into_iter().find(|block| block.heading == heading).unwrap();
    let known = everybody().into_iter().find(|known| known.heading == heading).unwrap();
    (block, known)
}

/// Ollama would cut the prompt and say nothing.
#[tokio::test]
async fn an_input_that_ollama_would_cut_is_refused_before_it_is_asked() {
    let (block, ollama) = section("Ollama");
    let peer = ScriptedProvider::start();
    peer.script(ollama.model.1, ollama.answer.clone());
    let (_site, server) = serve(&block, &ollama, &peer).await;
    let long = json!({ "model": ollama.model.0, "input": "sky ".repeat(9_000) });
    let refused = server.client().create(&long).await.error();
    assert_eq!(refused, (413, Some("context_length_exceeded".to_owned()), Some("input".to_owned())));
    assert_eq!(peer.requests().len(), 0);
}

#[tokio::test]
async fn an_error_of_openrouter_in_mid_stream_keeps_what_was_said_and_is_not_asked_again() {
    let (block, openrouter) = section("OpenRouter");
    let peer = ScriptedProvider::start();
    peer.script(openrouter.model.1, upstream("openrouter_error"));
    let (_site, server) = serve(&block, &openrouter, &peer).await;
    let mut events = server.client().stream(openrouter.model.0, "Why is the sky blue?").await;
    let last = events.read_all().await;
    assert_eq!((last["type"].as_str(), last["response"]["status"].as_str()), (Some("response.failed"), Some("failed")));
    assert_eq!(last["response"]["error"]["type"], "provider_rate_limited");
    assert_eq!((events.text().as_str(), peer.requests().len()), ("Half a", 1));
}
