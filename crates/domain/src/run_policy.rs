//! How a response is run, beside what its client sees of the request.

use serde::{Deserialize, Serialize};

use super::DisconnectPolicy;

/// How a response is run: what another process must know of its acceptance to resume it.
///
/// Kept as JSON: later versions may add fields, each with a default that means what its absence meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPolicy {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// Whom slots at providers are counted for.
    pub caller: String,
    /// What happens when the last client leaves.
    pub disconnect: DisconnectPolicy,
    /// Whether a client that leaves can come back.
    pub resumable: bool,
}
