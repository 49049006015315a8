//! What a caller is told about its limits (draft-ietf-httpapi-ratelimit-headers-10, and two older habits).

use http::{HeaderName, HeaderValue};

use super::{Refused, Standing};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");
/// What OpenAI's clients look at.
const REMAINING_REQUESTS: HeaderName = HeaderName::from_static("x-ratelimit-remaining-requests");

/// `Retry-After` is not among them: the problem itself carries it. `X-RateLimit-Reset` counts seconds from now.
pub fn headers(standing: &Standing) -> [(HeaderName, HeaderValue); 6] {
    let Standing { policy, remaining, reset_seconds } = standing;
    // Names are ours and plain, so the two lists are always valid.
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let quota = format!("\"{}\";q={};w={}", policy.name, policy.limit, policy.window_seconds);
    let left = format!("\"{}\";r={remaining};t={reset_seconds}", policy.name);
    [
        (POLICY, text(quota)),
        (RATE_LIMIT, text(left)),
        (LIMIT, HeaderValue::from(policy.limit)),
        (REMAINING, HeaderValue::from(*remaining)),
        (RESET, HeaderValue::from(*reset_seconds)),
        (REMAINING_REQUESTS, HeaderValue::from(*remaining)),
    ]
}

impl Refused {
    /// Where a refused caller stands: nothing is left, and the wait is what `Retry-After` says.
    pub fn standing(&self) -> Standing {
        Standing { policy: self.policy, remaining: 0, reset_seconds: self.retry_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Policy;

    #[test]
    fn headers_follow_the_draft() {
        let standing = Standing { policy: Policy::per_minute("token", 60), remaining: 12, reset_seconds: 3 };
        let sent: Vec<String> =
            headers(&standing).iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(
            sent,
            [
                "ratelimit-policy: \"token\";q=60;w=60",
                "ratelimit: \"token\";r=12;t=3",
                "x-ratelimit-limit: 60",
                "x-ratelimit-remaining: 12",
                "x-ratelimit-reset: 3",
                "x-ratelimit-remaining-requests: 12",
            ]
        );
    }
}
