//! What all requests share.

use std::sync::Arc;

use super::{
    Authenticate, HttpOptions, InFlight,
    body_budget::{BodyMetrics, SharedBodyBudget},
    line_per_minute::LinePerMinute,
    readers::Readers,
};
use crate::antiphon::Antiphon;

/// What all requests share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// The node that runs the responses.
    pub antiphon: Antiphon,
    /// Tells who sends a request.
    pub authenticator: Arc<dyn Authenticate>,
    /// How the API behaves.
    pub options: Arc<HttpOptions>,
    /// The requests that are being answered.
    pub in_flight: InFlight,
    pub(super) readers: Readers,
    pub(super) refused_keys: Arc<LinePerMinute>,
    pub(super) bodies: SharedBodyBudget,
    pub(super) refused_bodies: Arc<LinePerMinute>,
    pub(super) answers: SharedBodyBudget,
    pub(super) refused_answers: Arc<LinePerMinute>,
}

impl HttpState {
    /// The API of a node, for the principals that `authenticator` knows.
    #[must_use]
    pub fn new(antiphon: &Antiphon, authenticator: impl Authenticate, options: HttpOptions) -> Self {
        let bodies = SharedBodyBudget::new(options.body_budget, options.body_budget_per_key);
        let answers = SharedBodyBudget::new(options.answer_budget, options.answer_budget_per_key);
        Self {
            antiphon: antiphon.clone(),
            authenticator: Arc::new(authenticator),
            options: Arc::new(options),
            in_flight: InFlight::default(),
            readers: Readers::default(),
            refused_keys: Arc::default(),
            bodies,
            refused_bodies: Arc::default(),
            answers,
            refused_answers: Arc::default(),
        }
    }

    /// What the bodies of requests take at the moment, and how often there was no room for one.
    #[must_use]
    pub fn body_metrics(&self) -> BodyMetrics {
        self.bodies.metrics()
    }

    /// What large answers of JSON take at the moment that their clients have not taken, and how often there was no room
    /// for one.
    #[must_use]
    pub fn answer_metrics(&self) -> BodyMetrics {
        self.answers.metrics()
    }
}
