//! What other actors can ask of a node, and what they are told.

use std::{fmt, sync::Arc};

use actix::{Message, Recipient};

use crate::actors::ResponseOutcome;
use crate::domain::Fact;
use crate::protocol::{CreateResponse, ResponseId, UserId};
use crate::refusal::Refusal;

/// Have a request answered. Answered with the response's id once that is durable.
#[derive(Debug, Message)]
#[rtype(result = "Result<ResponseId, Refusal>")]
pub struct StartResponse {
    /// Whose the response is.
    pub user: UserId,
    /// What is asked.
    pub request: CreateResponse,
    /// Who is told the facts, and counts as the response's client. With none its client is gone from the beginning,
    /// which only a response in the background does not mind.
    pub facts: Option<Recipient<CommittedFacts>>,
}

/// Cancel a response. Answered once its ending is durable; the provider's connection is closed long before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "Result<Arc<ResponseOutcome>, Refusal>")]
pub struct CancelResponse {
    /// Whose the response is.
    pub user: UserId,
    /// The response.
    pub id: ResponseId,
}

/// Tell the facts of a stored response, running or long ended. Answered once somebody sees to that.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Refusal>")]
pub struct ReadFacts {
    /// Whose the response is.
    pub user: UserId,
    /// The response.
    pub id: ResponseId,
    /// The number of the first fact wanted: 0, or where [`CommittedFacts::end`] says that reading can go on.
    pub from: u64,
    /// Who is told them, and counts as a client of the response.
    pub to: Recipient<CommittedFacts>,
}

/// What a reader of facts is told, in this order: facts, after they became durable, and one last word.
///
/// The next message comes when the reader has handled the one before. A reader that does not handle one within
/// [`ResponseOptions::client_stall_timeout`](crate::domain::ResponseOptions::client_stall_timeout) is told no more; one that is gone is
/// found within two heartbeats. Both are clients that left. Facts that make no event (an attempt that failed, say) are
/// told with the next that does.
///
/// Folded into a [`Transcript`](crate::domain::Transcript), facts give events, items and the ending.
#[derive(Clone, PartialEq, Message)]
#[rtype(result = "()")]
pub enum CommittedFacts {
    /// These follow.
    Next {
        /// The response.
        response: ResponseId,
        /// The number of the first of them.
        first: u64,
        /// The facts; at least one.
        facts: Vec<Fact>,
    },
    /// The response has ended, and all its facts were told.
    End {
        /// The response.
        response: ResponseId,
    },
    /// They can't be read further now. This says nothing about the response.
    BrokenOff {
        /// The response.
        response: ResponseId,
        /// The number of the first fact that was not told.
        next: u64,
        /// Why.
        why: Interruption,
    },
}

/// Why no more facts are told. It says nothing about the response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The recipient did not handle a message in time.
    #[error("the recipient did not handle a message in time")]
    Stalled,
    /// They can't be read now.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl CommittedFacts {
    /// The response.
    #[must_use]
    pub fn response(&self) -> ResponseId {
        match self {
            Self::Next { response, .. } | Self::End { response } | Self::BrokenOff { response, .. } => *response,
        }
    }

    /// The number after that of the last fact told here: where to go on reading. None after the end.
    #[must_use]
    pub fn end(&self) -> Option<u64> {
        match self {
            Self::Next { first, facts, .. } => Some(first + facts.len() as u64),
            Self::End { .. } => None,
            Self::BrokenOff { next, .. } => Some(*next),
        }
    }
}

// Facts are content, and content is in no log.
impl fmt::Debug for CommittedFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next { response, first, facts } => write!(f, "Next({response}, {first}+{})", facts.len()),
            Self::End { response } => write!(f, "End({response})"),
            Self::BrokenOff { response, next, why } => write!(f, "BrokenOff({response}, {next}, {why:?})"),
        }
    }
}
