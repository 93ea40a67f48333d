//! A server, a provider and a line between server and browser, for a story that a real browser tells.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{Command, Output},
};

use antiphon::testkit::{DelayingProxy, ScriptGate, ScriptedProvider};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::support::{Running, Site};

/// Where a story takes place.
pub(super) struct Stage {
    provider: ScriptedProvider,
    gates: BTreeMap<&'static str, ScriptGate>,
    site: Site,
    server: Option<Running>,
    proxy: DelayingProxy,
}

impl Stage {
    pub(super) async fn new(provider: ScriptedProvider, site: Site, gates: &[(&'static str, &ScriptGate)]) -> Self {
        let server = site.start().await;
        let proxy = DelayingProxy::start(address(&server));
        let gates = gates.iter().map(|(name, gate)| (*name, (*gate).clone())).collect();
        Self { provider, gates, site, server: Some(server), proxy }
    }

    /// Has the browser tell a story of `tests/browser`, and fails as it does.
    pub(super) async fn tell(mut self, story: &str) {
        let chromium = env::var_os("ANTIPHON_BROWSER")
            .expect("ANTIPHON_BROWSER is not set: tests/run installs the browser and what drives it, and sets it");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let pictures = root.join("target/browser");
        std::fs::create_dir_all(&pictures).unwrap();
        let prompter = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut node = Command::new("node");
        node.arg(format!("{story}.mjs"))
            .current_dir(root.join("tests/browser"))
            .env("STORY_BROWSER", chromium)
            .env("STORY_URL", format!("http://{}", self.proxy.address()))
            .env("STORY_KEY", &self.server.as_ref().unwrap().key)
            .env("STORY_PICTURES", pictures)
            .env("STORY_PROMPTER", prompter.local_addr().unwrap().port().to_string());
        let telling = tokio::task::spawn_blocking(move || node.output().unwrap());
        let prompting = self.prompt(prompter);
        let Output { status, stdout, stderr } = tokio::select! {
            told = telling => told.unwrap(),
            never = prompting => match never {},
        };
        let (told, errors) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{story}:\n{told}\n{errors}\n{}", self.log());
    }

    /// Does what the story asks for, a line of JSON each, and answers with another.
    async fn prompt(&mut self, prompter: TcpListener) -> std::convert::Infallible {
        loop {
            let (socket, _) = prompter.accept().await.unwrap();
            self.serve(socket).await;
        }
    }

    async fn serve(&mut self, mut socket: TcpStream) {
        let (asked, mut answers) = socket.split();
        let mut asked = BufReader::new(asked).lines();
        while let Ok(Some(line)) = asked.next_line().await {
            let wish: Value = serde_json::from_str(&line).unwrap();
            let answer = self.act(&wish).await;
            if answers.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }

    async fn act(&mut self, wish: &Value) -> Value {
        let gate = || &self.gates[wish["gate"].as_str().unwrap()];
        match wish["act"].as_str().unwrap() {
            "open" => gate().open(),
            "reached" => gate().reached().await,
            "closed" => self.provider.connection_closed(number(wish)).await,
            "requested" => drop(self.provider.wait_for_request(number(wish)).await),
            "requests" => {
                return self.provider.requests().into_iter().map(|request| request.body).collect();
            }
            "cut" => self.proxy.cut(),
            "mute" => self.proxy.mute(),
            "mend" => self.mend(),
            "kill" => drop(self.server.take().unwrap().kill().await),
            "restart" => {
                self.server = Some(self.site.start().await);
                self.mend();
            }
            other => unreachable!("the story asks for {other:?}"),
        }
        json!({})
    }

    fn mend(&self) {
        self.proxy.redirect(address(self.server.as_ref().unwrap()));
        self.proxy.restore();
    }

    fn log(&self) -> String {
        self.server.as_ref().map(Running::log).unwrap_or_default()
    }
}

fn number(wish: &Value) -> usize {
    usize::try_from(wish["number"].as_u64().unwrap()).unwrap()
}

fn address(server: &Running) -> std::net::SocketAddr {
    server.url.trim_start_matches("http://").parse().unwrap()
}
