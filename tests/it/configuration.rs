//! The configuration as the binary takes it: what is told at its start, and which models there are then.

use antiphon::testkit::{DeafServer, Script, ScriptedProvider, refused_base_url};
use serde_json::{Value, json};

use crate::support::{Client, Site};

/// What the entries of a list are called there.
fn names(list: &Value, key: &str) -> Vec<String> {
    list.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

async fn model_ids(client: &Client) -> Vec<String> {
    names(&client.get("/v1/models").await.json()["data"], "id")
}

#[tokio::test]
async fn the_start_tells_which_providers_answer_and_serves_before_it_knows() {
    let (provider, deaf, refused) = (ScriptedProvider::start(), DeafServer::start().await, refused_base_url());
    provider.script("m", Script::answer(["Hello"]));
    let site = Site::new()
        .provider("there", &provider.base_url(), &["m", "n"])
        .config("api_key_env = \"THERE_KEY\"")
        .variable("THERE_KEY", "sk-canary")
        .provider("gone", &refused, &["lost"])
        .provider("deaf", &deaf.base_url(), &["unheard"])
        .config("connect_timeout = \"200ms\"");
    let server = site.start().await;
    let key = &server.key;
    let client = server.client();
    assert_eq!(client.create(&json!({ "model": "m", "input": "Hi." })).await.status, 200);
    server.printed_line("Provider there").await;
    let told = server.printed();
    let (welcome, lines) = told.split_at(told.find("Provider ").unwrap());
    let expected = format!(
        "Provider deaf (chat_completions, {}): not reachable: the provider did not accept a connection in time\n\
         Provider gone (chat_completions, {refused}): not reachable: the provider could not be reached\n\
         Provider there (chat_completions, {}): reachable, 2 models\n",
        deaf.base_url(),
        provider.base_url(),
    );
    assert_eq!(lines, expected);
    assert!(welcome.starts_with("Antiphon listens on ") && welcome.contains(key.as_str()), "{welcome}");
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(model_ids(&client).await, ["eliza", "lost", "m", "n", "unheard"]);
    let ready = client.get("/health/ready").await;
    let names = names(&ready.json()["providers"], "name");
    assert_eq!((ready.status, names), (200, ["deaf", "eliza", "gone", "there"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_provider_that_takes_any_name_is_asked_for_those_that_nobody_has() {
    let (any, named) = (ScriptedProvider::start(), ScriptedProvider::start());
    any.script("org/new", Script::answer(["Any"]));
    named.script("upstream-m", Script::answer(["Named"]));
    let model = "models = [{ id = \"m\", upstream_id = \"upstream-m\" }]";
    let section = format!("[providers.named]\nkind = \"chat_completions\"\nbase_url = {:?}\n{model}", named.base_url());
    let site = Site::new().provider("any", &any.base_url(), &["*"]).config(&section);
    let server = site.start().await;
    let client = server.client();
    for (model, text) in [("org/new", "Any"), ("m", "Named")] {
        let answer = client.create(&json!({ "model": model, "input": "Hi." })).await;
        assert_eq!((answer.status, answer.output_text()), (200, text.to_owned()), "{answer:?}");
        assert_eq!(answer.json()["model"], model);
        let found = client.get(&format!("/v1/models/{model}")).await;
        assert_eq!((found.status, found.json()["id"].clone()), (200, json!(model)));
    }
    assert_eq!(client.get("/v1/models/org/new").await.json()["owned_by"], "any");
    assert_eq!(any.requests().len(), 1);
    assert_eq!(model_ids(&client).await, ["eliza", "m"]);
}

#[tokio::test]
async fn a_model_whose_provider_is_gone_is_answered_by_its_fallback_with_room() {
    let spare = ScriptedProvider::start();
    spare.script("upstream-b", Script::answer(["From b"]));
    let section = format!(
        "[providers.first]\nkind = \"chat_completions\"\nbase_url = {:?}\nmax_retries = 0\n\
         models = [{{ id = \"m\", fallback = [\"a\", \"b\"] }}]\n\
         [providers.spare]\nkind = \"chat_completions\"\nbase_url = {:?}\noutput_limit_field = \"max_tokens\"\n\
         models = [{{ id = \"a\", context_window = 20 }}, {{ id = \"b\", upstream_id = \"upstream-b\" }}]",
        refused_base_url(),
        spare.base_url(),
    );
    let server = Site::new().config(&section).start().await;
    let answer = server.client().create(&json!({ "model": "m", "input": "Hi.", "max_output_tokens": 16 })).await;
    assert_eq!((answer.status, answer.output_text()), (200, "From b".to_owned()), "{answer:?}");
    let sent = spare.requests();
    assert_eq!(sent.len(), 1, "a has no room: {sent:?}");
    assert_eq!((&sent[0].body["max_tokens"], &sent[0].body["max_completion_tokens"]), (&json!(16), &json!(null)));
}

#[tokio::test]
async fn what_is_wrong_with_the_configuration_is_all_told_before_anything_starts() {
    let site = Site::new()
        .config("[providers.a]\nkind = \"anthropc\"\nmax_concurrent = 0\nmodels = [\"m\", { id = \"n\", fallback = [\"o\"] }]")
        .variable("ANTIPHON_SERVER__LISTEN", "nowhere")
        .variable("ANTIPHON_PROVIDERS__A__CONNECT_TIMEOUT", "0s");
    for arguments in [["serve"], ["check-config"]] {
        let (status, errors) = site.refused(&arguments);
        assert_eq!(status.code(), Some(2), "{errors}");
        for key in [
            "providers.a.kind = anthropc: ",
            "providers.a.max_concurrent = 0: ",
            "providers.a.connect_timeout = 0s: ",
            "providers.a.base_url: is missing",
            "providers.a.models[1].fallback = o: ",
            "server.listen = nowhere: ",
        ] {
            assert!(errors.contains(&format!("\n  {key}")), "{key} is not in {errors}");
        }
        assert_eq!(errors.lines().count(), 9, "{errors}");
    }
    assert!(!site.data().exists(), "nothing was begun");
}

/// A Messages answer with that text.
fn messages(text: &str) -> Script {
    let events = [
        json!({ "type": "message_start", "message": { "id": "msg_1", "usage": { "input_tokens": 3, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 2 } }),
        json!({ "type": "message_stop" }),
    ];
    let frame = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    events.iter().map(frame).fold(Script::new(), Script::raw)
}

#[tokio::test]
async fn each_kind_of_provider_is_asked_in_its_own_protocol_with_its_key() {
    let provider = ScriptedProvider::start();
    provider.script("chat", Script::answer(["From chat"]));
    provider.script("claude", messages("From messages"));
    let behind = Site::with_models(&provider, &["chat"]).start().await;
    let (own, beyond) = (provider.base_url(), format!("{}/v1", behind.url));
    let site = Site::new()
        .provider_of_kind("anthropic", ("a", &own, &["claude"]))
        .config("api_key_env = \"MESSAGES_KEY\"")
        .variable("MESSAGES_KEY", "sk-messages")
        .provider_of_kind("responses", ("r", &beyond, &["chat"]))
        .config("api_key_env = \"BEHIND_KEY\"")
        .variable("BEHIND_KEY", &behind.key);
    let server = site.start().await;
    server.printed_line("Provider r").await;
    let told = server.printed();
    assert!(told.ends_with(&format!(
        "Provider a (anthropic, {own}): reachable, 1 model\nProvider r (responses, {beyond}): reachable, 1 model\n"
    )));
    let client = server.client();
    for (model, text) in [("claude", "From messages"), ("chat", "From chat")] {
        let answer = client.create(&json!({ "model": model, "input": "Hi." })).await;
        assert_eq!((answer.status, answer.output_text()), (200, text.to_owned()), "{answer:?}");
    }
    let sent = provider.requests();
    let paths: Vec<&str> = sent.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/v1/messages", "/v1/chat/completions"]);
    assert_eq!(sent[0].header("x-api-key"), Some("sk-messages"));
}

#[tokio::test]
async fn a_provider_that_does_not_take_the_key_is_said_to_refuse_it() {
    let behind = Site::new().start().await;
    let url = format!("{}/v1", behind.url);
    let site = Site::new().provider_of_kind("responses", ("r", &url, &["eliza-there"]));
    let server = site.start().await;
    server.printed_line("Provider r").await;
    let expected = format!("Provider r (responses, {url}): not reachable: the provider answered with status 401\n");
    assert!(server.printed().ends_with(&expected), "{}", server.printed());
}
