//! What an HTTP status means for the caller, and how long a provider asks us to wait.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

use crate::{Error, ErrorKind};

/// Longer waits are cut to this: a provider's number must not decide how long a job sleeps.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The parts of a refused response that decide its meaning.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) html: bool,
    /// What the dialect found in the body.
    pub(crate) named: Option<ErrorKind>,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        if let Some(kind @ (ErrorKind::Quota | ErrorKind::Auth | ErrorKind::Forbidden)) = refusal.named {
            return kind.into();
        }
        // Also as a 429: a request that is larger than what a minute admits is not helped by waiting.
        if refusal.named == Some(ErrorKind::TooLarge) && matches!(refusal.status, 400 | 413 | 422 | 429) {
            return ErrorKind::TooLarge.into();
        }
        // A firewall's page says nothing about the key, and a key must not be flagged for it.
        if matches!(refusal.status, 401 | 403) && refusal.html {
            return Error::protocol("A web page, not the provider's API, refused the request.");
        }
        match kind(refusal.status) {
            ErrorKind::RateLimited { .. } => {
                let told = match refusal.named {
                    Some(ErrorKind::RateLimited { retry_after }) => retry_after,
                    _ => None,
                };
                ErrorKind::RateLimited { retry_after: refusal.retry_after.or(told) }.into()
            }
            kind => kind.into(),
        }
    }
}

pub(crate) fn kind(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Auth,
        403 => ErrorKind::Forbidden,
        402 => ErrorKind::Quota,
        408 | 504 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited { retry_after: None },
        400..=499 => ErrorKind::Rejected,
        500..=599 => ErrorKind::Unavailable,
        // Redirects are not followed, and nothing else than 200 is documented for any call here.
        _ => ErrorKind::Protocol,
    }
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3). A date is measured against the response's own `Date`,
/// so that a wrong clock on our side does not matter.
pub(crate) fn retry_after(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    let wait = match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok()?,
        Err(_) => {
            let parser = DateTimeParser::new();
            let then = parser.parse_timestamp(value).ok()?;
            let now = parser.parse_timestamp(date?).ok()?;
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_map_to_codes() {
        let table = [
            (400, "provider_rejected"),
            (401, "provider_auth"),
            (402, "provider_quota"),
            (403, "provider_auth"),
            (404, "provider_rejected"),
            (408, "provider_timeout"),
            (413, "provider_rejected"),
            (422, "provider_rejected"),
            (429, "provider_rate_limited"),
            (500, "provider_unavailable"),
            (503, "provider_unavailable"),
            (504, "provider_timeout"),
            (529, "provider_unavailable"),
            (302, "provider_protocol"),
            (204, "provider_protocol"),
        ];
        for (status, code) in table {
            assert_eq!(Error::from(Refusal { status, ..Refusal::default() }).code(), code, "{status}");
        }
    }

    #[test]
    fn a_body_and_a_page_refine_the_status() {
        let quota = Refusal { status: 429, named: Some(ErrorKind::Quota), ..Refusal::default() };
        assert_eq!(Error::from(quota).code(), "provider_quota");
        let named = Refusal { status: 500, named: Some(ErrorKind::Rejected), ..Refusal::default() };
        assert_eq!(Error::from(named).code(), "provider_unavailable");
        for (status, kind) in [
            (400, ErrorKind::TooLarge),
            (422, ErrorKind::TooLarge),
            (429, ErrorKind::TooLarge),
            (500, ErrorKind::Unavailable),
            (401, ErrorKind::Auth),
        ] {
            let large = Refusal { status, named: Some(ErrorKind::TooLarge), ..Refusal::default() };
            assert_eq!(Error::from(large).kind(), kind, "{status}");
        }
        assert_eq!(Error::from(Refusal { status: 413, ..Refusal::default() }).kind(), ErrorKind::TooLarge);
        for status in [401, 403] {
            let page = Refusal { status, html: true, ..Refusal::default() };
            assert_eq!(Error::from(page).code(), "provider_protocol");
        }
    }

    #[test]
    fn the_header_says_how_long_to_wait_and_else_the_body() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let limited = |retry_after| Some(ErrorKind::RateLimited { retry_after });
        for (header, body, expected) in
            [(seconds(3), limited(seconds(9)), 3), (None, limited(seconds(9)), 9), (seconds(3), limited(None), 3)]
        {
            let refusal = Refusal { status: 429, retry_after: header, html: false, named: body };
            assert_eq!(Error::from(refusal).retry_after(), seconds(expected));
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        let table = [
            ("7", None, Some(7.0)),
            (" 0.5 ", None, Some(0.5)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", date, Some(30.0)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", date, Some(0.0)),
            ("Sun, 06 Nov 1994 08:50:07 GMT", None, None),
            ("-1", None, None),
            ("NaN", None, None),
            ("soon", date, None),
            ("99999999999", None, Some(86_400.0)),
        ];
        for (value, date, expected) in table {
            assert_eq!(retry_after(value, date), expected.map(Duration::from_secs_f64), "{value}");
        }
    }
}
