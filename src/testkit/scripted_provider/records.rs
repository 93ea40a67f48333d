//! The requests that a scripted provider received, for tests to wait for and to check.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::Script;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// The method, in capitals.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came.
    pub text: String,
    /// The body; null where it was no JSON.
    pub body: Value,
}

impl RecordedRequest {
    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The model that it names, also in a body whose numbers no [`Value`] can hold.
    fn model(&self) -> String {
        #[derive(Deserialize)]
        struct Named {
            model: String,
        }

        serde_json::from_str(&self.text).map_or_else(|_| String::new(), |Named { model }| model)
    }
}

/// Why a request is refused; none if it is taken.
type Objection = Box<dyn Fn(&RecordedRequest) -> Option<String> + Send>;

/// What the server's thread and the test share.
#[derive(Default)]
pub(super) struct Records {
    objection: Mutex<Option<Objection>>,
    scripts: Mutex<HashMap<String, VecDeque<Script>>>,
    requests: watch::Sender<Vec<RecordedRequest>>,
    closed: watch::Sender<Vec<usize>>,
}

// An objection has no printable form.
impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("scripts", &self.scripts)
            .field("requests", &self.requests)
            .finish_non_exhaustive()
    }
}

impl Records {
    pub(super) fn add_script(&self, model: &str, script: Script) {
        self.scripts.lock().entry(model.to_owned()).or_default().push_back(script);
    }

    pub(super) fn object(&self, objection: Objection) {
        *self.objection.lock() = Some(objection);
    }

    /// Records a request; returns its number, from 1, and the script to play.
    pub(super) fn take(&self, request: RecordedRequest) -> (usize, Script) {
        let why = self.objection.lock().as_ref().and_then(|object| object(&request));
        let model = request.model();
        let mut number = 0;
        self.requests.send_modify(|requests| {
            requests.push(request);
            number = requests.len();
        });
        (number, why.map_or_else(|| self.script(&model), |why| Script::refusal_document(&why)))
    }

    /// The next script of that model; the last one is used again and again.
    fn script(&self, model: &str) -> Script {
        let mut scripts = self.scripts.lock();
        let queue = scripts.get_mut(model);
        let next = queue.and_then(|queue| if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() });
        next.unwrap_or_else(|| Script::status(404, &[], "{\"error\":{\"message\":\"no such model\"}}"))
    }

    pub(super) fn note_closed(&self, number: usize) {
        self.closed.send_modify(|closed| closed.push(number));
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.requests.borrow().clone()
    }

    pub(super) async fn wait_for_request(&self, number: usize) -> RecordedRequest {
        let mut requests = self.requests.subscribe();
        let there = requests.wait_for(|requests| requests.len() >= number).await;
        there.expect("the records are here")[number - 1].clone()
    }

    pub(super) async fn wait_for_close(&self, number: usize) {
        let mut closed = self.closed.subscribe();
        let _seen = closed.wait_for(|closed| closed.contains(&number)).await;
    }
}
