//! API keys, with the real command line beside the real server.

use antiphon::testkit::{Script, ScriptedProvider};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::support::{Answer, Client, Site, count};

/// What has opened other servers.
const HEADERS: [(&str, &str); 8] = [
    ("x-dev-mode", "true"),
    ("x-dev-user", "default"),
    ("x-user-id", "default"),
    ("x-forwarded-user", "default"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-api-key", "default"),
    ("x-internal", "1"),
    ("cookie", "session=default"),
];

const VARIABLES: [&str; 6] = ["DEV_MODE", "DEBUG", "DISABLE_AUTH", "AUTH_DISABLED", "NO_AUTH", "RUST_ENV"];

async fn site() -> (ScriptedProvider, Site) {
    let provider = ScriptedProvider::start();
    provider.script("m", Script::answer(["Hello"]));
    let site = VARIABLES.iter().fold(Site::with_models(&provider, &["m"]), |site, name| site.variable(name, "1"));
    (provider, site.variable("APP_ENV", "development"))
}

fn creation(client: &Client) -> RequestBuilder {
    client.bare(Method::POST, "/v1/responses").body(json!({ "model": "m", "input": "Hi." }).to_string())
}

fn assert_unauthorized(answer: &Answer) {
    assert_eq!(answer.error(), (401, Some("invalid_api_key".to_owned()), None));
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

#[tokio::test]
async fn nothing_but_a_good_key_opens_anything() {
    let (provider, site) = site().await;
    let server = site.start().await;
    let client = server.client();
    let wrong = format!("{}{}", &server.key[..server.key.len() - 4], "AAAA");
    let bearers = ["", "Bearer", "Bearer ", "Bearer  ", "Bearer null", "Basic ZGVmYXVsdDo=", "bearer ak_"];
    let mut bearers: Vec<String> = bearers.map(str::to_owned).to_vec();
    bearers.extend([format!("Bearer {wrong}"), server.key.clone(), format!("Bearer {}", &server.key[..19])]);
    for bearer in &bearers {
        assert_unauthorized(&Answer::of(creation(&client).header("authorization", bearer)).await);
    }
    assert_unauthorized(&Answer::of(creation(&client)).await);
    for (name, value) in HEADERS {
        assert_unauthorized(&Answer::of(creation(&client).header(name, value)).await);
        assert_unauthorized(&Answer::of(creation(&client).header(name, &server.key)).await);
    }
    let all = HEADERS.iter().fold(creation(&client), |request, (name, value)| request.header(*name, *value));
    assert_unauthorized(&Answer::of(all).await);
    let some = "resp_00000000000000000000000000000000";
    for (method, path) in [
        (Method::GET, "/v1/models".to_owned()),
        (Method::GET, "/v1/models/m".to_owned()),
        (Method::GET, format!("/v1/responses/{some}?api_key={}", server.key)),
        (Method::GET, format!("/v1/responses/{some}/input_items")),
        (Method::DELETE, format!("/v1/responses/{some}")),
        (Method::POST, format!("/v1/responses/{some}/cancel")),
    ] {
        assert_unauthorized(&Answer::of(client.bare(method, &path)).await);
    }
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 0);
    assert!(provider.requests().is_empty());
    assert_eq!(Answer::of(creation(&client).bearer_auth(&server.key)).await.status, 200);
}

#[tokio::test]
async fn a_key_revoked_on_the_command_line_is_refused_by_the_next_request() {
    let (_provider, site) = site().await;
    let server = site.start().await;
    let client = server.client();
    let key = site.run(&["keys", "create", "--name", "second"]);
    let second = client.with_key(&key);
    let made = second.create(&json!({ "model": "m", "input": "Hi." })).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let revoked = site.run(&["keys", "revoke", &key[..19]]);
    assert!(!revoked.contains(&key[20..]), "the secret is not shown again");
    assert_unauthorized(&second.get("/v1/models").await);
    assert_unauthorized(&second.create(&json!({ "model": "m", "input": "Hi." })).await);
    assert_eq!(client.retrieve(&made.id()).await.status, 200, "the user's other key goes on");
    let listed = site.run(&["keys", "list"]);
    assert!(listed.contains(&key[..19]) && !listed.contains(&key[20..]));
}

#[tokio::test]
async fn a_user_who_is_deleted_takes_keys_and_responses_along() {
    let (_provider, site) = site().await;
    let server = site.start().await;
    site.run(&["users", "create", "guest"]);
    let key = site.run(&["keys", "create", "--name", "guest", "--user", "guest"]);
    let guest = server.client().with_key(&key);
    let made = guest.create(&json!({ "model": "m", "input": "Hi." })).await;
    assert_eq!(server.client().retrieve(&made.id()).await.error().0, 404, "somebody else's is not there");
    site.run(&["users", "delete", "guest"]);
    assert_unauthorized(&guest.retrieve(&made.id()).await);
    assert_eq!(count(&site.script().await, "SELECT COUNT(*) FROM responses").await, 0);
}
