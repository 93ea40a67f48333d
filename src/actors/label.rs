//! The labels of this crate's actors.

use std::fmt;

use crate::protocol::ResponseId;

/// What an actor is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Starts what a node needs again when it ends.
    NodeGuardian,
    /// Commits what all responses of a node have to write.
    JournalWriter,
    /// Knows the running responses of a node.
    ResponseRegistry,
    /// Runs one response.
    ResponseSupervisor,
    /// Reads the provider of one response.
    ProviderReader,
    /// Makes the facts of one response durable.
    PersistenceAccumulator,
    /// Writes the events of one response for one client.
    ClientEmitter,
    /// Receives the messages of other actors for a node.
    Dispatcher,
    /// Delivers the facts of one response to another actor.
    FactReader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NodeGuardian => "node_guardian",
            Self::JournalWriter => "journal_writer",
            Self::ResponseRegistry => "response_registry",
            Self::ResponseSupervisor => "response_supervisor",
            Self::ProviderReader => "provider_reader",
            Self::PersistenceAccumulator => "persistence_accumulator",
            Self::ClientEmitter => "client_emitter",
            Self::Dispatcher => "dispatcher",
            Self::FactReader => "fact_reader",
        })
    }
}

/// The role of an actor and the response that it works for. It identifies the actor in the node's
/// [roster](super::supervision::Roster).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The role of the actor.
    pub role: Role,
    /// The response that the actor works for; none for an actor of the whole node.
    pub response: Option<ResponseId>,
}

impl Label {
    /// An actor of the whole node.
    #[must_use]
    pub const fn node(role: Role) -> Self {
        Self { role, response: None }
    }

    /// An actor of one response.
    #[must_use]
    pub const fn of(role: Role, response: ResponseId) -> Self {
        Self { role, response: Some(response) }
    }
}
