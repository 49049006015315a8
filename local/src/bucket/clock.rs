//! The one place of this room that reads the clock.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use s3s::dto;

/// The time now. An embedded server stamps files for its own machine, so it reads the machine's clock; nothing in
/// the product depends on it.
#[expect(clippy::disallowed_methods, reason = "Last-Modified and eventTime of a server are wall-clock times")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// HTTP dates have whole seconds: conditions compare what a client was shown.
pub(super) fn http_date(time: Timestamp) -> dto::Timestamp {
    let seconds = u64::try_from(time.as_second()).unwrap_or(0);
    dto::Timestamp::from(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}
