//! How a response is run, beside what its client sees of the request.

use std::collections::BTreeMap;

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
    /// The tools that this server runs, and their limits.
    #[serde(default)]
    pub tools: ToolPolicy,
}

/// The tools that this server may run for a response, and how many of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolPolicy {
    /// By the names under which the model may call them.
    pub server_tools: BTreeMap<String, ToolAccess>,
    /// The most turns of a response.
    pub max_turns: u16,
    /// The most tools of a response that run at once.
    pub max_concurrent: u16,
    /// The most bytes of a tool's output. More is cut, with a notice.
    pub max_output_bytes: usize,
}

impl Default for ToolPolicy {
    fn default() -> Self {
        Self { server_tools: BTreeMap::new(), max_turns: 30, max_concurrent: 8, max_output_bytes: 256 * 1024 }
    }
}

impl ToolPolicy {
    /// Whether this server runs any tool for the response.
    #[must_use]
    pub fn are_any(&self) -> bool {
        !self.server_tools.is_empty()
    }

    /// Whether this server runs the tool of that name.
    #[must_use]
    pub fn runs(&self, name: &str) -> bool {
        self.server_tools.contains_key(name)
    }

    /// The effect of the tool of that name, if this server runs it.
    #[must_use]
    pub fn access(&self, name: &str) -> Option<ToolAccess> {
        self.server_tools.get(name).copied()
    }
}

/// What a tool may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolAccess {
    /// It only reads: it may run again if it is not known whether it ran.
    ReadOnly,
    /// It may change something: once it may have run, it never runs again.
    ReadWrite,
}
