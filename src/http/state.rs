//! What all requests share.

use std::sync::Arc;

use super::{Authenticate, Backend, HttpSettings, InFlight};
use crate::admission::Admission;

/// What all requests share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Runs responses.
    pub backend: Arc<dyn Backend>,
    /// Makes plans of requests.
    pub admission: Arc<Admission>,
    /// Tells who sends a request.
    pub authenticator: Arc<dyn Authenticate>,
    /// How the API behaves.
    pub settings: Arc<HttpSettings>,
    /// The requests that are being answered.
    pub in_flight: InFlight,
}
