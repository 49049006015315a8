//! Bucket against table, both ways: what a lost event would have told. Pure.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::events::{Seen, claim};
use crate::documents::Status;
use crate::objects::Listed;

/// A document as the table has it.
#[derive(Clone, Debug)]
pub struct Kept {
    pub document: Uuid,
    pub status: Status,
    pub current_etag: Option<String>,
    pub built_etag: Option<String>,
    /// Where the bytes are that count.
    pub key: String,
    /// Where older ones are kept.
    pub older: Vec<String>,
    /// Where newer ones may come.
    pub newer: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Row and object do not agree.
    Look(Uuid),
    /// A whole library without one object: a wrong bucket looks the same as a deleted one, so nothing is taken away.
    Vanished(usize),
    /// An object without a row: reported, never deleted, because a restored backup looks the same.
    Orphan(String),
}

/// The document that a key belongs to, if it is one of ours.
pub fn document(key: &str) -> Option<Uuid> {
    match claim(key.to_owned()) {
        Seen::Key { document, .. } => Some(document),
        Seen::Sweep | Seen::Ignored(_) => None,
    }
}

/// So many documents do not vanish one by one between two sweeps.
const VANISHED: usize = 3;

/// Both lists cover the same range of documents; `bare` when the whole library has no object.
pub fn compare(listed: &[Listed], kept: &[Kept], bare: bool) -> Vec<Difference> {
    let rows: HashMap<Uuid, &Kept> = kept.iter().map(|row| (row.document, row)).collect();
    let here: HashSet<&str> = listed.iter().map(|object| object.key.as_str()).collect();
    let (mut differences, mut looks) = (Vec::new(), HashSet::new());
    for object in listed {
        match document(&object.key).and_then(|id| rows.get(&id)) {
            None => differences.push(Difference::Orphan(object.key.clone())),
            Some(row) => match verdict(row, object) {
                Verdict::Agrees => {}
                Verdict::Stranger => differences.push(Difference::Orphan(object.key.clone())),
                Verdict::Differs if !looks.insert(row.document) => {}
                Verdict::Differs => differences.push(Difference::Look(row.document)),
            },
        }
    }
    let gone = kept
        .iter()
        .filter(|row| row.status != Status::Deleted && row.current_etag.is_some() && !here.contains(row.key.as_str()));
    let gone: Vec<Uuid> = gone.map(|row| row.document).collect();
    if bare && gone.len() >= VANISHED {
        return vec![Difference::Vanished(gone.len())];
    }
    differences.extend(gone.into_iter().filter(|id| !looks.contains(id)).map(Difference::Look));
    differences
}

enum Verdict {
    Agrees,
    Differs,
    Stranger,
}

/// Only the key that counts is compared by its bytes: kept versions may be what they are.
fn verdict(row: &Kept, object: &Listed) -> Verdict {
    let among = |keys: &[String]| keys.contains(&object.key);
    match () {
        // Everything of a deleted document goes with its row.
        () if row.status == Status::Deleted => Verdict::Agrees,
        () if object.key == row.key => {
            if stale(row, &object.etag) {
                Verdict::Differs
            } else {
                Verdict::Agrees
            }
        }
        () if among(&row.newer) => Verdict::Differs,
        () if among(&row.older) => Verdict::Agrees,
        () => Verdict::Stranger,
    }
}

fn stale(row: &Kept, etag: &str) -> bool {
    match row.status {
        Status::Uploading => true,
        Status::Ready => row.current_etag.as_deref() != Some(etag),
        Status::Failed => row.built_etag.as_deref() != Some(etag),
        // In work: whoever works, or the lease that runs out, sees to it.
        Status::Queued | Status::Parsing | Status::Embedding | Status::Deleted => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u128, version: i32) -> String {
        format!("t/{}/{}/{version}", Uuid::from_u128(1).simple(), Uuid::from_u128(id).simple())
    }

    fn row(id: u128, status: Status, current: Option<&str>, built: Option<&str>) -> Kept {
        Kept {
            document: Uuid::from_u128(id),
            status,
            current_etag: current.map(str::to_owned),
            built_etag: built.map(str::to_owned),
            key: key(id, 1),
            older: Vec::new(),
            newer: Vec::new(),
        }
    }

    fn object(key: String, etag: &str) -> Listed {
        Listed { key, etag: etag.to_owned() }
    }

    fn look(id: u128) -> Difference {
        Difference::Look(Uuid::from_u128(id))
    }

    #[test]
    fn each_side_finds_what_the_other_lacks() {
        let objects = [(1, "a"), (2, "b"), (3, "a"), (4, "a"), (5, "a"), (6, "b"), (7, "a"), (8, "a")];
        let mut listed: Vec<Listed> = objects.into_iter().map(|(id, etag)| object(key(id, 1), etag)).collect();
        listed.push(object("t/x/stray".to_owned(), "s"));
        let kept = [
            row(1, Status::Ready, Some("a"), Some("a")),
            row(2, Status::Ready, Some("a"), Some("a")),
            row(3, Status::Uploading, None, None),
            row(4, Status::Embedding, None, Some("a")),
            row(5, Status::Failed, None, Some("a")),
            row(6, Status::Failed, None, Some("a")),
            row(7, Status::Deleted, Some("a"), Some("a")),
            row(10, Status::Ready, Some("a"), Some("a")),
            row(11, Status::Uploading, None, None),
            row(12, Status::Deleted, Some("a"), Some("a")),
        ];
        let expected = [
            look(2),
            look(3),
            look(6),
            Difference::Orphan(key(8, 1)),
            Difference::Orphan("t/x/stray".to_owned()),
            look(10),
        ];
        assert_eq!(compare(&listed, &kept, false), expected);
    }

    #[test]
    fn of_several_versions_only_the_one_that_counts_is_compared() {
        let versions = |id, status| Kept {
            key: key(id, 3),
            older: vec![key(id, 1), key(id, 2)],
            newer: vec![key(id, 4), key(id, 5)],
            ..row(id, status, Some("c"), Some("c"))
        };
        let here = |id, versions: &[(i32, &str)]| {
            versions.iter().map(|(version, etag)| object(key(id, *version), etag)).collect::<Vec<_>>()
        };
        for (objects, status, expected) in [
            (here(1, &[(1, "a"), (2, "x"), (3, "c")]), Status::Ready, vec![]),
            (here(1, &[(3, "c")]), Status::Ready, vec![]),
            (here(1, &[(2, "b"), (3, "d")]), Status::Ready, vec![look(1)]),
            (here(1, &[(3, "c"), (4, "d"), (5, "e")]), Status::Ready, vec![look(1)]),
            (here(1, &[(3, "c"), (7, "z")]), Status::Ready, vec![Difference::Orphan(key(1, 7))]),
            (here(1, &[(1, "a"), (2, "b")]), Status::Ready, vec![look(1)]),
            (here(1, &[(1, "a"), (2, "b"), (9, "z")]), Status::Deleted, vec![]),
        ] {
            assert_eq!(compare(&objects, &[versions(1, status)], false), expected, "{objects:?}");
        }
    }

    #[test]
    fn an_empty_bucket_takes_no_library_away() {
        let kept: Vec<Kept> = (1..=3).map(|id| row(id, Status::Ready, Some("e"), None)).collect();
        assert_eq!(compare(&[], &kept, true), [Difference::Vanished(3)]);
        assert_eq!(compare(&[], &kept, false).len(), 3, "elsewhere there are objects");
        assert_eq!(compare(&[], &kept[..2], true).len(), 2, "two may well have been deleted by hand");
    }
}
