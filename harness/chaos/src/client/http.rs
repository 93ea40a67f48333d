//! Requests to the servers, wherever those are now.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use reqwest::{Method, RequestBuilder};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::Value;

use super::Frames;

/// How long a server may say nothing at all. It sends comments every second, and is never stopped for so long.
const SILENCE: Duration = Duration::from_secs(20);

/// A client of all servers.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    keys: Arc<Keys>,
    user: Option<usize>,
    doors: Arc<[Door]>,
}

/// The keys of the users.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Of the one who stays.
    pub(crate) stays: String,
    /// Of those who are deleted, by their numbers.
    pub(crate) leave: Vec<String>,
}

/// Where a server listens; none while it does not.
pub(crate) type Door = Arc<RwLock<Option<SocketAddr>>>;

/// An answer.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A stream, with status 200.
    Stream(Frames),
    /// Anything else.
    Whole(u16, Value),
}

/// Why there is none, or not all of it.
#[derive(Debug)]
pub(crate) enum Lost {
    /// The connection could not be made or broke.
    Connection,
    /// Nothing came for a long time.
    Silent,
    /// What came makes no sense.
    Nonsense(anyhow::Error),
}

impl Http {
    pub(crate) fn new(keys: Keys, doors: Arc<[Door]>) -> anyhow::Result<Self> {
        let tls = ClientConfig::builder_with_provider(ring::default_provider().into());
        let tls = tls.with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        // A connection for every request: none is ever sent twice by the library.
        let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().pool_max_idle_per_host(0);
        let client = client.read_timeout(SILENCE).connect_timeout(Duration::from_secs(2)).build()?;
        Ok(Self { client, keys: Arc::new(keys), user: None, doors })
    }

    /// The same for another user.
    pub(crate) fn of(&self, user: Option<usize>) -> Self {
        Self { user, ..self.clone() }
    }

    fn key(&self) -> &str {
        self.user.and_then(|user| self.keys.leave.get(user)).unwrap_or(&self.keys.stays)
    }

    /// A request to one of the servers; none if it does not listen.
    pub(crate) fn request(&self, server: usize, method: Method, path: &str) -> Option<RequestBuilder> {
        let address = (*self.doors.get(server % self.doors.len())?.read())?;
        Some(self.client.request(method, format!("http://{address}/v1/responses{path}")).bearer_auth(self.key()))
    }
}

/// Sends a request and reads its answer, unless that is a stream.
pub(crate) async fn send(request: Option<RequestBuilder>) -> Result<Answer, Lost> {
    let lost =
        |error: reqwest::Error| if error.is_timeout() && !error.is_connect() { Lost::Silent } else { Lost::Connection };
    let response = request.ok_or(Lost::Connection)?.send().await.map_err(lost)?;
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if status == 200 && kind.starts_with("text/event-stream") {
        return Ok(Answer::Stream(Frames::of(response)));
    }
    let text = response.text().await.map_err(lost)?;
    let body = serde_json::from_str(&text).with_context(|| format!("status {status}, no JSON: {text:?}"));
    Ok(Answer::Whole(status, body.map_err(Lost::Nonsense)?))
}
