//! What a client sends goes to the provider and comes back as it was sent.

use antiphon::testkit::{Script, ScriptedProvider};
use reqwest::Method;

use crate::support::{Answer, Client, Site};

/// What no map and no float can hold: keys that are not sorted and come twice, numbers of every length.
const SCHEMA: &str = concat!(
    r#"{"type":"object","properties":{"reasoning":{"minimum":1.0},"answer":{"maximum":9223372036854775808},"#,
    r#""many":{"enum":[1e400,-0.10E+2,123456789012345678901234567890]},"answer":{"const":"\u00e9 \"}\" "}}}"#
);
const METADATA: &str = r#"{"zebra":"1","ant":"2","mole":"3"}"#;

/// A request with these keys, white space wherever it may be.
fn request(model: &str, more: &str) -> String {
    let schema = SCHEMA.replace(r#""properties":{"#, "\"properties\" : {\r\n\t");
    format!(
        r#"{{ "model": "{model}", "input": "Hi.", {more} "metadata": {METADATA},
            "tools": [ {{ "type": "function", "name": "f", "parameters": {schema} }} ],
            "text": {{ "format": {{ "type": "json_schema", "name": "n", "schema": {schema} }} }} }}"#
    )
}

async fn create(client: &Client, body: String) -> Answer {
    let request = client.request(Method::POST, "/v1/responses").header("content-type", "application/json");
    Answer::of(request.body(body)).await
}

#[track_caller]
fn has_what_was_sent(text: &str) {
    for part in [format!(r#""parameters":{SCHEMA}"#), format!(r#""schema":{SCHEMA}"#), METADATA.to_owned()] {
        assert!(text.contains(&part), "no {part} in {text}");
    }
}

#[tokio::test]
async fn every_kind_of_provider_gets_the_schemas_as_they_were_sent() {
    let provider = ScriptedProvider::start();
    let mut site = Site::new();
    for kind in ["chat_completions", "responses", "anthropic"] {
        provider.script(kind, Script::status(400, &[], "{}"));
        site = site.provider_of_kind(kind, (kind, &provider.base_url(), &[kind]));
    }
    let server = site.start().await;
    for (kind, key) in [("chat_completions", "parameters"), ("responses", "parameters"), ("anthropic", "input_schema")]
    {
        create(&server.client(), request(kind, "")).await;
        let sent = provider.requests().pop().unwrap().text;
        for part in [format!(r#""{key}":{SCHEMA}"#), format!(r#""schema":{SCHEMA}"#)] {
            assert!(sent.contains(&part), "{kind}: no {part} in {sent}");
        }
    }
}

#[tokio::test]
async fn answers_events_and_what_is_stored_show_what_was_sent_also_after_a_restart() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let made = create(&server.client(), request("m", "")).await;
    assert_eq!(made.status, 200, "{made:?}");
    has_what_was_sent(&made.text);
    let streamed = create(&server.client(), request("m", r#""stream": true, "background": true,"#)).await;
    let lifecycle =
        |text: &str| text.lines().filter(|line| line.contains(r#""response":{"#)).map(str::to_owned).collect();
    let lines: Vec<String> = lifecycle(&streamed.text);
    assert_eq!(lines.len(), 4, "{streamed:?}");
    lines.iter().for_each(|line| has_what_was_sent(line));
    let id_in = |text: &str| text.split('"').find(|part| part.starts_with("resp_")).unwrap().to_owned();
    let (made, id) = (id_in(&made.text), id_in(&lines[0]));

    server.terminate();
    server.ended().await;
    let server = site.start().await;
    for id in [&made, &id] {
        has_what_was_sent(&server.client().retrieve(id).await.text);
    }
    let replayed = server.client().get(&format!("/v1/responses/{id}?stream=true")).await;
    assert_eq!(replayed.text, streamed.text, "the same bytes again");
}

/// Fields of a model's item that this server does not know.
const UNKNOWN: &str = concat!(
    r#""x":{"b":1.10,"a":1e400,"b":-0},"half":"\ud83d","long":123456789012345678901234567890,"#,
    r#""x":[0.0,"\u00e9"]"#
);

#[tokio::test]
async fn unknown_fields_of_items_are_told_kept_and_given_back_as_they_were_sent() {
    let provider = ScriptedProvider::start();
    let done = r#"{"type":"response.completed","response":{"status":"completed","output":[{"type":"message","content":"Hi."}]}}"#;
    let site = Site::new().provider_of_kind("responses", ("up", &provider.base_url(), &["m"]));
    let server = site.start().await;
    let client = server.client();
    let breakpoint = format!(r#""prompt_cache_breakpoint":{{{UNKNOWN}}}"#);
    let items = format!(
        r#"[{{"role":"user","content":[{{"type":"input_text","text":"Hi.",{breakpoint}}}]}},
            {{"type":"reasoning","summary":[],"encrypted_content":"gAAAA",{UNKNOWN}}},
            {{"type":"message","role":"assistant","content":"Hm.",{UNKNOWN}}},
            {{"type":"function_call","call_id":"c","name":"f","arguments":"{{}}",{UNKNOWN}}},
            {{"type":"function_call_output","call_id":"c","output":"1"}}]"#
    );
    let (mut ids, mut before) = (Vec::new(), String::new());
    for input in [items.as_str(), "\"And now?\""] {
        provider.script("m", Script::new().raw(format!("data: {done}\n\n")));
        let made = create(&client, format!(r#"{{"model":"m","input":{input}{before}}}"#)).await;
        assert_eq!(made.status, 200, "{made:?}");
        let sent = provider.requests().pop().unwrap().text;
        assert_eq!((sent.matches(UNKNOWN).count(), sent.matches(&breakpoint).count()), (4, 1), "{sent}");
        before = format!(r#","previous_response_id":"{}""#, made.id());
        ids.push(made.id());
    }
    let listed = client.get(&format!("/v1/responses/{}/input_items", ids[0])).await;
    assert_eq!((listed.status, listed.text.matches(UNKNOWN).count()), (200, 4), "{listed:?}");
}

/// As deep as a request may have one: 100 levels.
fn deepest_schema() -> String {
    format!(r#"{{"type":"object","x":{}{}}}"#, "[".repeat(99), "]".repeat(99))
}

#[tokio::test]
async fn a_provider_that_echoes_the_deepest_schemas_of_a_request_completes_it() {
    let provider = ScriptedProvider::start();
    let site = Site::new().provider_of_kind("responses", ("up", &provider.base_url(), &["m"]));
    let server = site.start().await;
    let schema = deepest_schema();
    let tools = format!(r#"[{{"type":"function","name":"f","parameters":{schema}}}]"#);
    let format = format!(r#"{{"format":{{"type":"json_schema","name":"n","schema":{schema}}}}}"#);
    let event = |name: &str, status: &str, output: &str| {
        let response = format!(r#"{{"status":"{status}","output":{output},"tools":{tools},"text":{format}}}"#);
        format!("data: {{\"type\":\"response.{name}\",\"response\":{response}}}\n\n")
    };
    let said = r#"[{"type":"message","content":[{"type":"output_text","text":"Hi."}]}]"#;
    let echoes = event("created", "in_progress", "[]") + &event("completed", "completed", said);
    provider.script("m", Script::new().raw(echoes));
    let body = format!(r#"{{"model":"m","input":"Hi.","tools":{tools},"text":{format}}}"#);
    let made = create(&server.client(), body).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.output_text(), "Hi.");
    assert_eq!(made.text.matches(&schema).count(), 2, "the schemas as they were sent: {made:?}");
}
