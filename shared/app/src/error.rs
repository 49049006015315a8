//! One error, two audiences: a code, a sentence and a next step for the caller; the cause for the log.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a caller can tell it apart. The code is stable; clients may match on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    /// A page of another origin than those that may.
    WrongOrigin,
    NotFound,
    MethodNotAllowed,
    Conflict,
    PayloadTooLarge,
    UnsupportedType,
    /// What may be spent in a day is spent or reserved.
    SpendCap,
    /// The caller's requests come faster than a policy admits.
    RateLimited,
    /// An earlier request with the same idempotency key has not ended yet.
    IdempotencyInProgress,
    /// The idempotency key belongs to another request.
    IdempotencyMismatch,
    /// The same question is being answered by another request.
    AnswerInProgress,
    /// No answer is being made that could be stopped.
    NothingToStop,
    /// An answer took as long as one may.
    Deadline,
    /// The process that made an answer is gone.
    ProducerLost,
    /// Another transaction held a row for too long.
    Busy,
    DatabaseUnavailable,
    StorageUnavailable,
    /// The keys of the identity provider that signed somebody in could not be had.
    IssuerUnavailable,
    /// A document that cannot become text; the code is docent-text's.
    Document(&'static str),
    /// A provider that cannot be used; the code is docent-llm's.
    Provider(&'static str),
    /// The server's configuration lacks what this request needs.
    NotConfigured,
    Internal,
}

/// An error on its way to a caller. `detail` and `hint` are public: no SQL, no path, no provider text, no key.
pub struct Error {
    pub kind: Kind,
    pub detail: Cow<'static, str>,
    pub hint: Cow<'static, str>,
    /// Seconds after which the same request may succeed; becomes `Retry-After`.
    pub retry_after: Option<u64>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Error {
        let hint = kind.hint();
        Error { kind, detail: detail.into(), hint: hint.into(), retry_after: None, source: None }
    }

    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Error {
        Error::new(Kind::InvalidRequest, detail)
    }

    /// Somebody else's row and no row at all look the same from outside.
    pub fn not_found(what: &'static str) -> Error {
        Error::new(Kind::NotFound, format!("There is no such {what}."))
    }

    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(Kind::Internal, "Something went wrong on our side.").because(source)
    }

    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Error {
        self.hint = hint.into();
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Error {
        self.retry_after = Some(seconds);
        self
    }

    /// Keeps the cause for the log; it is never sent.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        self.source = Some(source.into());
        self
    }

    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    pub fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Whether whoever runs this has something to mend, as opposed to a caller or a caller's provider.
    pub fn is_ours(&self) -> bool {
        self.status().is_server_error() && !matches!(self.kind, Kind::Provider(_) | Kind::Deadline)
    }

    /// Whether the same request may succeed later without being changed.
    pub fn retryable(&self) -> bool {
        matches!(
            self.kind,
            Kind::RateLimited
                | Kind::IdempotencyInProgress
                | Kind::AnswerInProgress
                | Kind::Deadline
                | Kind::ProducerLost
                | Kind::Busy
                | Kind::DatabaseUnavailable
                | Kind::StorageUnavailable
                | Kind::IssuerUnavailable
                | Kind::Provider(
                    "provider_rate_limited"
                        | "provider_unavailable"
                        | "provider_timeout"
                        | "provider_empty"
                        | "upstream_truncated"
                )
        )
    }
}

impl Kind {
    /// Every kind that a request may meet, for the description of the API. The two that carry a code stand here once for
    /// each, as documents and providers name them.
    pub fn all() -> Vec<Kind> {
        use docent_llm::ErrorKind::*;
        let providers = [Auth, Quota, RateLimited { retry_after: None }, Unavailable, Rejected, Protocol, Truncated];
        let providers = providers.into_iter().chain([Timeout, Endpoint, Empty]);
        let documents = docent_text::ErrorKind::ALL.map(docent_text::ErrorKind::code);
        [
            Kind::InvalidRequest,
            Kind::Unauthorized,
            Kind::Forbidden,
            Kind::WrongOrigin,
            Kind::NotFound,
            Kind::MethodNotAllowed,
            Kind::Conflict,
            Kind::PayloadTooLarge,
            Kind::UnsupportedType,
            Kind::SpendCap,
            Kind::RateLimited,
            Kind::IdempotencyInProgress,
            Kind::IdempotencyMismatch,
            Kind::AnswerInProgress,
            Kind::NothingToStop,
            Kind::Deadline,
            Kind::ProducerLost,
            Kind::Busy,
            Kind::DatabaseUnavailable,
            Kind::StorageUnavailable,
            Kind::IssuerUnavailable,
            Kind::NotConfigured,
            Kind::Internal,
        ]
        .into_iter()
        .chain(documents.map(Kind::Document))
        .chain(providers.map(|kind| Kind::Provider(docent_llm::Error::from(kind).code())))
        .collect()
    }

    pub fn code(&self) -> &'static str {
        match self {
            Kind::InvalidRequest => "invalid_request",
            Kind::Unauthorized => "unauthorized",
            Kind::Forbidden => "forbidden",
            Kind::WrongOrigin => "origin_not_allowed",
            Kind::NotFound => "not_found",
            Kind::MethodNotAllowed => "method_not_allowed",
            Kind::Conflict => "conflict",
            Kind::PayloadTooLarge => "too_large",
            Kind::UnsupportedType => "unsupported_type",
            Kind::SpendCap => "spend_cap_reached",
            Kind::RateLimited => "rate_limited",
            Kind::IdempotencyInProgress => "idempotency_in_progress",
            Kind::IdempotencyMismatch => "idempotency_mismatch",
            Kind::AnswerInProgress => "answer_in_progress",
            Kind::NothingToStop => "nothing_to_stop",
            Kind::Deadline => "deadline",
            Kind::ProducerLost => "producer_lost",
            Kind::Busy => "busy",
            Kind::DatabaseUnavailable => "database_unavailable",
            Kind::StorageUnavailable => "storage_unavailable",
            Kind::IssuerUnavailable => "issuer_unavailable",
            Kind::Document(code) | Kind::Provider(code) => code,
            Kind::NotConfigured => "not_configured",
            Kind::Internal => "internal",
        }
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Kind::InvalidRequest => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Forbidden | Kind::WrongOrigin => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::Conflict | Kind::IdempotencyInProgress | Kind::AnswerInProgress | Kind::NothingToStop => {
                StatusCode::CONFLICT
            }
            Kind::PayloadTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::Document(_) | Kind::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::SpendCap | Kind::RateLimited | Kind::Provider("provider_rate_limited") => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Kind::Provider("provider_auth" | "provider_quota" | "provider_rejected") => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Kind::Provider(_) => StatusCode::BAD_GATEWAY,
            Kind::Deadline => StatusCode::GATEWAY_TIMEOUT,
            Kind::Busy
            | Kind::ProducerLost
            | Kind::DatabaseUnavailable
            | Kind::StorageUnavailable
            | Kind::IssuerUnavailable
            | Kind::NotConfigured => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub fn hint(&self) -> &'static str {
        match self {
            Kind::InvalidRequest => "Correct the request and send it again.",
            Kind::Unauthorized => {
                "Send `Authorization: Bearer docent_sk_…` with a token that is neither expired nor revoked."
            }
            Kind::Forbidden => "Use a token that has the scope for this.",
            Kind::WrongOrigin => "Call from an origin that the token names.",
            Kind::NotFound => "Check the address and the id.",
            Kind::MethodNotAllowed => "Use one of the methods named in the `Allow` header.",
            Kind::Conflict => "Read the current state and decide again.",
            Kind::PayloadTooLarge => "Send less at once.",
            Kind::UnsupportedType => {
                "Send PDF, DOCX, PPTX, XLSX, EPUB, HTML, Markdown, text, CSV, TSV, JSON, JSON Lines or EML."
            }
            Kind::SpendCap => "Wait for the next day (UTC), or have the cap raised.",
            Kind::RateLimited => "Wait as long as Retry-After says, then go slower.",
            Kind::IdempotencyInProgress => "Send the same request again; it will get the first one's answer.",
            Kind::IdempotencyMismatch => "Use a new key for a new request, and an old one for exactly its own.",
            Kind::AnswerInProgress => {
                "Send the same request again after Retry-After: it gets that answer, or a new one should its process have died. Or read GET /api/conversations/{id}."
            }
            Kind::NothingToStop => {
                "It is over, or has not begun: if you have just asked, stop again after Retry-After. One that is not resumable ends when its request does."
            }
            Kind::Deadline => "Ask again, for less at once or with a faster model; what was said so far is stored.",
            Kind::ProducerLost => "Ask for the answer again; what was said so far is stored.",
            Kind::Busy | Kind::DatabaseUnavailable | Kind::StorageUnavailable | Kind::IssuerUnavailable => {
                "Try again in a few seconds."
            }
            Kind::Document(_) => "Correct the document and upload it again.",
            Kind::Provider(_) => "Check the provider key with POST /api/keys/{provider}/check, or try again later.",
            Kind::NotConfigured => {
                "The operator must complete the configuration; the function's log names what is missing."
            }
            Kind::Internal => "Try again; if it stays, report the request id.",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code(), self.detail)?;
        let mut cause: Option<&(dyn std::error::Error + 'static)> = self.source.as_deref().map(|source| source as _);
        while let Some(source) = cause {
            // Postgres quotes whole rows behind its first line, and the rows are somebody's.
            let text = source.to_string();
            write!(formatter, ": {}", text.lines().next().unwrap_or_default())?;
            cause = source.source();
        }
        Ok(())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} {}", self.code(), self.detail, self.hint)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("ERROR: new row violates a check\nDETAIL: Failing row contains (secret).")]
    struct Quoting;

    #[test]
    fn a_cause_is_logged_without_the_rows_that_it_quotes() {
        let error = Error::internal(Quoting);
        let text = format!("{error:?}");
        assert!(text.ends_with("ERROR: new row violates a check"), "{text}");
        assert!(error.is_ours() && !Error::invalid("no").is_ours());
        assert!(!Error::new(Kind::Provider("provider_unavailable"), "no").is_ours());
    }
}
