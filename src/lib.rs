//! Runs responses of language models as supervised actors, so that every accepted response ends in one true
//! state that can be read again.
//!
//! This is the library that the `antiphon` server is made of. It is for programs that want its promise inside
//! their own: whatever crashes, hangs or disconnects, a response reaches exactly one of `completed`, `failed`,
//! `incomplete` and `cancelled`, and what anyone saw of a stored one is a prefix of what everyone can read later.
//!
//! ```text
//!  your code                                            another client, an operator
//!      | Antiphon::respond(plan)                             | Antiphon::cancel(user, id)
//!      v                                                     v
//!  ResponseRegistry     one per node: knows what runs, settles what lost its supervisor
//!      |
//!      v
//!  ResponseSupervisor   one per response: owns its Transcript and alone decides its ending
//!      |
//!      +--> ProviderReader           provider --> facts, as long as it has credit
//!      +--> PersistenceAccumulator   facts --> encrypted segments --> JournalWriter --> Store
//!      +--> ClientEmitter (0..n)     what is committed --> one client, at that client's pace
//! ```
//!
//! A response is a log of [facts](domain::Fact), and everything else is a fold over it: the stream, the
//! [Response object](protocol::Response), the stored items and the ending all come out of one
//! [`Transcript`](domain::Transcript). Facts are folded, then committed, then emitted, in that order.
//!
//! # How the modules hang together
//!
//! - [`protocol`] is what goes over the wire, [`domain`] what is true of a response; neither does IO.
//! - The ports are traits for you to implement or to take from here: [`provider::Provider`] (here: [`provider::Eliza`],
//!   [`provider::ChatCompletions`] and [`provider::Anthropic`]), [`store::Store`] and [`access::Accounts`] (here:
//!   [`store::MemoryStore`] and [`store::SqlStore`]), [`actors::EstimateTokens`] (here: [`tokens::Tiktoken`]), and
//!   [`Clock`].
//! - [`vault`] encrypts all content before a store sees it; [`journal`] turns facts into encrypted segments and back;
//!   [`tokens`] counts.
//! - [`actors`] runs responses, and [`Antiphon`] is the handle to them. It works under an actix `System` and under
//!   `#[tokio::main]`: the actors live on threads of their own.
//! - [`admission`] makes a [`Plan`](domain::Plan) of a request: validated, with its model, its history and its tokens.
//! - With the feature `server` (on by default) there are the HTTP API, whose scope fits into any actix app, the
//!   configuration and the command line.
//! - With the feature `testkit` there are scripted providers, failing stores, and a suite for stores of your own.
//!
//! # A response from start to end
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use antiphon::access::AccountService;
//! use antiphon::actors::{Emission, Wish};
//! use antiphon::admission::{Admission, Admitted, Asked, DisconnectWish, Model};
//! use antiphon::domain::{Encoding, Limits, Target};
//! use antiphon::protocol::{CreateResponse, Input};
//! use antiphon::provider::Eliza;
//! use antiphon::store::MemoryStore;
//! use antiphon::tokens::Tiktoken;
//! use antiphon::vault::{KeyRing, Vault};
//! use antiphon::{Antiphon, Clock, SystemClock};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Where responses are kept, what encrypts them, and whose they are.
//! let store = Arc::new(MemoryStore::new());
//! let vault = Vault::new(KeyRing::generate()?, store.clone());
//! let user = AccountService::new(store.clone(), vault.clone()).create_user("ada", SystemClock.now()).await?;
//!
//! let antiphon = Antiphon::builder(store, vault).provider("local", Eliza::default()).start()?;
//!
//! // What a request goes through before anything runs.
//! let model = Model {
//!     id: "eliza".into(),
//!     target: Target::new("local", "eliza"),
//!     fallbacks: Vec::new(),
//!     context_window: 8_192,
//!     encoding: Encoding::O200kBase,
//!     default_output_tokens: 1_024,
//!     max_output_tokens: 4_096,
//!     owned_by: "local".into(),
//!     created: 0,
//! };
//! let admission = Admission {
//!     models: Arc::new([model].into_iter().collect()),
//!     limits: Limits::default(),
//!     disconnect: DisconnectWish::Grace,
//!     grace: Duration::from_secs(10),
//!     histories: Arc::new(antiphon.clone()),
//!     counter: Arc::new(Tiktoken),
//! };
//! let request = CreateResponse {
//!     model: Some("eliza".into()),
//!     input: Some(Input::Text("I feel calm today.".into())),
//!     stream: Some(true),
//!     ..CreateResponse::default()
//! };
//! let asked = Asked { request_id: "req_1".into(), caller: "ada".into(), disconnect: None, idempotency: None };
//! let Admitted { plan, view, .. } = admission.plan(user.id, request, asked).await?;
//!
//! // Durable when this returns; from here on it ends whatever becomes of us.
//! let mut reader = antiphon.respond(plan, Wish::Events { view, from: 0 }).await?;
//! while let Some(emission) = reader.emissions.recv().await {
//!     match emission {
//!         Emission::Frame { bytes, .. } => print!("{}", String::from_utf8_lossy(&bytes)),
//!         Emission::End => break,
//!         Emission::Unavailable { .. } => return Err("the database is away; read the response later".into()),
//!     }
//! }
//!
//! // The same fold, from the log.
//! let response = antiphon.retrieve(user.id, reader.id).await?;
//! assert_eq!(response.status.as_str(), "completed");
//! # Ok(())
//! # }
//! ```
//!
//! `antiphon.cancel(user.id, id)` ends a response from anywhere; `antiphon.subscribe(user.id, id, wish)` reads one
//! from any event on, while it runs or long after; `antiphon.delete(user.id, id)` removes it.

pub mod access;
pub mod actors;
pub mod admission;
mod antiphon;
#[cfg(feature = "server")]
pub mod cli;
mod clock;
#[cfg(feature = "server")]
pub mod config;
pub mod domain;
pub mod fault;
#[cfg(feature = "server")]
pub mod http;
pub mod journal;
pub mod protocol;
pub mod provider;
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod tokens;
pub mod vault;

pub use antiphon::{Antiphon, AttachRefusal, Builder, History, HistoryError, StartError};
pub use clock::{Clock, SystemClock};
