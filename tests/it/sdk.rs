//! The real `openai` package against the real binary.

use std::{env, path::Path, process::Command, time::Duration};

use antiphon::testkit::{Script, ScriptedProvider, refused_base_url};

use crate::support::Site;

fn provider() -> ScriptedProvider {
    let provider = ScriptedProvider::start();
    provider.script("echo-fast", Script::answer(["Hello ", "from ", "the ", "scripted ", "provider."]));
    let word = |script: Script, number: u32| script.text(&format!("word{number} ")).rest(Duration::from_millis(20));
    provider.script("slow", (0..200).fold(Script::new(), word).finish("stop").usage(10, 200).done());
    provider.script("broken", Script::new().text("Hello ").text("there").cut());
    provider
}

#[tokio::test]
async fn the_openai_package_tells_its_stories() {
    let python = env::var_os("ANTIPHON_SDK_PYTHON")
        .expect("ANTIPHON_SDK_PYTHON is not set: tests/run installs the package and sets it");
    let provider = provider();
    let site = Site::with_models(&provider, &["echo-fast", "slow", "broken"]);
    let site = site.provider("nowhere", &refused_base_url(), &["refused"]);
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
}
