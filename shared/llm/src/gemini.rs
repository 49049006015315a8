//! Gemini: so far only the question about a key. <https://ai.google.dev/api/models#method:-models.list>

use serde_json::Value;

use crate::dialect::{Call, versioned, without};
use crate::{Endpoint, Error, ErrorKind};

/// The base may be that of the OpenAI-compatible surface, which is where chat goes.
pub(crate) fn check(endpoint: &Endpoint) -> Result<Call, Error> {
    let mut url = versioned(&without(&endpoint.base_url, &["/openai"]), "v1beta", &["models"])?;
    url.set_query(Some("pageSize=1"));
    let secret = endpoint.key.clone().map(|key| ("x-goog-api-key", key));
    Ok(Call { secret, named, ..Call::get(url, endpoint) })
}

/// A bad key is a 400 like any other bad argument: only the reason in the details tells.
/// <https://ai.google.dev/gemini-api/docs/troubleshooting>, <https://google.aip.dev/193>
fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error").or_else(|| body.get(0)?.get("error"))?;
    let details = error["details"].as_array().map(Vec::as_slice).unwrap_or_default();
    let reason = details.iter().find_map(|detail| detail["reason"].as_str());
    match (reason, error["status"].as_str()) {
        (Some("API_KEY_INVALID" | "CONSUMER_SUSPENDED" | "CONSUMER_INVALID"), _) => Some(ErrorKind::Auth),
        (Some("BILLING_DISABLED"), _) => Some(ErrorKind::Quota),
        // The key is good, but not from this region, or not without a bill.
        (_, Some("FAILED_PRECONDITION")) => Some(ErrorKind::Forbidden),
        _ => None,
    }
}
