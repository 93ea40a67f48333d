//! What goes along with a request: its id, its history; and what the server says of itself.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use antiphon::testkit::{Script, ScriptedProvider, postgres::Postgres};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Site, execute};

#[tokio::test]
async fn a_request_id_goes_from_the_client_to_the_provider_and_onto_every_line() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    provider.script("fails", Script::status(500, &[], "{}"));
    let site = Site::with_models(&provider, &["m", "fails"]).variable("ANTIPHON_LOG__FILTER", "warn,antiphon=trace");
    let server = site.start().await;
    let client = server.client();
    for (model, given) in [("m", "client-1"), ("fails", "client-2")] {
        let body = json!({ "model": model, "input": "Hi.", "stream": true });
        let answer = Answer::of(client.creation(&body).header("x-request-id", given)).await;
        assert_eq!(answer.header("x-request-id"), given);
        assert_eq!(provider.requests().last().unwrap().header("x-request-id"), Some(given));
    }
    let made = client.create(&json!({ "model": "m", "input": "Hi." })).await;
    let own = made.header("x-request-id").to_owned();
    assert!(own.starts_with("req_"));
    assert_eq!(provider.requests().last().unwrap().header("x-request-id"), Some(own.as_str()));
    for bad in ["", "two words", "ü", &"x".repeat(129)] {
        let answer = Answer::of(client.request(Method::GET, "/v1/models").header("x-request-id", bad)).await;
        assert!(answer.header("x-request-id").starts_with("req_"), "{bad}");
    }
    server.terminate();
    let (_, log) = server.ended().await;
    for id in ["client-1", "client-2", own.as_str()] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
        assert!(lines.iter().any(|line| line.contains("http.request.answered")), "{log}");
        assert!(lines.iter().any(|line| line.contains("response ended")), "{log}");
    }
    let about = |line: &&str| line.contains("request{") || line.contains("response{") || line.contains("resp_");
    let strays: Vec<&str> =
        log.lines().filter(about).filter(|line| !line.contains("req_") && !line.contains("client-")).collect();
    assert!(strays.is_empty(), "lines of a request without its id: {strays:#?}");
}

#[tokio::test]
async fn what_anybody_can_send_in_any_number_is_not_a_line_of_the_log_each() {
    let provider = ScriptedProvider::start();
    let server = Site::with_models(&provider, &["m"]).start().await;
    let client = server.client();
    let address = client.address();
    for _ in 0..5 {
        assert_eq!(Answer::of(client.bare(Method::GET, "/v1/models")).await.status, 401);
        assert_eq!(client.get("/health/live").await.status, 200);
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(b"no HTTP at all\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    server.terminate();
    let (_, log) = server.ended().await;
    assert_eq!(log.matches("requests had no valid API key").count(), 1, "{log}");
    assert!(!log.contains("http.request.answered") && !log.contains("stream error"), "{log}");
}

fn messages(request: &Value) -> Vec<(String, String)> {
    let text = |message: &Value| {
        let content = &message["content"];
        content.as_str().or_else(|| content[0]["text"].as_str()).unwrap().to_owned()
    };
    let messages = request["messages"].as_array().unwrap().iter();
    messages.map(|message| (message["role"].as_str().unwrap().to_owned(), text(message))).collect()
}

#[tokio::test]
async fn a_conversation_reaches_the_provider_in_order_and_without_old_instructions() {
    let provider = ScriptedProvider::start();
    for said in ["First answer.", "Second answer.", "Third answer."] {
        provider.script("m", Script::answer([said]));
    }
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let one = client.create(&json!({ "model": "m", "input": "One?", "instructions": "Be brief." })).await.id();
    let two = json!({
        "model": "m",
        "input": [{ "role": "user", "content": "Two?" }, { "role": "developer", "content": "Mind this." }],
        "previous_response_id": one,
    });
    let two = client.create(&two).await.id();
    let three = json!({ "model": "m", "input": "Three?", "instructions": "Be kind.", "previous_response_id": two });
    let three = client.create(&three).await;
    assert_eq!((three.status, three.json()["previous_response_id"].as_str()), (200, Some(two.as_str())));
    let sent: Vec<_> = provider.requests().iter().map(|request| messages(&request.body)).collect();
    let expect = |number: usize, expected: &[(&str, &str)]| {
        let sent: Vec<_> = sent[number].iter().map(|(role, text)| (role.as_str(), text.as_str())).collect();
        assert_eq!(sent, expected);
    };
    expect(0, &[("system", "Be brief."), ("user", "One?")]);
    let second = [("user", "One?"), ("assistant", "First answer."), ("user", "Two?")];
    expect(1, &[[("system", "Mind this.")].as_slice(), &second].concat());
    let rest = [("assistant", "Second answer."), ("user", "Three?")];
    expect(2, &[[("system", "Be kind.\n\nMind this.")].as_slice(), &second, &rest].concat());
}

#[tokio::test]
async fn a_server_whose_database_goes_away_lives_and_is_not_ready() {
    let postgres = Postgres::start();
    let site = Site::new().on(&postgres.create_database());
    let site = site.config("[store]\nacquire_timeout = \"1s\"\nstatement_timeout = \"1s\"");
    let server = site.start().await;
    let client = server.client();
    let probe = |path| Answer::of(client.bare(Method::GET, path));
    assert_eq!(probe("/health/live").await.status, 200);
    let up = json!({ "name": "eliza", "state": "up", "running": 0, "waiting": 0 });
    assert_eq!(probe("/health/ready").await.json(), json!({ "status": "ok", "providers": [up] }));
    drop(postgres);
    let mut ready = probe("/health/ready").await;
    while ready.status == 200 {
        ready = probe("/health/ready").await;
    }
    let unavailable = (503, Some("database_unavailable".to_owned()), None);
    assert_eq!(ready.error(), unavailable);
    assert!(!ready.header("retry-after").is_empty());
    assert_eq!(client.create(&json!({ "model": "eliza", "input": "Hi." })).await.error(), unavailable);
    assert_eq!(client.retrieve("resp_00000000000000000000000000000000").await.error(), unavailable, "not a 404");
    assert_eq!(probe("/health/live").await.status, 200);
}

#[tokio::test]
async fn what_goes_wrong_in_the_actors_is_logged_with_the_id_of_its_request() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    let made = client.create(&json!({ "model": "m", "input": "Hi." })).await.id();
    execute(&site.script().await, "UPDATE segments SET bytes = x'00'", Vec::new()).await;
    let path = format!("/v1/responses/{made}");
    let asks =
        [(Method::GET, path.clone()), (Method::GET, format!("{path}?stream=true")), (Method::POST, path + "/cancel")];
    for (number, (method, path)) in asks.into_iter().enumerate() {
        let answer = Answer::of(client.request(method, &path).header("x-request-id", format!("asked-{number}"))).await;
        assert!(answer.text.contains("\"server_error\""), "{path}: {answer:?}");
    }
    let log = server.kill().await;
    let errors: Vec<&str> = log.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() >= 3 && errors.iter().all(|line| line.contains("asked-")), "{errors:#?}");
}
