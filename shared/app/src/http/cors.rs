//! Which pages may read an answer: the operator's own origins by name, and a visitor's page where its token says so.

use http::{HeaderMap, HeaderValue, Method, header};

use crate::config::Front;

const METHODS: &str = "GET, POST, PUT, PATCH, DELETE";
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, last-event-id, traceparent, tracestate, \
     x-request-id";
const ANSWER_HEADERS: &str = "content-disposition, etag, idempotency-replayed, link, retry-after, ratelimit, \
     ratelimit-policy, server-timing, traceresponse, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-remaining-requests, x-ratelimit-reset, \
     x-request-id, x-vercel-ai-ui-message-stream";
/// Browsers ask again after this; longer ones are cut by them anyway.
const MAX_AGE: &str = "600";

/// A preflight carries no token, so that any page may ask whether it may ask; what it then gets is decided by the
/// token that it shows. Only what visitors use is opened this way.
fn for_visitors(path: &str) -> bool {
    path == "/api/tokens/visitor"
        || ["/api/chat", "/api/conversations", "/api/widget"]
            .iter()
            .any(|room| path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether this is a browser's question before the request.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

pub(super) fn preflight(path: &str, asked: &HeaderMap, front: &Front) -> HeaderMap {
    let mut answer = HeaderMap::new();
    answer.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = asked.get(header::ORIGIN)
        && (front.allows(origin) || for_visitors(path))
    {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(REQUEST_HEADERS));
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    }
    answer
}

/// `noted`: the origin that a verified visitor's token names.
pub(super) fn readable(
    origin: Option<&HeaderValue>,
    noted: Option<HeaderValue>,
    front: &Front,
    answer: &mut HeaderMap,
) {
    // Without it a cache could hand one origin's answer to another.
    answer.append(header::VARY, HeaderValue::from_static("origin"));
    let allowed = origin.filter(|origin| front.allows(origin)).cloned().or(noted);
    if let Some(allowed) = allowed {
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWER_HEADERS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{self, Policy, Standing};

    #[test]
    fn a_page_may_read_where_it_stands() {
        let standing = Standing { policy: Policy::per_minute("visitor", 20), remaining: 1, reset_seconds: 1 };
        let exposed: Vec<&str> = ANSWER_HEADERS.split(',').map(str::trim).collect();
        for (name, _) in limits::headers(&standing) {
            assert!(exposed.contains(&name.as_str()), "{name}");
        }
    }
}
