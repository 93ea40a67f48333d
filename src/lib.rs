//! Runs responses of language models as supervised actors, so that every accepted response ends in one true
//! state that can be read again.
//!
//! This is the library that the `antiphon` server is made of. It is for programs that want its guarantee inside
//! their own: whatever crashes, hangs or disconnects, a response reaches exactly one of `completed`, `failed`,
//! `incomplete` and `cancelled`, and what anyone saw of a stored one is a prefix of what everyone can read later.
//!
//! ```text
//!  your code, or the HTTP API                       another thread, client or operator
//!      | User::respond(request)                          | User::cancel(id)
//!      v                                                 v
//!  ResponseRegistry     one per node: lists what runs, settles what lost its supervisor
//!      |
//!      v
//!  ResponseSupervisor   one per response: owns its Run, which alone decides its ending
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
//! # Quick start
//!
//! ```
//! use std::sync::Arc;
//!
//! use antiphon::admission::Model;
//! use antiphon::domain::Target;
//! use antiphon::protocol::{CreateResponse, ResponseEvent};
//! use antiphon::provider::Eliza;
//! use antiphon::store::MemoryStore;
//! use antiphon::vault::{KeyRing, Vault};
//! use antiphon::Antiphon;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The store of the responses, the vault that encrypts them, and the provider that answers.
//! let store = Arc::new(MemoryStore::new());
//! let vault = Vault::new(KeyRing::generate()?, store.clone());
//! let antiphon = Antiphon::builder(store, vault)
//!     .provider("local", Eliza::default())
//!     .model(Model::new("eliza", Target::new("local", "eliza")))
//!     .start()?;
//!
//! // Durable when this returns; it reaches an ending from here on, whatever happens to this program.
//! let ada = antiphon.user_named("ada").await?;
//! let mut events = ada.respond(CreateResponse::text("eliza", "I feel calm today.")).await?;
//! while let Some(event) = events.next().await {
//!     if let ResponseEvent::OutputTextDelta { delta, .. } = event? {
//!         print!("{delta}");
//!     }
//! }
//!
//! // The same fold, from the log, at any time.
//! let response = ada.retrieve(events.id()).await?;
//! assert_eq!(response.status.as_str(), "completed");
//! # Ok(())
//! # }
//! ```
//!
//! [`User::cancel`] ends a response from anywhere; [`User::events`] reads one from any event on, while it runs or long
//! after; [`User::delete`] removes it. [`Antiphon::drain`] is for a program that is about to end; one that ends without
//! it, or dies, finds everything settled at its next start, if its [`Store`](store::Store) outlives it.
//!
//! # Where to go next
//!
//! | you want to | look at |
//! |---|---|
//! | keep responses in SQLite or PostgreSQL | [`store::SqlStore`], and [`vault::KeyRing::open`] for the keys |
//! | ask a real model server | [`provider::ChatCompletions`], [`provider::Responses`], [`provider::Anthropic`] |
//! | write a provider or a store of your own | [`provider::Provider`] and [`store::Store`]; the examples `custom_provider`, `custom_store` |
//! | have the HTTP API in an actix app of your own | `http::scope`; the example `embed_in_app` |
//! | talk to it from actors, by messages | [`Antiphon::addr`]; the example `cancel_from_code` |
//! | supervise actix actors of your own | [`actors::supervision`], the crate `antiphon-supervision` |
//! | make plans of requests yourself | [`admission::Admission`], [`Antiphon::respond`] |
//! | test what you built | the feature `testkit`: scripted providers, failing stores, a suite for stores |
//!
//! # How the modules hang together
//!
//! - [`protocol`] is the data on the wire, [`domain`] the rules for responses; neither does IO.
//! - The ports are traits: [`provider::Provider`], those of [`store::Store`], [`tokens::TokenCounter`]
//!   and [`Clock`]. Each has an implementation here.
//! - [`vault`] encrypts all content before a store sees it; [`journal`] turns facts into encrypted segments and back;
//!   [`tokens`] counts, and makes prompts fit a model.
//! - [`actors`] runs responses, [`admission`] makes [plans](domain::RunPlan) of requests, and [`Antiphon`] is the handle to
//!   both. It works under an actix `System`, under `#[tokio::main]` and under neither: the actors live on threads of
//!   their own. Several nodes may live in one process, and when the last handle of one is dropped all of it ends.
//! - With the feature `server` (on by default) there are the HTTP API, whose scope fits into any actix app, the
//!   configuration and the command line. Without it neither actix-web nor anything of the command line is built.

// On docs.rs every item says which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// The code of the guide, as tests.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../docs/embedding.md")]
mod embedding {}

pub mod access;
pub mod actors;
pub mod admission;
mod antiphon;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod config;
#[doc(inline)]
pub use antiphon_domain as domain;
#[doc(inline)]
pub use antiphon_fault_points as fault;
#[cfg(feature = "server")]
pub mod http;
pub mod journal;
#[doc(inline)]
pub use antiphon_protocol as protocol;
#[doc(inline)]
pub use antiphon_providers as provider;
mod refusal;
pub mod store;
#[cfg(feature = "server")]
pub mod telemetry;
#[cfg(feature = "testkit")]
pub mod testkit;
#[doc(inline)]
pub use antiphon_tokens as tokens;
pub mod vault;

pub use antiphon::{
    AnsweredRequest, Antiphon, Builder, CancelResponse, CommittedFacts, Dispatcher, DrainReport, Events,
    InputItemsPage, InputItemsQuery, Interruption, ReadFacts, Readiness, StartError, StartResponse, Subscription, User,
    WeakAntiphon,
};
use antiphon_clock as clock;
pub use antiphon_clock::{Clock, SystemClock};
pub use refusal::Refusal;
