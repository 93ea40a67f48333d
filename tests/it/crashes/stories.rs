//! What happens until the crash.

use antiphon::testkit::{Script, ScriptGate, ScriptedProvider};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, Client, Events, Running, Site, row_id};

/// All that the provider says.
pub(super) const WHOLE: &str = "Once upon a time it ended";

/// What it has said when it waits.
const HALF: &str = "Once upon a time";

/// What clients do, and which server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Story {
    /// A response is streamed.
    Streamed,
    /// Its client waits for the whole.
    Whole,
    /// It is streamed and not stored.
    NotStored,
    /// Two are to run in the background, one after the other.
    Background,
    /// One is cancelled in mid-stream.
    Cancelled,
    /// One is deleted in mid-stream.
    Deleted,
    /// Its provider wants nothing to do with it.
    Refused,
    /// It is streamed from a server that keeps it.
    Kept,
    /// It is in mid-stream when its server is killed; the next one dies at the point.
    Lost,
    /// One runs in the background and another one waits when their server is killed; the next one dies at the point.
    LostInLine,
    /// As `Lost`, with a provider that keeps it.
    LostToTheFar,
}

/// A provider, maybe a server before it that keeps its calls, and the site of those that die.
pub(super) struct World {
    pub(super) story: Story,
    pub(super) provider: ScriptedProvider,
    pub(super) gate: ScriptGate,
    pub(super) site: Site,
    _far: Option<(Site, Running)>,
}

/// A request for a response, and what its client was told.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) body: Value,
    pub(super) id: Option<String>,
    pub(super) frames: Vec<String>,
    pub(super) text: String,
}

impl Asked {
    /// The response's id as the database has it, if the client was told of it.
    pub(super) fn row(&self) -> Option<String> {
        self.id.as_deref().map(row_id)
    }

    pub(super) fn request(&self, client: &Client) -> RequestBuilder {
        let request = client.creation(&self.body).header("idempotency-key", self.body["input"].as_str().unwrap());
        request.header("antiphon-disconnect", "continue")
    }

    fn new(mut body: Value, input: &str) -> Self {
        body["input"] = input.into();
        Self { body, id: None, frames: Vec::new(), text: String::new() }
    }

    fn saw(&mut self, events: &Events) {
        self.id = (!events.frames.is_empty()).then(|| events.id());
        (self.frames, self.text) = (events.frames.clone(), events.text());
    }

    /// Waits for the answer.
    async fn answered(mut self, client: &Client) -> Self {
        if let Ok(answer) = Answer::attempt(self.request(client)).await
            && answer.status == 200
        {
            (self.id, self.text) = (Some(answer.id()), answer.output_text());
        }
        self
    }
}

impl World {
    pub(super) async fn of(story: Story, site: Site) -> Self {
        let (provider, gate) = (ScriptedProvider::start(), ScriptGate::new());
        let half = Script::new().text("Once ").text("upon ").text("a time").pause_until(&gate);
        provider.script("m", half.text(" it ended").finish("stop").usage(5, 6).done());
        provider.script("bad", Script::status(500, &[], "{}"));
        let site = site.config("[responses]\nbackground_concurrency = 1");
        let (site, far) = match story {
            Story::Kept | Story::LostToTheFar => {
                let far_site = Site::with_models(&provider, &["m"]);
                let far = far_site.start().await;
                let section = format!(
                    "[providers.far]\nkind = \"responses\"\nbase_url = \"{}/v1\"\napi_key_env = \"FAR_KEY\"\n\
                     models = [\"m\"]\nreattach = true\nmax_retries = 0",
                    far.url
                );
                (site.config(&section).variable("FAR_KEY", &far.key), Some((far_site, far)))
            }
            Story::Streamed
            | Story::Whole
            | Story::NotStored
            | Story::Background
            | Story::Cancelled
            | Story::Deleted
            | Story::Refused
            | Story::Lost
            | Story::LostInLine => (site.provider("scripted", &provider.base_url(), &["m", "bad"]), None),
        };
        Self { story, provider, gate, site, _far: far }
    }

    /// What happens before the server starts that is to die: what its clients were told, and their key.
    pub(super) async fn begin(&self) -> Option<(Vec<Asked>, String)> {
        let line = match self.story {
            Story::Lost | Story::LostToTheFar => false,
            Story::LostInLine => true,
            Story::Streamed
            | Story::Whole
            | Story::NotStored
            | Story::Background
            | Story::Cancelled
            | Story::Deleted
            | Story::Refused
            | Story::Kept => return None,
        };
        let server = self.site.start().await;
        let (client, key) = (server.client(), server.key.clone());
        let asked = if line {
            let running = in_background("one").answered(&client).await;
            self.gate.reached().await;
            vec![running, in_background("two").answered(&client).await]
        } else {
            let mut asked = Asked::new(streamed(), "one");
            let mut events = Events::of(asked.request(&client)).await;
            events.read_until_text(HALF).await;
            asked.saw(&events);
            vec![asked]
        };
        server.kill().await;
        if self.story == Story::LostToTheFar {
            // The far server goes on meanwhile.
            self.gate.open();
        }
        Some((asked, key))
    }

    /// What clients do with the server that dies, and what they are told.
    pub(super) async fn play(&self, client: &Client) -> Vec<Asked> {
        match self.story {
            Story::Streamed | Story::Kept => vec![self.stream(client, streamed()).await],
            Story::NotStored => {
                let mut body = streamed();
                body["store"] = false.into();
                vec![self.stream(client, body).await]
            }
            Story::Whole => {
                self.gate.open();
                vec![Asked::new(json!({ "model": "m" }), "one").answered(client).await]
            }
            Story::Refused => vec![Asked::new(json!({ "model": "bad" }), "one").answered(client).await],
            Story::Background => {
                let one = in_background("one").answered(client).await;
                let two = in_background("two").answered(client).await;
                self.gate.open();
                vec![one, two]
            }
            Story::Cancelled => vec![self.stop(client, Method::POST, "/cancel").await],
            Story::Deleted => vec![self.stop(client, Method::DELETE, "").await],
            Story::Lost | Story::LostInLine | Story::LostToTheFar => Vec::new(),
        }
    }

    async fn stream(&self, client: &Client, body: Value) -> Asked {
        let mut asked = Asked::new(body, "one");
        if let Ok(mut events) = Events::attempt(asked.request(client)).await {
            read_to_the_half(&mut events).await;
            self.gate.open();
            while events.next().await.is_some() {}
            asked.saw(&events);
        }
        asked
    }

    /// Has it stopped in mid-stream. The server dies of that, and nobody is told that it worked.
    async fn stop(&self, client: &Client, method: Method, path: &str) -> Asked {
        let mut asked = Asked::new(streamed(), "one");
        let mut events = Events::of(asked.request(client)).await;
        read_to_the_half(&mut events).await;
        let stop = client.request(method, &format!("/v1/responses/{}{path}", events.id()));
        assert!(Answer::attempt(stop).await.is_err(), "the server lives");
        while events.next().await.is_some() {}
        asked.saw(&events);
        asked
    }
}

fn streamed() -> Value {
    json!({ "model": "m", "stream": true })
}

fn in_background(input: &str) -> Asked {
    Asked::new(json!({ "model": "m", "background": true }), input)
}

/// Reads until the provider waits, or the server is dead.
async fn read_to_the_half(events: &mut Events) {
    while events.text() != HALF && events.next().await.is_some() {}
}
