//! Texts that must appear nowhere: neither in what the server prints and logs, nor in what its database holds.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider, postgres};
use reqwest::Method;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Events, Running, Site, count, texts};

/// In every text of this test. Nothing else has it.
const CANARY: &str = "CANARYzq";

fn canary(place: &str) -> String {
    format!("{CANARY} {place}")
}

fn provider(gate: &ScriptGate) -> ScriptedProvider {
    let said = canary("said");
    let words = json!({ "message": canary("refused"), "param": canary("param"), "code": canary("code") });
    let refusal = json!({ "error": words }).to_string();
    let reported = json!({ "error": { "message": canary("reported"), "code": canary("code") } });
    let provider = ScriptedProvider::start();
    provider.script("good", Script::answer([said.as_str(), " and", " more"]));
    provider.script(&canary("model"), Script::answer(["Hello"]));
    provider.script("refuses", Script::status(400, &[("x-canary", CANARY)], &refusal));
    provider.script("fails", Script::status(500, &[], &refusal));
    provider.script("page", Script::status(200, &[("content-type", "text/html")], &said));
    provider.script("reports", Script::new().text(&said).raw(format!("data: {reported}\n\n")));
    provider.script("nonsense", Script::new().text(&said).raw(format!("data: {{\"{CANARY}\": [\n\n")));
    provider.script("cut", Script::new().text(&said).cut());
    provider.script("waits", Script::new().text(&said).pause_until(gate).done());
    provider
}

fn full(model: &str, stream: bool) -> Value {
    json!({
        "model": model,
        "stream": stream,
        "instructions": canary("instructions"),
        "input": [
            { "role": "user", "content": canary("input"), "id": canary("id") },
            { "role": "assistant", "content": canary("history") },
            { "role": "user", "content": [{ "type": "input_text", "text": canary("part") }] },
        ],
        "metadata": { canary("key"): canary("value") },
        "safety_identifier": canary("safety"),
        "user": canary("user"),
        "prompt_cache_key": canary("cache"),
        "tools": [{
            "type": "function",
            "name": format!("{CANARY}_tool"),
            "description": canary("description"),
            "parameters": { "type": "object", "properties": { canary("property"): { "type": "string" } } },
        }],
        "text": { "format": { "type": "json_schema", "name": format!("{CANARY}_schema"), "schema": { "const": canary("const") } } },
    })
}

/// Every way in which a model can answer, streamed and whole, stored and not.
async fn every_answer(client: &Client) {
    for model in ["good", "refuses", "fails", "page", "reports", "nonsense", "cut"] {
        for (stream, store) in [(false, true), (true, true), (false, false), (true, false)] {
            let mut body = full(model, stream);
            body["store"] = store.into();
            let answer = client.create(&body).await;
            // A provider's refusal of the request is told to the client that asked, and to nobody else.
            let is_told = answer.status == 200 || model == "refuses";
            assert_eq!(answer.text.contains(CANARY), is_told, "{model}: {}", answer.text);
        }
    }
    let made = client.create(&full("good", false)).await;
    assert!(made.output_text().contains(CANARY), "{}", made.text);
    let repeated = || client.creation(&full("good", false)).header("idempotency-key", CANARY);
    let (first, second) = (Answer::of(repeated()).await, Answer::of(repeated()).await);
    assert!(first.status == 200 && first.text == second.text, "{} {}", first.text, second.text);
    let body = json!({ "model": "good", "input": canary("next"), "previous_response_id": made.id() });
    assert_eq!(client.create(&body).await.status, 200);
    assert!(client.retrieve(&made.id()).await.text.contains(CANARY));
    assert!(client.get(&format!("/v1/responses/{}/input_items", made.id())).await.text.contains(CANARY));
    client.replay(&made.id()).await.read_all().await;
    let cursor = canary("id").replace(' ', "%20");
    let after = client.get(&format!("/v1/responses/{}/input_items?order=asc&after={cursor}", made.id())).await;
    assert_eq!(after.json()["data"].as_array().unwrap().len(), 2, "{}", after.text);
    let any = client.create(&json!({ "model": canary("model"), "input": canary("next") })).await;
    assert_eq!((any.status, any.json()["model"].as_str()), (200, Some(canary("model").as_str())));
}

async fn every_refusal(client: &Client) {
    let bad = [
        format!("{{\"model\": \"good\", \"input\": \"{CANARY}"),
        json!({ "model": "good", "input": { CANARY: CANARY } }).to_string(),
        json!({ "model": "good", "input": "x", "temperature": CANARY }).to_string(),
        json!({ "model": "good", "input": CANARY, "previous_response_id": CANARY }).to_string(),
        json!({ "model": "good", "input": CANARY, "metadata": { CANARY: "x".repeat(600) } }).to_string(),
        json!({ "model": "good", "input": CANARY.repeat(80_000) }).to_string(),
        json!({ "model": "good", "input": CANARY, "tools": [{ "type": "function", "name": canary(" ") }] }).to_string(),
        json!({ "model": "good", "input": CANARY, "tools": [{ "type": CANARY, "name": CANARY }] }).to_string(),
        json!({ "model": "good", "input": CANARY, "tool_choice": { "type": "function", "name": CANARY } }).to_string(),
    ];
    for body in bad {
        let request = client.request(Method::POST, "/v1/responses").header("content-type", "application/json");
        assert!(Answer::of(request.body(body)).await.status >= 400);
    }
    for path in ["/v1/responses/{}", "/v1/responses/{}/input_items", "/v1/models/{}", "/{}", "/v1/models?after={}"] {
        client.get(&path.replace("{}", CANARY)).await;
    }
    let reused = client.creation(&json!({ "model": "good", "input": CANARY })).header("idempotency-key", CANARY);
    assert_eq!(Answer::of(reused).await.status, 409);
    client.cancel(CANARY).await;
    client.delete(CANARY).await;
    client.with_key(CANARY).get("/v1/models").await;
    client.with_key(&format!("ak_0123456789abcdef_{CANARY:A<43}")).get("/v1/models").await;
}

async fn cancel_and_delete(client: &Client) {
    for ends_by in ["cancel", "delete"] {
        let mut events = Events::of(client.creation(&full("waits", true))).await;
        events.read_until_text("said").await;
        let ended = match ends_by {
            "cancel" => client.cancel(&events.id()).await,
            _ => client.delete(&events.id()).await,
        };
        assert_eq!(ended.status, 200, "{ends_by}: {}", ended.text);
        events.read_all().await;
    }
}

fn assert_silent(place: &str, text: &str, secrets: &[&str]) {
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{place} holds a secret: {line:?}");
    }
}

/// Every column of every table and view as text; bytes are hexadecimal there.
async fn whole_database(db: &DatabaseConnection) -> String {
    let columns = "SELECT quote_ident(table_name) || ' ' || quote_ident(column_name) FROM information_schema.columns \
                   WHERE table_schema = 'public'";
    let mut whole = String::new();
    for column in texts(db, columns).await {
        let (table, column) = column.split_once(' ').unwrap();
        let held = texts(db, &format!("SELECT {column}::text FROM {table}")).await;
        whole.push_str(&held.join("\n"));
    }
    assert!(whole.contains("completed") && whole.contains("cancelled"), "nothing was read");
    whole
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Lets a server do all that it can do with content; then its key's secret part.
async fn live_through_everything(server: &Running) -> String {
    let client = server.client();
    every_answer(&client).await;
    every_refusal(&client).await;
    cancel_and_delete(&client).await;
    server.key.rsplit_once("ak_").unwrap().1[17..].to_owned()
}

fn site(gate: &ScriptGate) -> (ScriptedProvider, Site) {
    let provider = provider(gate);
    let models = ["good", "refuses", "fails", "page", "reports", "nonsense", "cut", "waits", "*"];
    let site = Site::with_models(&provider, &models)
        .variable("ANTIPHON_LOG__FILTER", "trace")
        .variable("RUST_LOG", "trace")
        .variable("RUST_BACKTRACE", "full");
    (provider, site)
}

#[tokio::test]
async fn no_content_is_printed_logged_or_kept_in_the_clear() {
    let gate = ScriptGate::new();
    let (_provider, site) = site(&gate);
    let server = site.start().await;
    let secret = live_through_everything(&server).await;
    // What is written shows in the write-ahead log, which a server that stops would fold away.
    for (name, bytes) in site.files() {
        for secret in [CANARY, secret.as_str(), &hex(CANARY)] {
            let held = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!held, "{name} holds {secret:?}");
        }
    }
    let names: String = site.files().into_iter().map(|(name, _)| name).collect();
    assert!(names.contains("antiphon.db-wal") && names.contains("antiphon.db-shm"), "{names}");
    assert!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await > 10);
    // Standard output holds the key once: that is how its owner learns it.
    assert_silent("standard output", &server.printed(), &[CANARY]);
    let log = server.kill().await;
    assert!(log.contains(" DEBUG "), "the filter is open");
    assert_silent("the log", &log, &[CANARY, &hex(CANARY), &secret]);
}

#[tokio::test]
async fn no_content_is_in_any_column_of_postgresql() {
    let gate = ScriptGate::new();
    let (_provider, site) = site(&gate);
    let site = site.on(&postgres::fresh_database());
    let server = site.start().await;
    let secret = live_through_everything(&server).await;
    let whole = whole_database(&site.script().await).await;
    assert_silent("the database", &whole, &[CANARY, &hex(CANARY), &secret, &hex(&secret)]);
    let log = server.kill().await;
    assert_silent("the log", &log, &[CANARY, &hex(CANARY), &secret]);
}
