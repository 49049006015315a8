//! How a producer says that it lives: its answer counts as lost, or may be made anew, once it has been silent for a lease.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use crate::App;
use crate::auth::TenantId;
use crate::chat::store::log::{self, Batch, Place};

/// In silence a producer says this often in a lease that it lives, and hears whether it is to stop.
pub const BEATS: u32 = 5;
/// Of an answer that nobody logs, in leases of a logged one: nobody reads it meanwhile, and who asks for it again waits.
const UNLOGGED: u32 = 3;

/// How long an answer's producer may be silent.
pub fn lease(app: &App, logged: bool) -> Duration {
    app.limits.answers.lease * if logged { 1 } else { UNLOGGED }
}

/// Does some work of an answer that writes no log, and says meanwhile that its producer lives. A stop that is asked for is
/// heard by who writes the log; a database that does not answer is left to whoever closes the answer.
pub async fn living<T>(app: &App, at: (TenantId, Place), logged: bool, work: impl Future<Output = T>) -> T {
    let lease = lease(app, logged);
    let mut beating = pin!(beat(app, at, lease));
    tokio::select! {
        biased;
        done = work => done,
        never = &mut beating => match never {},
    }
}

async fn beat(app: &App, (tenant, place): (TenantId, Place), lease: Duration) -> Infallible {
    let nothing = Batch { sequence: 0, frames: String::new() };
    loop {
        sleep(lease / BEATS).await;
        let said = async {
            let tx = app.db.tenant(tenant).await?;
            tx.finish(log::append(&tx, place, &nothing, lease)).await
        };
        if let Err(cause) = said.await {
            tracing::warn!(message = %place.message, ?cause, "chat.log could not say that its producer lives");
        }
    }
}
