//! The same with real processes that are killed or told to stop.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider, postgres};
use serde_json::{Value, json};

use crate::chained::without_ids;
use crate::support::{Client, Events, Running, Site, row_id, texts, until_text};

/// A server whose provider waits at the gate after a few words, and one before it that keeps its calls there.
struct Pair {
    provider: ScriptedProvider,
    far_site: Site,
    far: Running,
    near: Site,
}

impl Pair {
    async fn start(gate: &ScriptGate) -> Self {
        let end = ScriptGate::new();
        end.open();
        Self::with_words_between(gate, &end).await
    }

    /// Its provider says more words, and waits at another gate before it ends.
    async fn with_words_between(gate: &ScriptGate, end: &ScriptGate) -> Self {
        let provider = ScriptedProvider::start();
        let begun = Script::new().text("Once ").text("upon ").text("a time").pause_until(gate);
        provider.script("waits", begun.text(" it").pause_until(end).text(" ended").finish("stop").usage(5, 6).done());
        let far_site = Site::with_models(&provider, &["waits"]);
        let far = far_site.start().await;
        let near = Site::new().config(&format!(
            "[providers.far]\nkind = \"responses\"\nbase_url = \"{}/v1\"\napi_key_env = \"FAR_KEY\"\nmodels = [\"waits\"]\n\
             reattach = true\nmax_retries = 0",
            far.url
        ));
        let near = near.variable("FAR_KEY", &far.key);
        Self { provider, far_site, far, near }
    }
}

impl Pair {
    /// What a client saw of a stream whose server was killed, the server as it runs again, and a client of it.
    async fn killed_and_started(&self) -> (Events, Running, Client) {
        let server = self.near.start().await;
        let key = server.key.clone();
        let mut events = begun(&server.client(), &body()).await;
        server.kill().await;
        while events.next().await.is_some() {}
        let server = self.near.start().await;
        let client = Client::new(&server.url, &key);
        (events, server, client)
    }
}

async fn begun(client: &Client, body: &Value) -> Events {
    let mut events = Events::of(client.creation(body)).await;
    events.read_until_text("a time").await;
    events
}

fn body() -> Value {
    json!({ "model": "waits", "input": "Tell.", "stream": true })
}

/// What the client sees of a response when its server is killed in mid-stream, and of one that nothing happens to.
#[tokio::test]
async fn a_stream_whose_server_was_killed_goes_on_after_the_restart_with_the_next_event() {
    let gate = ScriptGate::new();
    let pair = Pair::start(&gate).await;
    let (events, _server, client) = pair.killed_and_started().await;
    let (id, seen) = (events.id(), events.frames.len() as u64);
    let path = format!("/v1/responses/{id}?stream=true&starting_after={}", seen - 1);
    let mut rest = Events::of(client.request(reqwest::Method::GET, &path)).await;
    gate.open();
    assert_eq!(rest.read_all().await["type"], "response.completed");
    let frames: Vec<String> = events.frames.iter().chain(&rest.frames).cloned().collect();
    let mut replay = client.replay(&id).await;
    replay.read_all().await;
    assert_eq!(frames, replay.frames, "what both connections saw together is the whole stream, byte for byte");
    assert_eq!(pair.provider.requests().len(), 1, "the provider was called once");

    let mut uninterrupted = Events::of(client.creation(&body())).await;
    uninterrupted.read_all().await;
    let shape = |events: &Events| events.data().into_iter().map(without_ids).collect::<Vec<_>>();
    assert_eq!(shape(&replay), shape(&uninterrupted));
    let script = pair.near.script().await;
    let counts = format!("SELECT CAST(total_tokens AS TEXT) FROM usage_records WHERE response = '{}'", row_id(&id));
    assert_eq!(texts(&script, &counts).await, ["11"], "settled once, by what the provider reported");
}

/// What a server of two does that was stopped for longer than its lease, and what the other one does meanwhile.
#[tokio::test]
async fn a_server_that_lost_a_call_to_another_leaves_that_call_alone() {
    let (more, end) = (ScriptGate::new(), ScriptGate::new());
    let mut pair = Pair::with_words_between(&more, &end).await;
    pair.near = pair.near.config("[responses]\nlease = \"2s\"\nheartbeat = \"100ms\"").on(&postgres::fresh_database());
    let first = pair.near.start().await;
    let events = begun(&first.client(), &body()).await;
    let (db, id) = (pair.near.script().await, row_id(&events.id()));
    let owner = format!("SELECT CAST(epoch AS TEXT) FROM responses WHERE uuid = '{id}'");
    let before = texts(&db, &owner).await;
    let other = pair.near.beside();
    let second = other.start().await;
    first.pause();
    second.logged("a lost call is reattached").await;
    assert_ne!(texts(&db, &owner).await, before);
    more.open();
    first.unpause();
    first.logged("another owner has the response").await;
    // What the first one does about its call it does before it has a lease again.
    let fresh =
        "SELECT CAST(COUNT(*) AS TEXT) FROM nodes WHERE lease_until > EXTRACT(EPOCH FROM clock_timestamp()) * 1000000";
    until_text(&db, fresh, "2").await;
    end.open();
    let status = format!("SELECT status FROM responses WHERE uuid = '{id}' AND status <> 'in_progress'");
    until_text(&db, &status, "completed").await;
    let mut replay = second.client().replay(&events.id()).await;
    replay.read_all().await;
    assert_eq!(replay.text(), "Once upon a time it ended");
    assert_eq!(texts(&pair.far_site.script().await, "SELECT status FROM responses").await, ["completed"]);
    assert_eq!(pair.provider.requests().len(), 1, "the provider was called once");
}

#[tokio::test]
async fn a_cancel_after_the_restart_ends_the_work_of_every_server() {
    let gate = ScriptGate::new();
    let pair = Pair::start(&gate).await;
    let (events, _server, client) = pair.killed_and_started().await;
    let cancelled = client.cancel(&events.id()).await;
    assert_eq!((cancelled.status, cancelled.output_text()), (200, "Once upon a time".to_owned()));
    pair.provider.connection_closed(1).await;
    drop(pair.far);
}

#[tokio::test]
async fn a_server_told_to_stop_leaves_its_streams_to_the_next_one() {
    let gate = ScriptGate::new();
    let mut pair = Pair::start(&gate).await;
    pair.near = pair.near.config("[server]\ndrain_timeout = \"100ms\"");
    let server = pair.near.start().await;
    let key = server.key.clone();
    let mut events = begun(&server.client(), &body()).await;
    server.terminate();
    while events.next().await.is_some() {}
    let last = events.data().pop().unwrap();
    assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!("server_is_overloaded")), "come back");
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert_eq!(texts(&pair.near.script().await, "SELECT status FROM responses").await, ["in_progress"]);
    let server = pair.near.start().await;
    let mut replay = Client::new(&server.url, &key).replay(&events.id()).await;
    gate.open();
    assert_eq!(replay.read_all().await["type"], "response.completed");
    assert_eq!((replay.text().as_str(), pair.provider.requests().len()), ("Once upon a time it ended", 1));
}

#[tokio::test]
async fn what_waits_for_its_turn_when_the_server_is_killed_is_asked_for_with_its_whole_conversation() {
    let gate = ScriptGate::new();
    let provider = ScriptedProvider::start();
    provider.script("waits", Script::new().text("Once").pause_until(&gate).finish("stop").done());
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::with_models(&provider, &["waits", "m"]).config("[responses]\nbackground_concurrency = 1");
    let server = site.start().await;
    let (client, key) = (server.client(), server.key.clone());
    let before = client.create(&json!({ "model": "m", "input": "I am Ann." })).await.id();
    let background = |model: &str, input: &str| json!({ "model": model, "input": input, "background": true, "previous_response_id": before });
    let running = client.create(&background("waits", "Wait.")).await.id();
    gate.reached().await;
    let queued = client.create(&background("m", "Who am I?")).await.id();
    server.kill().await;
    let server = site.start().await;
    let client = Client::new(&server.url, &key);
    let mut replay = client.replay(&queued).await;
    assert_eq!(replay.read_all().await["type"], "response.completed");
    assert_eq!(replay.text(), "Hello");
    assert_eq!(client.retrieve(&running).await.json()["status"], "failed");
    let asked: Vec<Value> = provider.requests().into_iter().map(|request| request.body).collect();
    let words = |request: &Value| {
        let said = request["messages"].as_array().unwrap().iter();
        said.map(|message| message["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(&asked[2]), ["I am Ann.", "Hello", "Who am I?"]);
    assert_eq!(asked.len(), 3, "each was asked for once");
}
