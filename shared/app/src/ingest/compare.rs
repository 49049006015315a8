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

/// Both lists cover the same range of documents.
pub fn compare(listed: &[Listed], kept: &[Kept]) -> Vec<Difference> {
    let rows: HashMap<Uuid, &Kept> = kept.iter().map(|row| (row.document, row)).collect();
    let here: HashSet<Uuid> = listed.iter().filter_map(|object| document(&object.key)).collect();
    let mut differences = Vec::new();
    for object in listed {
        let Some(id) = document(&object.key) else {
            differences.push(Difference::Orphan(object.key.clone()));
            continue;
        };
        match rows.get(&id) {
            None => differences.push(Difference::Orphan(object.key.clone())),
            Some(row) if stale(row, &object.etag) => differences.push(Difference::Look(id)),
            Some(_) => {}
        }
    }
    let gone = kept
        .iter()
        .filter(|row| row.status != Status::Deleted && row.current_etag.is_some() && !here.contains(&row.document));
    let gone: Vec<Uuid> = gone.map(|row| row.document).collect();
    if listed.is_empty() && gone.len() >= VANISHED {
        return vec![Difference::Vanished(gone.len())];
    }
    differences.extend(gone.into_iter().map(Difference::Look));
    differences
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

    fn row(id: u128, status: Status, current: Option<&str>, built: Option<&str>) -> Kept {
        Kept {
            document: Uuid::from_u128(id),
            status,
            current_etag: current.map(str::to_owned),
            built_etag: built.map(str::to_owned),
        }
    }

    #[test]
    fn each_side_finds_what_the_other_lacks() {
        let key = |id: u128| format!("t/{}/{}/1", Uuid::from_u128(1).simple(), Uuid::from_u128(id).simple());
        let object = |id: u128, etag: &str| Listed { key: key(id), etag: etag.to_owned() };
        let listed = [
            object(1, "a"),
            object(2, "b"),
            object(3, "a"),
            object(4, "a"),
            object(5, "a"),
            object(6, "b"),
            object(7, "a"),
            object(8, "a"),
            Listed { key: "t/x/stray".to_owned(), etag: "s".to_owned() },
        ];
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
        let look = |id| Difference::Look(Uuid::from_u128(id));
        let expected = [
            look(2),
            look(3),
            look(6),
            Difference::Orphan(key(8)),
            Difference::Orphan("t/x/stray".to_owned()),
            look(10),
        ];
        assert_eq!(compare(&listed, &kept), expected);
    }

    #[test]
    fn an_empty_bucket_takes_no_library_away() {
        let kept: Vec<Kept> = (1..=3).map(|id| row(id, Status::Ready, Some("e"), None)).collect();
        assert_eq!(compare(&[], &kept), [Difference::Vanished(3)]);
        assert_eq!(compare(&[], &kept[..2]).len(), 2, "two may well have been deleted by hand");
    }
}
