//! How calls of providers fail.

use std::time::Duration;

use antiphon_domain::{Cause, Failure, ProviderRejection};

use crate::http::words_for_logs;

/// How long clients are told to wait where this server has nothing left.
const OWN_PAUSE: Duration = Duration::from_secs(1);

/// Why a call of a provider failed. Prints no text of the provider, which may quote content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection.
    #[error("the provider could not be reached")]
    Unreachable,
    /// No connection in time.
    #[error("the provider did not accept a connection in time")]
    ConnectTimeout,
    /// No answer in time.
    #[error("the provider did not answer in time")]
    FirstByteTimeout,
    /// Nothing more came in time.
    #[error("the provider sent no further event in time")]
    IdleTimeout,
    /// An answer that is no success.
    #[error("the provider answered with status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The wait that the provider asked for, as it gave it.
        retry_after: Option<Duration>,
        /// The kind of its error, as far as that could be read.
        report: Report,
    },
    /// An answer that violates the provider's protocol.
    #[error("the provider broke its protocol: {what}")]
    Protocol {
        /// What was wrong; never a quote.
        what: &'static str,
    },
    /// A success in which nothing was said: without the output that was counted, or in a form that is not known. It is like
    /// no answer, so the provider can be asked again.
    #[error("the provider sent an answer without output: {what}")]
    Empty {
        /// What was wrong; never a quote.
        what: &'static str,
    },
    /// The provider reported an error in mid-stream.
    #[error("the provider reported an error: {}", .0.as_str())]
    Reported(Report),
    /// The connection ended before the provider's end mark.
    #[error("the provider closed the stream before its end")]
    Closed,
    /// The provider was not asked: this server has no descriptors, ports or memory left. It says nothing about the
    /// provider.
    #[error("this server has no descriptors, ports or memory left to ask the provider")]
    OutOfResources,
}

/// The kind of an error that a provider reports. Only where the request is at fault its words are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Report {
    /// Too many requests or tokens, or no money left.
    RateLimited,
    /// The provider can't take the request now.
    Overloaded,
    /// The provider does not take this server's key.
    Unauthorized,
    /// The prompt is longer than the model's context.
    ContextTooLong(Box<ProviderRejection>),
    /// The request is at fault in another way.
    RequestRejected(Box<ProviderRejection>),
    /// Anything else.
    #[default]
    Other,
}

impl Error {
    /// The cause that a response ends with if no other attempt follows.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self {
            Self::Unreachable => Cause::ProviderUnreachable,
            Self::ConnectTimeout => Cause::ConnectTimeout,
            Self::FirstByteTimeout => Cause::FirstByteTimeout,
            Self::IdleTimeout => Cause::IdleTimeout,
            Self::Status { report: Report::Other, status: 401 | 403, .. } => Cause::ProviderUnauthorized,
            Self::Status { report: Report::Other, status: 429, .. } => Cause::ProviderRateLimited,
            Self::Status { report: Report::Other, status: 400..=499, .. } => Cause::ProviderRejected,
            Self::Status { report: Report::Other, .. } => Cause::ProviderUnavailable,
            Self::Status { report, .. } | Self::Reported(report) => report.cause(),
            Self::Protocol { .. } | Self::Empty { .. } => Cause::ProviderProtocolError,
            Self::Closed => Cause::UpstreamClosed,
            Self::OutOfResources => Cause::ServerOverloaded,
        }
    }

    /// What the failure says about asking again, and what the client may be told of it.
    #[must_use]
    pub fn failure(self) -> Failure {
        let (cause, is_empty) = (self.cause(), matches!(self, Self::Empty { .. }));
        let (status, retry_after, report) = match self {
            Self::Status { status, retry_after, report } => (Some(status), retry_after, report),
            Self::Reported(report) => (report.rejection().map(|rejection| rejection.status), None, report),
            Self::Unreachable
            | Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::Protocol { .. }
            | Self::Empty { .. }
            | Self::Closed => (None, None, Report::Other),
            Self::OutOfResources => (None, Some(OWN_PAUSE), Report::Other),
        };
        let failure = Failure::new(cause, status, retry_after).with_rejection(report.into_rejection());
        match is_empty {
            true => failure.without_outcome(),
            false => failure,
        }
    }

    /// The provider's code and the parameter at fault, where they are words of a closed list and no content.
    #[must_use]
    pub fn words_for_logs(&self) -> (Option<&'static str>, Option<&'static str>) {
        self.report().and_then(Report::rejection).map(words_for_logs).unwrap_or_default()
    }

    /// What was reported, if the provider reported something.
    pub(crate) const fn report(&self) -> Option<&Report> {
        match self {
            Self::Status { report, .. } | Self::Reported(report) => Some(report),
            Self::Unreachable
            | Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::Protocol { .. }
            | Self::Empty { .. }
            | Self::Closed
            | Self::OutOfResources => None,
        }
    }

    /// The same, with its report as `change` makes it.
    pub(crate) fn map_report(self, change: impl FnOnce(Report) -> Report) -> Self {
        match self {
            Self::Status { status, retry_after, report } => {
                Self::Status { status, retry_after, report: change(report) }
            }
            Self::Reported(report) => Self::Reported(change(report)),
            error @ (Self::Unreachable
            | Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::IdleTimeout
            | Self::Protocol { .. }
            | Self::Empty { .. }
            | Self::Closed
            | Self::OutOfResources) => error,
        }
    }
}

impl Report {
    /// The report's name, for logs.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RateLimited => "rate limited",
            Self::Overloaded => "overloaded",
            Self::Unauthorized => "unauthorized",
            Self::ContextTooLong(_) => "context too long",
            Self::RequestRejected(_) => "request rejected",
            Self::Other => "other",
        }
    }

    /// What the provider said of the request, if that is at fault.
    #[must_use]
    pub fn rejection(&self) -> Option<&ProviderRejection> {
        match self {
            Self::ContextTooLong(rejection) | Self::RequestRejected(rejection) => Some(rejection),
            Self::RateLimited | Self::Overloaded | Self::Unauthorized | Self::Other => None,
        }
    }

    fn into_rejection(self) -> Option<ProviderRejection> {
        match self {
            Self::ContextTooLong(rejection) | Self::RequestRejected(rejection) => Some(*rejection),
            Self::RateLimited | Self::Overloaded | Self::Unauthorized | Self::Other => None,
        }
    }

    /// The same, with what the provider said as `change` makes it.
    pub(crate) fn map_rejection(self, change: impl FnOnce(ProviderRejection) -> ProviderRejection) -> Self {
        match self {
            Self::ContextTooLong(rejection) => Self::ContextTooLong(Box::new(change(*rejection))),
            Self::RequestRejected(rejection) => Self::RequestRejected(Box::new(change(*rejection))),
            report @ (Self::RateLimited | Self::Overloaded | Self::Unauthorized | Self::Other) => report,
        }
    }

    /// The one cause of what was reported.
    const fn cause(&self) -> Cause {
        match self {
            Self::RateLimited => Cause::ProviderRateLimited,
            Self::Overloaded => Cause::ProviderUnavailable,
            Self::Unauthorized => Cause::ProviderUnauthorized,
            Self::ContextTooLong(_) => Cause::ContextLengthExceeded,
            Self::RequestRejected(_) => Cause::ProviderRejected,
            Self::Other => Cause::ProviderReportedError,
        }
    }
}
