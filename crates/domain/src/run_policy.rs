//! What a run is held to beside what its client sees of the request.

use serde::{Deserialize, Serialize};

use super::DisconnectPolicy;

/// What whoever goes on with a response after its process has died has to know of how it was accepted.
///
/// Kept as JSON: later versions may add fields, each with a default that means what its absence meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPolicy {
    /// The id that ties together the client's request, this server's logs and the provider's.
    pub request_id: String,
    /// Who asked, by the name under which places at providers are counted.
    pub caller: String,
    /// What happens when the last client leaves.
    pub disconnect: DisconnectPolicy,
    /// Whether a client that leaves can come back.
    pub resumable: bool,
}
