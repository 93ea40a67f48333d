//! The programs of the documentation, run as a reader would run them.

use std::{
    env,
    ffi::OsString,
    fs,
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output, Stdio},
};

use antiphon::testkit::{Script, ScriptedProvider};
use futures_util::future::join_all;

use super::{line::Line, markdown::blocks};
use crate::support::{Running, Site, count};

const LANGUAGES: [&str; 3] = ["python", "js", "sh"];

/// What the line to the server carries, in bytes, of the first connections: nothing, up to somewhere in the text, and
/// an event or two.
const LOSSES: &[usize] = &[0, 3000, 700];

/// All blocks of one language in a section, and what they print.
struct Program {
    heading: String,
    language: String,
    text: String,
    /// Nothing if the page does not say.
    prints: String,
}

impl Program {
    /// Whether it is about a line that loses things.
    fn is_about_a_loss(&self) -> bool {
        self.heading.contains("lost")
    }
}

fn programs(page: &str) -> Vec<Program> {
    let page = blocks(page, &["python", "js", "sh", "text"]);
    let mut programs = Vec::new();
    for section in page.chunk_by(|one, other| one.section == other.section) {
        let of = |language: &str| -> String {
            let blocks = section.iter().filter(|block| block.language == language);
            blocks.map(|block| block.text.as_str()).collect()
        };
        for language in LANGUAGES {
            let text = of(language);
            if !text.is_empty() {
                let (heading, language) = (section[0].heading.clone(), language.to_owned());
                programs.push(Program { heading, language, text, prints: of("text") });
            }
        }
    }
    programs
}

fn installed(variable: &str) -> OsString {
    env::var_os(variable).unwrap_or_else(|| unreachable!("{variable} is not set: tests/run installs it and sets it"))
}

/// The interpreter of a language, in an empty folder. It reads the program from its standard input.
fn interpreter(language: &str, folder: &Path) -> Command {
    let (program, arguments): (OsString, &[&str]) = match language {
        "python" => (installed("ANTIPHON_SDK_PYTHON"), &["-"]),
        "js" => ("node".into(), &["--input-type=module", "-"]),
        _ => ("bash".into(), &["-euo", "pipefail", "-s"]),
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command
}

/// Has programs in that folder find a major version of the package for Node as `openai`.
fn link(package: &str, folder: &Path) {
    let modules = folder.join("node_modules");
    fs::create_dir(&modules).unwrap();
    let installed = Path::new(&installed("ANTIPHON_SDK_NODE")).join("node_modules").join(package);
    symlink(installed, modules.join("openai")).unwrap();
}

/// Runs a program with these variables; what it printed.
pub(super) async fn run(language: &str, text: &str, variables: &[(&str, &str)]) -> String {
    run_in(tempfile::tempdir().unwrap().path(), language, text, variables).await
}

async fn run_in(folder: &Path, language: &str, text: &str, variables: &[(&str, &str)]) -> String {
    let mut command = interpreter(language, folder);
    command.envs(variables.iter().copied()).env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = text.to_owned();
    let run = move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(program.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(run).await.unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{text}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

/// Runs it against a server with nothing but the model that is built in.
async fn check(program: &Program, folder: &Path, (site, server): (&Site, &Running)) {
    let Program { heading, language, text, prints } = program;
    let rows = async || count(&site.script().await, "SELECT COUNT(*) FROM responses").await;
    let before = rows().await;
    let losses = if program.is_about_a_loss() { LOSSES } else { &[] };
    let line = Line::to(&server.url, losses).await;
    let base = format!("{}/v1", line.url);
    let variables = [("OPENAI_BASE_URL", base.as_str()), ("OPENAI_API_KEY", &server.key)];
    let printed = run_in(folder, language, text, &variables).await;
    assert_eq!(printed, *prints, "{language}, {heading}: {}", server.log());
    if program.is_about_a_loss() {
        let expected = if heading.contains("connection") { LOSSES.len() } else { 1 };
        assert_eq!(line.cuts(), expected, "{language}, {heading}");
        assert_eq!(rows().await, before + 1, "{language}, {heading}: one run, one response");
    }
}

/// Runs those in that language, one after the other; with that package, if it is Node's.
async fn check_all((language, package): (&str, Option<&str>)) {
    let mut programs = programs("docs/sdks.md");
    programs.retain(|program| program.language == language);
    assert!(programs.iter().any(Program::is_about_a_loss), "{language}");
    let folder = tempfile::tempdir().unwrap();
    if let Some(package) = package {
        link(package, folder.path());
    }
    let site = Site::new();
    let server = site.start().await;
    for program in &programs {
        if program.heading == "Stop" {
            check_stop(program, folder.path()).await;
        } else {
            check(program, folder.path(), (&site, &server)).await;
        }
    }
}

/// Runs it against a model of that name that never comes to an end, so that no machine is too slow to stop it.
async fn check_stop(program: &Program, folder: &Path) {
    let provider = ScriptedProvider::start();
    provider.script("eliza", Script::new().text("Do you ").stall());
    let site = Site::with_models(&provider, &["eliza"]).config("[providers.eliza]\nenabled = false");
    let server = site.start().await;
    check(program, folder, (&site, &server)).await;
    provider.connection_closed(1).await;
}

#[tokio::test]
async fn the_programs_for_clients_print_what_the_page_says() {
    let node = ["openai", "openai-6"].map(|package| ("js", Some(package)));
    join_all([("python", None), node[0], node[1], ("sh", None)].map(check_all)).await;
}
