//! A server that may open no further file.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Client, Site};

fn request() -> Value {
    json!({ "model": "m", "input": "Hi." })
}

/// What `/health/ready` says of the scripted provider.
async fn state_of_provider(client: &Client) -> Value {
    let ready = client.get("/health/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.text);
    let providers = ready.json()["providers"].as_array().unwrap().clone();
    providers.into_iter().find(|provider| provider["name"] == "scripted").unwrap()["state"].clone()
}

#[tokio::test]
async fn what_the_server_lacks_is_waited_for_and_blamed_on_nobody() {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["m"]);
    let server = site.start().await;
    let client = server.client();
    // From here on the client has a connection, and the server the files of its database.
    assert_eq!(client.create(&request()).await.status, 200);
    server.limit_open_files("3");
    let asked = tokio::spawn({
        let client = client.clone();
        async move { client.create(&request()).await }
    });
    server.logged("this server has no descriptors, ports or memory left to ask the provider").await;
    server.limit_open_files("4096");
    let answer = asked.await.unwrap();
    assert_eq!((answer.status, answer.output_text().as_str()), (200, "Hello"), "{}", server.log());
    assert_eq!(state_of_provider(&client).await, "up");
}

#[tokio::test]
async fn at_few_open_files_some_are_served_all_others_told_so_and_health_answers() {
    const STREAMS: usize = 150;
    let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
    provider.script("m", Script::new().text("Hello").pause_until(&gate).text(", world").finish("stop").done());
    let site =
        Site::with_models(&provider, &["m"]).open_files(256).config("[server]\nworkers = 2\n[responses]\narbiters = 2");
    let server = site.start().await;
    server.logged("LimitNOFILE").await;
    // Each with a connection of its own.
    let ask = |_| {
        let client = server.client();
        async move { Answer::of(client.creation(&request())).await }
    };
    let asked = tokio::spawn(join_all((0..STREAMS).map(ask).collect::<Vec<_>>()));
    server.logged("requests were refused: all connections are taken").await;
    assert_eq!(server.client().get("/health/live").await.status, 200);
    gate.open();
    let answers = asked.await.unwrap();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert!(served > 0);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.error(), (503, Some("server_is_overloaded".to_owned()), None));
        assert!(!answer.header("retry-after").is_empty());
    }
    // The server notices one by one that the clients are gone.
    let client = server.client();
    let mut again = client.create(&request()).await;
    while again.status == 503 {
        again = client.create(&request()).await;
    }
    assert_eq!(again.output_text(), "Hello, world");
    assert_eq!(state_of_provider(&client).await, "up");
    assert!(!server.log().contains("a provider failed"), "{}", server.log());
}
