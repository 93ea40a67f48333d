//! The real `openai` packages, for Python and for Node, against the real binary.

use std::{env, ffi::OsString, fs, path::Path, process::Command, time::Duration};

use antiphon::testkit::{Script, ScriptedProvider, refused_base_url};
use serde_json::{Value, json};

use crate::support::Site;

const MODELS: [&str; 11] = [
    "echo-fast",
    "after-tools",
    "slow",
    "brief",
    "broken",
    "calls-one",
    "calls-two",
    "calls-slowly",
    "writes-json",
    "thinks",
    "weighs",
];

fn provider() -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    for model in ["echo-fast", "after-tools"] {
        provider.script(model, Script::answer(["Hello ", "from ", "the ", "scripted ", "provider."]));
    }
    let word = |script: Script, number: u32| script.text(&format!("word{number} ")).rest(Duration::from_millis(20));
    for (model, words) in [("slow", 200), ("brief", 20)] {
        let script = (0..words).fold(Script::new(), word);
        provider.script(model, script.finish("stop").usage(10, words.into()).done());
    }
    provider.script("broken", Script::new().text("Hello ").text("there").cut());
    let one = call(Script::new(), 0, "Paris");
    let two = call(one.clone(), 1, "Oslo");
    provider.script("calls-one", one.clone().finish("tool_calls").usage(10, 5).done());
    provider.script("calls-two", two.finish("tool_calls").usage(10, 5).done());
    provider.script("calls-slowly", one.delta(begun_call(1)).delta(arguments(1, "{\"ci")).stall());
    provider.script("writes-json", Script::answer(["{\"name\":\"Ada\"", ",\"age\":36}"]));
    let thinks = Script::new().reasoning("Let me ").reasoning("see.").text("Because.");
    provider.script("thinks", thinks.finish("stop").usage(10, 5).done());
    let weighs = Script::new().chunk(weighed("Hel", -0.5)).chunk(weighed("lo", -0.25));
    provider.script("weighs", weighs.finish("stop").usage(10, 2).done());
    provider
}

/// A call of the function `weather`, its arguments in two pieces.
fn call(script: Script, index: u32, city: &str) -> Script {
    let script = script.delta(begun_call(index)).delta(arguments(index, "{\"city\":"));
    script.delta(arguments(index, &format!("\"{city}\"}}")))
}

fn begun_call(index: u32) -> Value {
    let function = json!({ "name": "weather", "arguments": "" });
    json!({ "tool_calls": [{ "index": index, "id": format!("call_{index}"), "type": "function", "function": function }] })
}

fn arguments(index: u32, arguments: &str) -> Value {
    json!({ "tool_calls": [{ "index": index, "function": { "arguments": arguments } }] })
}

/// A token and how probable it was.
fn weighed(token: &str, logprob: f64) -> Value {
    let weighed = json!({ "token": token, "logprob": logprob, "bytes": token.as_bytes() });
    let mut content = weighed.clone();
    content["top_logprobs"] = json!([weighed]);
    let delta = json!({ "content": token });
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": null, "logprobs": { "content": [content] } });
    json!({ "choices": [choice] })
}

/// Whatever order a client answered in, each call of a turn and then each answer, in the calls' order.
fn check_tool_messages(provider: &ScriptedProvider) {
    let requests = provider.requests();
    let told = requests.iter().filter(|request| request.body["model"] == "after-tools");
    let mut of_two_calls = 0;
    for request in told {
        let messages = request.body["messages"].as_array().unwrap();
        let caller = messages.iter().position(|message| message["tool_calls"].is_array()).unwrap();
        let calls = messages[caller]["tool_calls"].as_array().unwrap();
        let answers: Vec<_> = messages[caller + 1..].iter().take(calls.len()).map(|m| &m["tool_call_id"]).collect();
        assert_eq!(answers, calls.iter().map(|call| &call["id"]).collect::<Vec<_>>(), "{messages:#?}");
        of_two_calls += usize::from(calls.len() == 2);
    }
    assert!(of_two_calls >= 3, "the stories of two calls were not told");
}

/// A tool that the tests can't do without.
fn installed(variable: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| unreachable!("{variable} is not set: tests/run installs it and sets it"))
}

/// Has a package tell its stories to a server of its own.
async fn tell(mut teller: Command, folder: &str) -> String {
    let provider = provider();
    let site = Site::with_models(&provider, &MODELS);
    let site = site.provider("nowhere", &refused_base_url(), &["refused"]);
    let site = site.provider("nobody", &refused_base_url(), &["refused-too"]);
    let server = site.start().await;
    teller
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .env("ANTIPHON_BASE_URL", format!("{}/v1", server.url))
        .env("ANTIPHON_API_KEY", &server.key);
    let output = tokio::task::spawn_blocking(move || teller.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}\n{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    check_tool_messages(&provider);
    told
}

#[expect(clippy::print_stdout, reason = "says how many stories were told")]
fn say(package: &str, summary: &str) {
    println!("{package}: {summary}");
}

#[tokio::test]
async fn the_openai_package_tells_its_stories() {
    let mut pytest = Command::new(installed("ANTIPHON_SDK_PYTHON"));
    pytest.args(["-m", "pytest", "-q", "--tb=short", "--color=no"]).env("PYTHONDONTWRITEBYTECODE", "1");
    let told = tell(pytest, "tests/sdk/python").await;
    say("openai for Python", told.lines().last().unwrap_or_default());
}

/// Has a major version of the package for Node tell its stories; how many they were.
async fn tell_in_node(package: &str) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/node");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let mut stories: Vec<_> = files.filter(|name| name.to_string_lossy().ends_with("_stories.mjs")).collect();
    stories.sort();
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).args(stories);
    node.env("ANTIPHON_SDK_NODE", installed("ANTIPHON_SDK_NODE")).env("ANTIPHON_SDK_PACKAGE", package);
    let told = tell(node, "tests/sdk/node").await;
    let passed = told.lines().find_map(|line| line.strip_prefix("# pass ")).unwrap_or_default();
    say(package, &format!("{passed} passed"));
    passed.parse().unwrap()
}

#[tokio::test]
async fn both_major_versions_of_the_openai_package_for_node_tell_the_same_stories() {
    let (older, newer) = tokio::join!(tell_in_node("openai-6"), tell_in_node("openai"));
    assert_eq!(older, newer);
    assert!(newer >= 85, "only {newer} stories");
}
