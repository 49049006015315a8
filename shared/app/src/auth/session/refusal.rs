//! Why a session was not accepted: a name for the log, one and the same answer for the caller.

use crate::error::{Error, Kind};

/// The reason of a refusal. It never carries any part of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("session_absent")]
    Absent,
    #[error("session_too_large")]
    TooLarge,
    #[error("session_malformed")]
    Malformed,
    /// Unsigned, or signed or encrypted in a way that this issuer does not use.
    #[error("session_algorithm")]
    Algorithm,
    /// The token brings or names the key that it wants to be verified with.
    #[error("session_embedded_key")]
    EmbeddedKey,
    /// The token demands an extension that we do not know (RFC 7515 §4.1.11).
    #[error("session_critical_extension")]
    Critical,
    /// A token for another purpose: logout, proof of possession, an event.
    #[error("session_type")]
    Type,
    #[error("session_issuer_unknown")]
    Issuer,
    #[error("session_key_unknown")]
    Key,
    /// The signature does not verify, or the encrypted token does not open.
    #[error("session_forged")]
    Forged,
    #[error("session_without_expiry")]
    NoExpiry,
    #[error("session_expired")]
    Expired,
    #[error("session_not_yet_valid")]
    Early,
    #[error("session_subject")]
    Subject,
    #[error("session_audience")]
    Audience,
    #[error("session_party")]
    Party,
    #[error("session_organisation")]
    Organisation,
    /// The person has not finished signing in.
    #[error("session_pending")]
    Pending,
    /// Says nothing about the session: the issuer's keys could not be had.
    #[error("issuer_unavailable")]
    Unavailable,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        match refusal {
            Refusal::Unavailable => Error::new(Kind::IssuerUnavailable, "The sign-in service does not answer."),
            _ => Error::new(Kind::Unauthorized, "This needs a valid token."),
        }
        .because(refusal)
    }
}
