//! Anthropic: so far only the question about a key. <https://docs.anthropic.com/en/api/models-list>

use serde_json::Value;

use crate::dialect::{Call, versioned};
use crate::{Endpoint, Error, ErrorKind, openai};

/// The release of the wire format that everything here is written for. <https://docs.anthropic.com/en/api/versioning>
const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

pub(crate) fn check(endpoint: &Endpoint) -> Result<Call, Error> {
    let mut url = versioned(&endpoint.base_url, "v1", &["models"])?;
    url.set_query(Some("limit=1"));
    let secret = endpoint.key.clone().map(|key| ("x-api-key", key));
    Ok(Call { secret, header: Some(VERSION), named, ..Call::get(url, endpoint) })
}

/// A spent budget comes as a rate limit with a detail of its own, or as an invalid request that only its words tell
/// apart. <https://docs.anthropic.com/en/api/errors>
fn named(body: &[u8]) -> Option<ErrorKind> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.get("error")?;
    let words = error["message"].as_str().unwrap_or_default();
    let spent = error["details"]["error_code"] == "enforced_spend_limit_reached"
        || words.contains("API usage limits")
        || words.contains("credit balance is too low");
    if spent { Some(ErrorKind::Quota) } else { openai::classify(error) }
}
