//! Whether a file that is about to come is a new document, the next version of one that is there, or nothing new. Pure.

use super::NewDocument;
use crate::documents::Status;
use crate::error::{Error, Kind, Result};

/// Versions of one document that may wait for their bytes at once. Somebody who begins more never completes any.
pub const MOST_PENDING: i32 = 20;

/// What to do about a document of the same name in the same collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnDuplicate {
    /// Another document of that name.
    #[default]
    Keep,
    /// The one that is there stays as it is.
    Skip,
    /// The next version; older bytes go once readers see it.
    Replace,
    /// The next version; the last few stay and can be restored.
    Version,
}

/// The document of that name, as far as the decision needs it.
#[derive(Clone, Debug)]
pub struct Known {
    pub status: Status,
    /// The newest version whose bytes may have come, and what they were declared to be.
    pub version: i32,
    pub sha256: Option<Vec<u8>>,
    /// The newest version that room was made for; above `version` while its bytes have not come.
    pub last: Declared,
}

#[derive(Clone, Debug)]
pub struct Declared {
    pub version: i32,
    pub size: i64,
    pub sha256: Option<Vec<u8>>,
    pub content_type: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Another document.
    New,
    /// The same bytes are there already.
    Unchanged,
    /// Something of that name is there, and that is enough.
    Skipped,
    /// The room that was made before, for the same bytes, which have not come.
    Again(i32),
    /// Room for the next version.
    Next(i32),
}

pub fn place(policy: OnDuplicate, known: Option<&Known>, new: &NewDocument) -> Result<Placement> {
    let Some(known) = known.filter(|_| policy != OnDuplicate::Keep) else { return Ok(Placement::New) };
    let empty = known.status == Status::Uploading && known.last.version == known.version;
    let given = new.sha256.as_ref().map(|hash| hash.as_slice());
    if !empty && given.is_some() && known.sha256.as_deref() == given {
        return Ok(Placement::Unchanged);
    }
    let waits = known.status == Status::Uploading || known.last.version > known.version;
    let same = given.is_some()
        && known.last.sha256.as_deref() == given
        && u64::try_from(known.last.size) == Ok(new.size)
        && known.last.content_type == new.content_type;
    if waits && same {
        return Ok(Placement::Again(known.last.version));
    }
    // An upload that was begun and never made is nothing that one could skip for.
    if policy == OnDuplicate::Skip && known.status != Status::Uploading {
        return Ok(Placement::Skipped);
    }
    if known.last.version - known.version >= MOST_PENDING {
        return Err(Error::new(
            Kind::Conflict,
            format!("{MOST_PENDING} versions of this document wait for their bytes already."),
        )
        .hint("Complete one of them, or delete the document and upload it anew."));
    }
    Ok(Placement::Next(known.last.version + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 32] = [1; 32];
    const B: [u8; 32] = [2; 32];

    fn new(sha256: Option<[u8; 32]>) -> NewDocument {
        NewDocument { filename: "a.txt".to_owned(), size: 5, sha256, ..NewDocument::default() }
    }

    /// A document whose `version` holds A and whose newest room is `last`, declared to hold B.
    fn known(status: Status, version: i32, last: i32) -> Known {
        let hash = if last > version { B } else { A };
        let last = Declared { version: last, size: 5, sha256: Some(hash.to_vec()), content_type: None };
        Known { status, version, sha256: Some(A.to_vec()), last }
    }

    #[test]
    fn placements_by_table() {
        use OnDuplicate::*;
        use Placement::*;
        use Status::*;
        let other = Some([3; 32]);
        for (policy, known, sha256, expected) in [
            (Keep, None, Some(A), New),
            (Keep, Some(known(Ready, 1, 1)), Some(A), New),
            (Version, None, Some(A), New),
            (Version, Some(known(Ready, 1, 1)), Some(A), Unchanged),
            (Skip, Some(known(Failed, 1, 1)), Some(A), Unchanged),
            (Replace, Some(known(Ready, 4, 4)), Some(B), Next(5)),
            (Version, Some(known(Ready, 1, 1)), None, Next(2)),
            (Skip, Some(known(Ready, 1, 1)), Some(B), Skipped),
            (Skip, Some(known(Embedding, 1, 1)), None, Skipped),
            // Begun, and broken off before the bytes came.
            (Version, Some(known(Uploading, 1, 1)), Some(A), Again(1)),
            (Skip, Some(known(Uploading, 1, 1)), Some(A), Again(1)),
            (Skip, Some(known(Uploading, 1, 1)), other, Next(2)),
            (Skip, Some(known(Uploading, 1, 1)), None, Next(2)),
            (Version, Some(known(Ready, 1, 2)), Some(B), Again(2)),
            (Version, Some(known(Ready, 1, 2)), Some(A), Unchanged),
            (Version, Some(known(Ready, 1, 2)), other, Next(3)),
            (Version, Some(known(Uploading, 1, 2)), Some(B), Again(2)),
        ] {
            assert_eq!(place(policy, known.as_ref(), &new(sha256)).unwrap(), expected, "{policy:?} {known:?}");
        }
        let longer = NewDocument { size: 6, ..new(Some(B)) };
        assert_eq!(place(Version, Some(&known(Ready, 1, 2)), &longer).unwrap(), Next(3), "another size");
    }

    #[test]
    fn only_so_many_versions_wait_for_their_bytes() {
        let at = |pending| place(OnDuplicate::Version, Some(&known(Status::Ready, 3, 3 + pending)), &new(None));
        assert_eq!(at(MOST_PENDING - 1).unwrap(), Placement::Next(3 + MOST_PENDING));
        assert_eq!(at(MOST_PENDING).unwrap_err().code(), "conflict");
    }
}
