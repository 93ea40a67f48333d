//! The real `openai` package against the real binary.

use std::{env, path::Path, process::Command, time::Duration};

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

#[tokio::test]
async fn the_openai_package_tells_its_stories() {
    let python = env::var_os("ANTIPHON_SDK_PYTHON")
        .expect("ANTIPHON_SDK_PYTHON is not set: tests/run installs the package and sets it");
    let provider = provider();
    let site = Site::with_models(&provider, &MODELS);
    let site = site.provider("nowhere", &refused_base_url(), &["refused"]);
    let site = site.provider("nobody", &refused_base_url(), &["refused-too"]);
    let server = site.start().await;
    let mut pytest = Command::new(python);
    pytest
        .args(["-m", "pytest", "-q", "--tb=short", "--color=no"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ANTIPHON_BASE_URL", format!("{}/v1", server.url))
        .env("ANTIPHON_API_KEY", &server.key);
    let output = tokio::task::spawn_blocking(move || pytest.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let summary = told.lines().last().unwrap_or_default();
    #[expect(clippy::print_stdout, reason = "says how many stories were told")]
    {
        println!("openai package: {summary}");
    }
    assert!(output.status.success(), "{told}\n{}\n{}", String::from_utf8_lossy(&output.stderr), server.log());
    check_tool_messages(&provider);
}
