//! A document's progress as a stream: the row is read a few times a second, and nothing is held in between.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::Instant;

use super::Document;
use crate::App;
use crate::auth::TenantId;

/// Between two looks at the row.
pub const INTERVAL: Duration = Duration::from_millis(300);
/// Platforms cut long answers; a client that is told to come back in time loses nothing.
pub const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Looks that may fail in a row before the client is sent away to try again.
const MOST_FAILURES: u32 = 10;

/// What a watcher learns.
#[derive(Clone, Debug)]
pub enum Update {
    Status(Box<Document>),
    /// Not settled yet, but this stream ends here.
    ComeBack,
}

struct Watch {
    app: App,
    tenant: TenantId,
    now: Document,
    /// The version that the client has.
    seen: Option<String>,
    until: Instant,
    ended: bool,
}

/// Begins with `now`, unless the client has `seen` it; ends after a settled status or after [`LONGEST`].
pub fn updates(app: App, tenant: TenantId, now: Document, seen: Option<String>) -> impl Stream<Item = Update> + Send {
    let watch = Watch { app, tenant, now, seen, until: Instant::now() + LONGEST, ended: false };
    stream::unfold(watch, |mut watch| async move {
        if watch.ended {
            return None;
        }
        let update = watch.next().await;
        Some((update, watch))
    })
}

impl Watch {
    async fn next(&mut self) -> Update {
        let mut failures = 0;
        loop {
            let version = self.now.version();
            // A settled status is told even to a client that has it: no stream ends without saying how.
            if self.now.status.settled() || self.seen.as_ref() != Some(&version) {
                self.ended = self.now.status.settled();
                self.seen = Some(version);
                return Update::Status(Box::new(self.now.clone()));
            }
            if Instant::now() + INTERVAL >= self.until || failures >= MOST_FAILURES {
                self.ended = true;
                return Update::ComeBack;
            }
            tokio::time::sleep(INTERVAL).await;
            match super::find(&self.app, self.tenant, self.now.id).await {
                Ok(now) => (self.now, failures) = (now, 0),
                // The sweep has removed the last trace of it.
                Err(error) if error.code() == "not_found" => self.now.status = super::Status::Deleted,
                Err(_) => failures += 1,
            }
        }
    }
}
