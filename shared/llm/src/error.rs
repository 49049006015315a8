//! One error for all providers. Its text is `&'static`, so neither a provider's words nor a key can get into it.

use std::time::Duration;

/// What went wrong, and therefore what may be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The provider refused the key.
    Auth,
    /// The provider knows the key and does not let it do this; the code is that of `Auth`.
    Forbidden,
    /// The account behind the key has no credit left.
    Quota,
    RateLimited {
        retry_after: Option<Duration>,
    },
    Unavailable,
    /// The provider understood the request and refuses it as it is.
    Rejected,
    /// The request holds more than the provider takes at once: half of it may be welcome. The code is that of `Rejected`.
    TooLarge,
    /// What came back is not what the provider documents.
    Protocol,
    /// The answer ended without its end marker.
    Truncated,
    /// The answer ended as a whole one does, and says nothing.
    Empty,
    Timeout,
    /// The base URL itself is not allowed.
    Endpoint,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Error {
    kind: ErrorKind,
    detail: &'static str,
}

impl Error {
    /// An error whose text tells more than its kind alone; the text must be fit for a tenant's eyes.
    pub const fn new(kind: ErrorKind, detail: &'static str) -> Self {
        Self { kind, detail }
    }

    pub(crate) const fn protocol(detail: &'static str) -> Self {
        Self::new(ErrorKind::Protocol, detail)
    }

    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Stable: clients and dashboards compare it.
    pub fn code(&self) -> &'static str {
        match self.kind {
            ErrorKind::Auth | ErrorKind::Forbidden => "provider_auth",
            ErrorKind::Quota => "provider_quota",
            ErrorKind::RateLimited { .. } => "provider_rate_limited",
            ErrorKind::Unavailable => "provider_unavailable",
            ErrorKind::Rejected | ErrorKind::TooLarge => "provider_rejected",
            ErrorKind::Protocol => "provider_protocol",
            ErrorKind::Truncated => "upstream_truncated",
            ErrorKind::Empty => "provider_empty",
            ErrorKind::Timeout => "provider_timeout",
            ErrorKind::Endpoint => "provider_endpoint",
        }
    }

    /// The next step for whoever reads the message.
    pub fn hint(&self) -> &'static str {
        match self.kind {
            ErrorKind::Auth => "Store a valid key for this provider.",
            ErrorKind::Forbidden => "Give the key the missing permission at the provider, or store another key.",
            ErrorKind::Quota => "Add credit at the provider or store a key of another account.",
            ErrorKind::RateLimited { .. } => "Wait as long as the provider asks, then try again.",
            ErrorKind::Unavailable => "Check the base URL and the provider's status page, then try again.",
            ErrorKind::Rejected => "Check the model's name and the length of the request.",
            ErrorKind::TooLarge => "Send less at once, or choose a model that takes more.",
            ErrorKind::Protocol => "Check that the base URL is the provider's API and not a web page.",
            ErrorKind::Truncated => "Ask again: the text so far is incomplete.",
            ErrorKind::Empty => "Ask again, or choose another model.",
            ErrorKind::Timeout => "Try again, with a shorter request or a faster model.",
            ErrorKind::Endpoint => "Use an https base URL with a public host on port 443.",
        }
    }

    /// Whether the same request may succeed later. Whether it may be sent again is the caller's to know:
    /// once a token was shown, an answer is never silently restarted.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RateLimited { .. }
                | ErrorKind::Unavailable
                | ErrorKind::Truncated
                | ErrorKind::Empty
                | ErrorKind::Timeout
        )
    }

    pub fn retry_after(&self) -> Option<Duration> {
        match self.kind {
            ErrorKind::RateLimited { retry_after } => retry_after,
            _ => None,
        }
    }
}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        let detail = match kind {
            ErrorKind::Auth => "The provider refused the key.",
            ErrorKind::Forbidden => "The provider does not let this key do that.",
            ErrorKind::Quota => "The provider reports that the account has no credit.",
            ErrorKind::RateLimited { .. } => "The provider asks for fewer requests.",
            ErrorKind::Unavailable => "The provider cannot be reached or has a fault of its own.",
            ErrorKind::Rejected => "The provider refused the request.",
            ErrorKind::TooLarge => "The request is larger than the provider takes at once.",
            ErrorKind::Protocol => "The provider's answer is not in its documented form.",
            ErrorKind::Truncated => "The provider's answer ended before its end marker.",
            ErrorKind::Empty => "The provider's answer says nothing.",
            ErrorKind::Timeout => "The provider took too long.",
            ErrorKind::Endpoint => "The base URL is not allowed.",
        };
        Self { kind, detail }
    }
}
