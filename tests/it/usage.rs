//! What providers report of usage, before the end.

use antiphon::{
    domain::{Fact, FinishReason, InputUsage, ProviderEvent, ResponseOptions},
    protocol::{InputTokensDetails, Usage},
    testkit::{PuppetProvider, Script, ScriptGate, ScriptedProvider, TestNode},
};
use sea_orm::Database;
use serde_json::json;

use crate::support::{Client, Events, Served, Site, row_id, texts};

fn usage(output_tokens: u64) -> Usage {
    Usage { input_tokens: 25, output_tokens, total_tokens: 25 + output_tokens, ..Usage::default() }
}

#[tokio::test]
async fn each_report_that_says_something_new_is_a_fact_and_the_last_one_of_a_read_counts() {
    let puppet = PuppetProvider::default();
    let served = Served::start(puppet.clone()).await;
    let client = served.client();
    let said = async {
        let call = puppet.asked().await;
        call.open();
        call.usage(usage(1));
        call.text("Hel");
        call.usage(usage(1));
        let lo = ProviderEvent::Text { text: "lo".to_owned(), logprobs: Vec::new() };
        call.events([ProviderEvent::Usage(usage(2)), lo, ProviderEvent::Usage(usage(3))]);
        call.events([ProviderEvent::Finished(FinishReason::Stop), ProviderEvent::Usage(usage(4))]);
    };
    let (mut events, ()) = tokio::join!(client.stream("m", "Why is the sky blue?"), said);
    events.read_all().await;
    let facts = served.facts(&events.id()).await;
    let reports = facts.into_iter().filter_map(|fact| {
        let Fact::Provider { event: ProviderEvent::Usage(usage), .. } = fact else { return None };
        Some(usage.output_tokens)
    });
    assert_eq!(reports.collect::<Vec<_>>(), [1, 3, 4]);
}

/// Some providers count the prompt before the first word.
#[tokio::test]
async fn usage_that_was_reported_before_the_server_was_killed_is_recorded_as_reported() {
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("m", Script::new().usage(25, 1).text("Once").pause_until(&gate).done());
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let key = server.key.clone();
    let body = json!({ "model": "m", "input": "Tell.", "stream": true });
    let mut events = Events::of(server.client().creation(&body)).await;
    events.read_until_text("Once").await;
    server.kill().await;
    let server = site.start().await;
    let last = Client::new(&server.url, &key).replay(&events.id()).await.read_all().await;
    let response = &last["response"];
    assert_eq!((&response["status"], &response["usage"]["total_tokens"]), (&json!("failed"), &json!(26)));
    let sql = format!(
        "SELECT input_tokens || '+' || output_tokens FROM usage_records WHERE response = '{}' AND NOT estimated",
        row_id(&events.id())
    );
    assert_eq!(texts(&site.script().await, &sql).await, ["25+1"]);
}

/// Anthropic counts the prompt at the beginning, and all of it only at the end.
#[tokio::test]
async fn the_prompt_that_was_counted_before_a_crash_is_charged_as_counted_and_the_output_as_estimated() {
    let mut node = TestNode::start(ResponseOptions::default()).await;
    let (mut client, call) = tokio::join!(node.respond(node.plan()), node.provider.asked());
    let input_tokens_details = InputTokensDetails { cached_tokens: 800, cache_write_tokens: 0 };
    call.open();
    call.events([ProviderEvent::InputUsage(InputUsage { input_tokens: 900, input_tokens_details })]);
    call.text("one two three");
    client.read_until("one two three").await;
    let id = client.id;
    drop(client);
    node.restart();
    let mut replay = node.replay(id).await;
    replay.read_all().await;
    assert!(replay.frames.last().unwrap().contains("\"usage\":null"), "no provider reported all of it");
    let db = Database::connect(&node.url).await.unwrap();
    let sql =
        "SELECT input_tokens || ' ' || cached_tokens || ' ' || output_tokens || ' ' || estimated FROM usage_records";
    assert_eq!(texts(&db, sql).await, ["900 800 3 1"]);
}
