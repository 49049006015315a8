//! Places where a test may kill the process, to see that what was stored is enough to go on from. Not compiled into
//! any other build than tests'.

pub const AFTER_CLAIM: &str = "ingest.after_claim";
pub const AFTER_LEASE: &str = "ingest.after_lease";
pub const AFTER_FETCH: &str = "ingest.after_fetch";
pub const AFTER_PARSE: &str = "ingest.after_parse";
pub const AFTER_PLAN: &str = "ingest.after_plan";
pub const BEFORE_BATCH: &str = "ingest.before_batch";
pub const AFTER_BATCH: &str = "ingest.after_batch";
pub const BEFORE_SWAP: &str = "ingest.before_swap";
pub const AFTER_SWAP: &str = "ingest.after_swap";
pub const BEFORE_END: &str = "ingest.before_end";
pub const AFTER_END: &str = "ingest.after_end";
pub const BEFORE_CONSUME: &str = "ingest.before_consume";
pub const AFTER_CONSUME: &str = "ingest.after_consume";
pub const BEFORE_TOMBSTONE: &str = "ingest.before_tombstone";
pub const AFTER_TOMBSTONE: &str = "ingest.after_tombstone";
pub const BEFORE_PURGE: &str = "sweep.before_purge";
pub const AFTER_BYTES: &str = "sweep.after_bytes";
pub const AFTER_PURGE: &str = "sweep.after_purge";

/// Every point between two effects that last, in the order in which work passes them. Those of a batch are passed once
/// for each batch. The ones of an end are passed by what fails or pauses, those of a tombstone by what the bucket no
/// longer has, those of a purge by the sweep.
pub const POINTS: [&str; 18] = [
    AFTER_CLAIM,
    AFTER_LEASE,
    AFTER_FETCH,
    AFTER_PARSE,
    AFTER_PLAN,
    BEFORE_BATCH,
    AFTER_BATCH,
    BEFORE_SWAP,
    AFTER_SWAP,
    BEFORE_END,
    AFTER_END,
    BEFORE_CONSUME,
    AFTER_CONSUME,
    BEFORE_TOMBSTONE,
    AFTER_TOMBSTONE,
    BEFORE_PURGE,
    AFTER_BYTES,
    AFTER_PURGE,
];

/// `kill -9` of this very process when `DOCENT_FAILPOINT` names this point: at its first passage, or with `name:3` at
/// its third.
#[cfg(feature = "test-doors")]
pub fn failpoint(name: &str) {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crate::config::Environment;

    static CHOSEN: OnceLock<Option<(String, usize)>> = OnceLock::new();
    static PASSED: AtomicUsize = AtomicUsize::new(0);
    let chosen = CHOSEN.get_or_init(|| Environment::process().get("DOCENT_FAILPOINT").map(chosen));
    let Some((point, passage)) = chosen else { return };
    if point == name && PASSED.fetch_add(1, Ordering::Relaxed) + 1 == *passage {
        let _ = std::process::Command::new("/bin/sh").args(["-c", "kill -9 $PPID"]).status();
        loop {
            std::thread::park();
        }
    }
}

#[cfg(feature = "test-doors")]
fn chosen(text: &str) -> (String, usize) {
    match text.rsplit_once(':').and_then(|(name, passage)| Some((name, passage.parse().ok()?))) {
        Some((name, passage)) => (name.to_owned(), passage),
        None => (text.to_owned(), 1),
    }
}

#[cfg(not(feature = "test-doors"))]
pub fn failpoint(_: &str) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = POINTS.into_iter().collect();
        assert_eq!(names.len(), POINTS.len());
        assert_eq!(chosen("ingest.after_batch:3"), ("ingest.after_batch".to_owned(), 3));
        assert_eq!(chosen("ingest.after_swap"), ("ingest.after_swap".to_owned(), 1));
    }
}
