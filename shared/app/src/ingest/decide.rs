//! What to do about a document, given its row and what the bucket says now. Pure: an event is only a hint, so nothing
//! that an event claimed comes in here.

use crate::documents::Status;
use crate::objects::Head;

/// Workers that may start on the same bytes without storing a single batch before the document counts as failed.
pub const MOST_ATTEMPTS: i32 = 3;

/// The part of a document's row that decides.
#[derive(Clone, Debug)]
pub struct State {
    pub status: Status,
    pub current_etag: Option<String>,
    pub built_etag: Option<String>,
    pub attempts: i32,
    /// Somebody else's lease, or a pause after a failure, is still running.
    pub leased: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// What is stored is what the bucket holds.
    Nothing,
    /// The bytes have not come yet.
    Wait,
    /// The bytes are gone, so the document is.
    Tombstone,
    /// Somebody is at it; look again when the lease is over.
    Busy,
    TooLarge,
    /// Worker after worker disappeared over it.
    GiveUp,
    Build,
}

pub fn decide(state: &State, head: Option<&Head>, largest: u64) -> Decision {
    let Some(head) = head else {
        return match state.current_etag {
            _ if state.status == Status::Deleted => Decision::Nothing,
            Some(_) => Decision::Tombstone,
            None => Decision::Wait,
        };
    };
    let here = Some(head.etag.as_str());
    let known = match state.status {
        Status::Deleted => true,
        Status::Ready => state.current_etag.as_deref() == here,
        // The same bytes fail the same way; only the tenant's "try again" takes a document out of this state.
        Status::Failed => state.built_etag.as_deref() == here,
        _ => false,
    };
    let again = state.built_etag.as_deref() == here;
    match () {
        () if known => Decision::Nothing,
        () if state.leased => Decision::Busy,
        () if head.size > largest => Decision::TooLarge,
        () if again && state.attempts >= MOST_ATTEMPTS => Decision::GiveUp,
        () => Decision::Build,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: Status, current: Option<&str>, built: Option<&str>) -> State {
        State {
            status,
            current_etag: current.map(str::to_owned),
            built_etag: built.map(str::to_owned),
            attempts: 0,
            leased: false,
        }
    }

    #[test]
    fn the_bucket_decides() {
        use Decision::*;
        use Status::*;
        let (a, b) = (Head { etag: "a".into(), size: 10 }, Head { etag: "b".into(), size: 10 });
        for (row, head, expected) in [
            (state(Uploading, None, None), None, Wait),
            (state(Queued, None, None), None, Wait),
            (state(Ready, Some("a"), Some("a")), None, Tombstone),
            (state(Failed, Some("a"), Some("b")), None, Tombstone),
            (state(Deleted, Some("a"), Some("a")), None, Nothing),
            (state(Deleted, Some("a"), Some("a")), Some(&b), Nothing),
            (state(Uploading, None, None), Some(&a), Build),
            (state(Ready, Some("a"), Some("a")), Some(&a), Nothing),
            (state(Ready, Some("a"), Some("a")), Some(&b), Build),
            (state(Failed, None, Some("a")), Some(&a), Nothing),
            (state(Failed, None, Some("a")), Some(&b), Build),
            (state(Embedding, None, Some("a")), Some(&a), Build),
            (State { leased: true, ..state(Embedding, None, Some("a")) }, Some(&a), Busy),
            (State { leased: true, ..state(Ready, Some("a"), Some("a")) }, Some(&a), Nothing),
            (State { attempts: MOST_ATTEMPTS, ..state(Parsing, None, Some("a")) }, Some(&a), GiveUp),
            (State { attempts: MOST_ATTEMPTS, ..state(Parsing, None, Some("a")) }, Some(&b), Build),
            (State { attempts: MOST_ATTEMPTS - 1, ..state(Parsing, None, Some("a")) }, Some(&a), Build),
        ] {
            assert_eq!(decide(&row, head, 10), expected, "{row:?} {head:?}");
        }
        assert_eq!(decide(&state(Queued, None, None), Some(&a), 9), TooLarge);
    }
}
