//! Lists by page: how many rows, and from which place on. And whether a client has what it asks for already.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use jiff::Timestamp;
use uuid::Uuid;

use crate::error::{Error, Result};

pub const DEFAULT_PAGE: i64 = 50;
pub const LONGEST_PAGE: i64 = 200;

/// Where the next page of a list begins: behind the row of this time and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: Timestamp,
    pub id: Uuid,
}

impl Cursor {
    /// As clients are given it; its inside is ours.
    pub fn write(self) -> String {
        let mut bytes = self.at.as_microsecond().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn read(text: &str) -> Result<Cursor> {
        let wrong = || {
            Error::invalid("`cursor` is not one of ours.").hint("Send the `nextCursor` of the page before, unchanged.")
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        let (micros, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
        // Nothing of ours is older, and Postgres knows no year before -4712.
        let micros = u64::from_be_bytes(*micros).try_into().map_err(|_| wrong())?;
        let at = Timestamp::from_microsecond(micros).map_err(|_| wrong())?;
        Ok(Cursor { at, id: Uuid::from_slice(id).map_err(|_| wrong())? })
    }
}

/// How many rows a page has: [`DEFAULT_PAGE`], or what was asked for up to [`LONGEST_PAGE`].
pub fn limit(asked: Option<i64>) -> Result<i64> {
    let limit = asked.unwrap_or(DEFAULT_PAGE);
    match (1..=LONGEST_PAGE).contains(&limit) {
        true => Ok(limit),
        false => Err(Error::invalid(format!("`limit` is a number from 1 to {LONGEST_PAGE}."))),
    }
}

/// Cuts rows, of which one more than `limit` was asked for, to a page; gives where the next one begins, if there is one.
pub fn cut<T>(rows: &mut Vec<T>, limit: i64, place: impl Fn(&T) -> Cursor) -> Option<Cursor> {
    let limit = usize::try_from(limit).unwrap_or_default();
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(place)
}

/// Whether the client names this version as one that it has (RFC 9110 §13.1.2).
pub fn unchanged(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|tags| {
        tags.split(',').any(|tag| matches!(tag.trim().trim_start_matches("W/"), tag if tag == etag || tag == "*"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_nothing_else_passes() {
        let cursor = Cursor { at: Timestamp::from_microsecond(1_772_000_000_123_456).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        let ancient = Cursor { at: Timestamp::MIN, id: Uuid::nil() }.write();
        for wrong in ["", "x", "AAAA", &"A".repeat(64), "null", "~~", &ancient] {
            assert_eq!(Cursor::read(wrong).unwrap_err().code(), "invalid_request", "{wrong}");
        }
    }

    #[test]
    fn a_page_ends_where_the_next_one_begins() {
        let place = |id: &u128| Cursor { at: Timestamp::UNIX_EPOCH, id: Uuid::from_u128(*id) };
        let (mut whole, mut more) = (vec![1, 2], vec![1, 2, 3]);
        assert_eq!((cut(&mut whole, 2, place), whole), (None, vec![1, 2]));
        assert_eq!((cut(&mut more, 2, place).map(|next| next.id), more), (Some(Uuid::from_u128(2)), vec![1, 2]));
        assert!(limit(Some(0)).is_err() && limit(Some(LONGEST_PAGE)).is_ok() && limit(Some(LONGEST_PAGE + 1)).is_err());
    }
}
