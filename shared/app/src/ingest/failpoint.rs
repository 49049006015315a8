//! Places where a test may kill the process, to see that what was stored is enough to go on from. Not compiled into
//! any other build than tests'.

/// The points, in the order in which work passes them.
pub const AFTER_FIRST_BATCH: &str = "ingest.after_first_batch";
pub const BEFORE_SWAP: &str = "ingest.before_swap";
pub const AFTER_SWAP: &str = "ingest.after_swap";

/// `kill -9` of this very process when `DOCENT_FAILPOINT` names this point.
#[cfg(feature = "test-doors")]
pub fn failpoint(name: &str) {
    use std::sync::OnceLock;

    use crate::config::Environment;

    static CHOSEN: OnceLock<Option<String>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| Environment::process().get("DOCENT_FAILPOINT").map(str::to_owned));
    if chosen.as_deref() == Some(name) {
        let _ = std::process::Command::new("/bin/sh").args(["-c", "kill -9 $PPID"]).status();
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(feature = "test-doors"))]
pub fn failpoint(_: &str) {}
