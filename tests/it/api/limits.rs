//! Sizes at each limit minus one, at it, and one over.

use antiphon::testkit::{Script, ScriptedProvider};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Running, Site, count};

const INPUT_BYTES: usize = 3_000;
const BODY_BYTES: usize = 40_000;
const METADATA_BYTES: usize = 10_000;

const LIMITS: &str = "[limits]\ninput_bytes = 3000\nid_chars = 512\n[http]\nbody_limit = 40000\n";

async fn start() -> (ScriptedProvider, Site, Running) {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let window = "models = [{ id = \"m\", context_window = 2000000 }, { id = \"small\", context_window = 256, \
                  max_output_tokens = 16 }]";
    let section =
        format!("[providers.sized]\nkind = \"chat_completions\"\nbase_url = {:?}\n{window}", provider.base_url());
    let site = Site::new().config(LIMITS).config(&section);
    let server = site.start().await;
    (provider, site, server)
}

/// JSON text whose length is that many bytes, with its two quotes.
fn text(bytes: usize) -> String {
    "word ".repeat(bytes).chars().take(bytes - 2).collect()
}

fn pairs(pairs: usize) -> Value {
    (0..pairs).map(|number| (format!("key{number}"), json!("value"))).collect::<serde_json::Map<_, _>>().into()
}

/// Metadata that is that many bytes as JSON, in pairs that are each within their limits.
fn metadata(bytes: usize) -> Value {
    let mut map: serde_json::Map<_, _> = (0..16).map(|n| (format!("{n:02}"), json!("é".repeat(300)))).collect();
    while serde_json::to_string(&map).unwrap().len() < bytes {
        let room = bytes - serde_json::to_string(&map).unwrap().len();
        let first = map.iter_mut().find(|(_, value)| value.as_str().unwrap().chars().count() < 512).unwrap();
        let longer = format!("{}{}", first.1.as_str().unwrap(), if room > 1 { "é" } else { "e" });
        *first.1 = longer.into();
    }
    map.into()
}

/// A parameter, what it is at a size, its limit, and the status of what is over it.
struct Limited {
    param: &'static str,
    at: fn(usize) -> Value,
    limit: usize,
    over: u16,
}

fn limited() -> Vec<Limited> {
    let of = |param, at, limit, over| Limited { param, at, limit, over };
    vec![
        of("input", |n| text(n).into(), INPUT_BYTES, 413),
        of("instructions", |n| text(n).into(), INPUT_BYTES, 413),
        of("metadata", pairs, 16, 400),
        of("metadata", |n| json!({ "k".repeat(n): "v" }), 64, 400),
        of("metadata.k", |n| json!({ "k": "ü".repeat(n) }), 512, 400),
        of("metadata", metadata, METADATA_BYTES, 413),
        of("safety_identifier", |n| "s".repeat(n).into(), 64, 400),
        of("user", |n| "u".repeat(n).into(), 512, 400),
        of("prompt_cache_key", |n| "c".repeat(n).into(), 64, 400),
        of("max_output_tokens", |n| n.into(), 1_000_000, 400),
    ]
}

fn body(limited: &Limited, size: usize) -> Value {
    let mut body = json!({ "model": "m", "input": "Hi." });
    let parameter = limited.param.split('.').next().unwrap();
    body[parameter] = (limited.at)(size);
    body
}

async fn padded(client: &Client, bytes: usize) -> Answer {
    let body = json!({ "model": "m", "input": "Hi." }).to_string();
    let body = format!("{body}{}", " ".repeat(bytes - body.len()));
    Answer::of(client.request(Method::POST, "/v1/responses").body(body)).await
}

#[tokio::test]
async fn a_size_at_its_limit_is_taken_and_one_over_is_refused() {
    let (provider, site, server) = start().await;
    let client = server.client();
    let mut taken = 0;
    for case in limited() {
        for size in [case.limit - 1, case.limit] {
            let answer = client.create(&body(&case, size)).await;
            assert_eq!(answer.status, 200, "{} at {size}: {}", case.param, answer.text);
            taken += 1;
        }
        let (status, _, param) = client.create(&body(&case, case.limit + 1)).await.error();
        assert_eq!((status, param.as_deref()), (case.over, Some(case.param)), "one over {}", case.limit);
    }
    for (tokens, status) in [(15, 400), (16, 200), (17, 200)] {
        let answer = client.create(&json!({ "model": "m", "input": "Hi.", "max_output_tokens": tokens })).await;
        assert_eq!(answer.status, status, "{tokens} tokens");
    }
    for (bytes, status) in [(BODY_BYTES - 1, 200), (BODY_BYTES, 200), (BODY_BYTES + 1, 413)] {
        assert_eq!(padded(&client, bytes).await.status, status, "a body of {bytes} bytes");
    }
    taken += 4;
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, taken);
    assert_eq!(provider.requests().len(), usize::try_from(taken).unwrap(), "only what was taken was sent on");
}

#[tokio::test]
async fn a_prompt_that_has_no_room_in_the_context_window_is_refused() {
    let (provider, site, server) = start().await;
    let client = server.client();
    provider.script("small", Script::answer(["Hello"]));
    let refused = client.create(&json!({ "model": "small", "input": "word ".repeat(300) })).await;
    let error = (413, Some("context_length_exceeded".to_owned()), Some("input".to_owned()));
    assert_eq!(refused.error(), error);
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 0);
    assert!(provider.requests().is_empty());
    let long = json!({ "model": "small", "input": "word ".repeat(150) });
    let first = client.create(&long).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let mut second = long.clone();
    second["previous_response_id"] = first.id().into();
    assert_eq!(client.create(&second).await.error(), error, "the history counts too");
    second["truncation"] = "auto".into();
    assert_eq!(client.create(&second).await.status, 200, "the oldest may be left out when the client says so");
}
