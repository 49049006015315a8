//! What Gemini's refusals mean: one object for every service of Google's, in a body, a list or a stream.
//! <https://google.aip.dev/193>, <https://ai.google.dev/gemini-api/docs/troubleshooting>

use serde_json::Value;

use crate::{ErrorKind, openai, status};

pub(crate) fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    kind(body.get("error").or_else(|| body.get(0)?.get("error"))?)
}

/// A bad key is a 400 like any other bad argument: only the reason in the details tells.
pub(super) fn kind(error: &Value) -> Option<ErrorKind> {
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail["reason"].as_str());
    match reason {
        Some("API_KEY_INVALID" | "CONSUMER_SUSPENDED" | "CONSUMER_INVALID") => return Some(ErrorKind::Auth),
        Some("BILLING_DISABLED") => return Some(ErrorKind::Quota),
        _ => {}
    }
    match error["status"].as_str() {
        Some("INVALID_ARGUMENT") if openai::speaks_of_size(error["message"].as_str().unwrap_or_default()) => {
            Some(ErrorKind::TooLarge)
        }
        Some("INVALID_ARGUMENT" | "NOT_FOUND" | "OUT_OF_RANGE" | "UNIMPLEMENTED") => Some(ErrorKind::Rejected),
        // The key is good, but not from this region, or not without a bill.
        Some("FAILED_PRECONDITION" | "PERMISSION_DENIED") => Some(ErrorKind::Forbidden),
        Some("UNAUTHENTICATED") => Some(ErrorKind::Auth),
        // The wait stands in the body, not in a header. <https://google.aip.dev/194>
        Some("RESOURCE_EXHAUSTED") => {
            let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str()?.strip_suffix('s'));
            Some(ErrorKind::RateLimited { retry_after: delay.and_then(|seconds| status::retry_after(seconds, None)) })
        }
        Some("INTERNAL" | "UNAVAILABLE" | "UNKNOWN" | "ABORTED") => Some(ErrorKind::Unavailable),
        Some("DEADLINE_EXCEEDED" | "CANCELLED") => Some(ErrorKind::Timeout),
        _ => error["code"].as_u64().and_then(|code| u16::try_from(code).ok()).map(status::kind),
    }
}
