//! Preconditions of reads (RFC 9110 §13.2.2) and of writes (S3's conditional PUT).

use http::{HeaderMap, HeaderValue, header};
use s3s::dto::{ETag, ETagCondition, Timestamp};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

use super::clock::http_date;
use super::object::Object;

/// What a GET, a HEAD or the source of a copy asks of the object.
#[derive(Default)]
pub(super) struct Read {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
    pub if_modified_since: Option<Timestamp>,
    pub if_unmodified_since: Option<Timestamp>,
}

impl Read {
    pub fn check(&self, object: &Object) -> S3Result<()> {
        let modified = http_date(object.modified);
        let changed = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => !holds(condition, object),
            (None, Some(since)) => modified > *since,
            (None, None) => false,
        };
        if changed {
            return Err(failed());
        }
        let unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(ETagCondition::Any), _) => true,
            (Some(ETagCondition::ETag(tag)), _) => tag.weak_cmp(&object.tag()),
            (None, Some(since)) => modified <= *since,
            (None, None) => false,
        };
        if unchanged { Err(not_modified(object)) } else { Ok(()) }
    }

    /// A copy has no cached state to confirm: for its source every failed condition is a 412.
    pub fn check_source(&self, object: &Object) -> S3Result<()> {
        self.check(object).map_err(|_| failed())
    }
}

/// What a write asks of the object that it would replace.
#[derive(Default)]
pub(super) struct Write {
    pub if_match: Option<ETagCondition>,
    pub if_none_match: Option<ETagCondition>,
}

impl Write {
    /// For operations whose typed input lacks the two headers.
    pub fn from_headers(headers: &HeaderMap) -> S3Result<Self> {
        let condition = |name| match headers.get(&name) {
            None => Ok(None),
            Some(value) => ETagCondition::parse_http_header(value.as_bytes())
                .map(Some)
                .map_err(|_| s3_error!(InvalidRequest, "The header {name} is not an entity tag.")),
        };
        Ok(Self { if_match: condition(header::IF_MATCH)?, if_none_match: condition(header::IF_NONE_MATCH)? })
    }

    pub fn check(&self, current: Option<&Object>) -> S3Result<()> {
        match &self.if_none_match {
            None => {}
            Some(ETagCondition::Any) if current.is_none() => {}
            Some(ETagCondition::Any) => return Err(failed()),
            Some(ETagCondition::ETag(_)) => {
                return Err(s3_error!(NotImplemented, "A write takes only If-None-Match: *."));
            }
        }
        match (&self.if_match, current) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey, "If-Match was sent, but there is no such object.")),
            (Some(condition), Some(object)) if holds(condition, object) => Ok(()),
            (Some(_), Some(_)) => Err(failed()),
        }
    }
}

fn holds(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(tag) => tag.strong_cmp(&object.tag()),
    }
}

fn failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the preconditions did not hold. Read the object again and retry.")
}

/// A 304 repeats what a cache needs to refresh its copy.
fn not_modified(object: &Object) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = HeaderMap::new();
    if let Ok(value) = ETag::Strong(object.etag.clone()).to_http_header() {
        headers.insert(header::ETAG, value);
    }
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&object.modified);
    if let Some(value) = date.ok().and_then(|date| HeaderValue::try_from(date).ok()) {
        headers.insert(header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}
