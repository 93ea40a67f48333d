//! Requests as large as they may be, of every shape.

use reqwest::Method;
use serde_json::json;

use super::peak::Peak;
use crate::support::{Answer, Site};

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
