//! Requests as large as they may be, of every shape.

use antiphon::{
    domain::{LimitOptions, RequestShape},
    testkit::{Script, ScriptedProvider},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::peak::Peak;
use crate::support::{Answer, Site};

/// What a process takes and gives back meanwhile, whatever it is asked: the runs of small requests show it.
const BESIDE: u64 = 12 << 20;

/// The default of `http.body_limit`.
const LIMIT: usize = 8 << 20;

/// As often as it fits between a beginning and an end.
fn filled(beginning: &str, unit: &str, end: &str) -> String {
    let times = (LIMIT - beginning.len() - end.len()) / unit.len();
    [beginning, &unit.repeat(times), end].concat()
}

/// Keys that are all different.
fn keys(beginning: &str, end: &str) -> String {
    let mut body = beginning.to_owned();
    for key in 0.. {
        if body.len() + end.len() > LIMIT - 20 {
            break;
        }
        body.push_str(&format!("\"{key}\":\"\","));
    }
    [body.trim_end_matches(','), end].concat()
}

/// Bodies that once took up to fifty times their size; and whether the parameter is told.
fn shapes() -> Vec<(&'static str, String)> {
    let input = |rest: &str| format!(r#"{{"model":"eliza","input":{rest}"#);
    let with = |rest: &str| input(&format!(r#""x",{rest}"#));
    vec![
        ("input", filled(&input("["), "{},", "{}]}")),
        ("input", filled(&input(r#"[{"role":"user","content":["#), "{},", "{}]}]}")),
        ("input", keys(&input(r#"[{"role":"assistant","content":"x","#), "}]}")),
        ("input", filled(&input("\""), r"\u0041", "\"}")),
        ("input", filled(&input(r#"[{"role":"assistant","content":"x","extra":""#), "\\n", "\"}]}")),
        ("tools", filled(&with(r#""tools":["#), "1,", "1]}")),
        ("tools", filled(&with(r#""tools":[{"type":"function","description":""#), "x", "\"}]}")),
        ("metadata", keys(&with(r#""metadata":{"#), "}}")),
        ("text", keys(&with(r#""text":{"format":{"type":"json_schema","name":"a","schema":{"#), "}}}}")),
        ("conversation", filled(&with(r#""conversation":["#), "{},", "{}]}")),
        ("", "[".repeat(LIMIT)),
    ]
}

#[tokio::test]
async fn no_request_takes_more_than_four_times_the_limit_of_a_body() {
    let site = Site::new();
    let server = site.start().await;
    let client = server.client();
    let small = json!({ "model": "eliza", "input": "Hello" });
    assert_eq!(client.create(&small).await.status, 200);
    for (param, body) in shapes() {
        let begins: String = body.chars().take(100).collect();
        let peak = Peak::of(server.id());
        let request = client.request(Method::POST, "/v1/responses").header("content-type", "application/json");
        let answer = Answer::of(request.body(body)).await;
        let (status, _, told) = answer.error();
        assert!(matches!(status, 400 | 413), "{begins}: {status}");
        assert_eq!(told.unwrap_or_default(), param, "{begins}");
        let taken = peak.bytes();
        assert!(taken <= 4 * LIMIT as u64, "{begins}: {taken} bytes");
    }
    assert_eq!(client.create(&small).await.status, 200);
}

/// Requests at the limits of `[limits]` and of the body, of which each is taken.
fn largest() -> Vec<Value> {
    let request = |input: Value| json!({ "model": "m", "input": input });
    let item = |content: Value| json!({ "role": "user", "content": content });
    let parts = |count| json!(vec![json!({ "type": "input_text", "text": "x" }); count]);
    let mut of_values = json!({});
    for number in 0..20_000 {
        of_values[number.to_string()] = json!(1);
    }
    let mut with_tool = request(json!("Hi."));
    with_tool["tools"] = json!([{ "type": "function", "name": "f", "parameters": of_values }]);
    let mut with_instructions = request(json!("Hi."));
    with_instructions["tools"] = json!([{ "type": "function", "name": "f", "description": "word ".repeat(80_000) }]);
    vec![
        request(json!(vec![item(json!("x")); 4_000])),
        request(json!(vec![item(parts(1)); 4_000])),
        request(json!([item(parts(3_999))])),
        request(json!("word ".repeat(99_000))),
        with_tool,
        with_instructions,
    ]
}

#[tokio::test]
async fn no_request_that_is_taken_takes_more_than_four_times_what_it_counts() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    assert_eq!(client.create(&json!({ "model": "m", "input": "Hi." })).await.status, 200);
    for request in largest() {
        let body = request.to_string();
        let begins: String = body.chars().take(100).collect();
        let counted = body.len() + RequestShape::of(body.as_bytes(), &LimitOptions::default()).unwrap().memory();
        let peak = Peak::of(server.id());
        let answer = client.create(&request).await;
        assert_eq!(answer.status, 200, "{begins}: {}", answer.text);
        let taken = peak.bytes();
        assert!(taken <= 4 * counted as u64 + BESIDE, "{begins}: {taken} bytes, {counted} are counted");
    }
}
