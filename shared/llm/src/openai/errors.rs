//! What the refusals of OpenAI and of those who copied it mean: codes where there are some, else words.
//! <https://platform.openai.com/docs/guides/error-codes>

use serde_json::Value;

use crate::{ErrorKind, status};

pub(crate) fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let kind = match body.get("error") {
        Some(Value::String(words)) => spoken(words),
        Some(error) => classify(error),
        None => None,
    };
    match kind {
        None | Some(ErrorKind::Rejected | ErrorKind::RateLimited { .. }) if complains_of_size(&body) => {
            Some(ErrorKind::TooLarge)
        }
        kind => kind,
    }
}

/// That a request holds too much is told in words alone by most, and in four places.
fn complains_of_size(body: &Value) -> bool {
    // Gemini's copy wraps its error in a list.
    let body = body.get(0).unwrap_or(body);
    let error = &body["error"];
    let places = [&body["message"], &body["detail"], error, &error["message"]];
    places.into_iter().filter_map(Value::as_str).any(speaks_of_size)
}

pub(crate) fn speaks_of_size(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    [
        // OpenAI (twice, one of them with status 429), Mistral (twice), Voyage, Cohere, Gemini (twice).
        "tokens per request",
        "request too large",
        "too many tokens",
        "too many inputs",
        "max allowed tokens",
        "must be at most",
        "requests can be in one batch",
        "exceeds the maximum number of tokens",
        "too large",
        "too long",
    ]
    .iter()
    .any(|part| words.contains(part))
}

/// xAI answers 400 to a bad key and 403 or 429 to an empty account, and tells which in words alone.
fn spoken(words: &str) -> Option<ErrorKind> {
    if words.contains("Incorrect API key") || words.contains("Incorrect%20API%20key") {
        return Some(ErrorKind::Auth);
    }
    ["any credits", "available credits", "spending limit"]
        .iter()
        .any(|part| words.contains(part))
        .then_some(ErrorKind::Quota)
}

/// Reads an error object. Only its codes count: the message is for the provider's own customers.
pub(crate) fn classify(error: &Value) -> Option<ErrorKind> {
    ["code", "type"].iter().find_map(|field| match error.get(field)? {
        // OpenRouter puts the upstream's HTTP status here.
        Value::Number(number) => number.as_u64().and_then(|code| u16::try_from(code).ok()).map(status::kind),
        Value::String(code) => match code.as_str() {
            "insufficient_quota" | "billing_hard_limit_reached" | "billing_not_active" | "billing_error" => {
                Some(ErrorKind::Quota)
            }
            // <https://platform.openai.com/docs/guides/error-codes>
            "credit_balance_exhausted"
            | "organization_spend_limit_exceeded"
            | "organization_usage_limit_exceeded"
            | "project_spend_limit_exceeded" => Some(ErrorKind::Quota),
            "rate_limit_exceeded" | "rate_limit_error" => Some(ErrorKind::RateLimited { retry_after: None }),
            "invalid_api_key" | "authentication_error" | "account_deactivated" => Some(ErrorKind::Auth),
            "permission_error" => Some(ErrorKind::Forbidden),
            "server_error" | "overloaded_error" | "service_unavailable" | "api_error" => Some(ErrorKind::Unavailable),
            "timeout_error" => Some(ErrorKind::Timeout),
            "context_length_exceeded" | "max_tokens_per_request" | "request_too_large" => Some(ErrorKind::TooLarge),
            "invalid_request_error" | "model_not_found" | "not_found_error" => Some(ErrorKind::Rejected),
            _ => None,
        },
        _ => None,
    })
}
