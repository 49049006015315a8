//! What this process depends on, asked at most once a second however many ask: nobody needs a credential for health, so
//! nobody may use up connections by it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::App;

/// What was learned is good for so long.
pub const FRESH: Duration = Duration::from_secs(1);
/// A database that says nothing for so long does not answer requests either.
const POSTGRES: Duration = Duration::from_secs(3);
/// A store of vectors that says nothing for so long is not there.
const VECTORS: Duration = Duration::from_secs(1);

/// Shared by all clones; those who come while it is asked wait for the same answer.
#[derive(Clone, Default)]
pub struct Pulse(Arc<Mutex<Option<(Instant, Standing)>>>);

/// How each dependency stands: the code of its failure, or none. A bucket is not among them: what is stored is read
/// without it, and uploads meet it themselves. Nor is a Redis, whose place Postgres takes and which bills each command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Without it nothing is served.
    pub postgres: Option<&'static str>,
    /// Without it searches go by words alone. Absent where Postgres has the vectors.
    pub vectors: Option<Option<&'static str>>,
}

impl Pulse {
    pub async fn feel(&self, app: &App) -> Standing {
        let mut last = self.0.lock().await;
        if let Some((at, standing)) = *last
            && at.elapsed() < FRESH
        {
            return standing;
        }
        let (postgres, vectors) = tokio::join!(postgres(app), vectors(app));
        let standing = Standing { postgres, vectors };
        *last = Some((Instant::now(), standing));
        standing
    }
}

async fn postgres(app: &App) -> Option<&'static str> {
    match timeout(POSTGRES, app.db.ping()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            tracing::warn!(cause = ?error, "health.postgres failed");
            Some(error.code())
        }
        Err(_) => {
            tracing::warn!("health.postgres is silent");
            Some("database_unavailable")
        }
    }
}

async fn vectors(app: &App) -> Option<Option<&'static str>> {
    app.vectors.qdrant()?;
    let code = match timeout(VECTORS, app.vectors.answer()).await {
        Ok(Ok(())) => return Some(None),
        Ok(Err(error)) => {
            tracing::warn!(cause = ?error, "health.vectors failed");
            error.code()
        }
        Err(_) => {
            tracing::warn!("health.vectors did not answer");
            "vectors_timeout"
        }
    };
    Some(Some(code))
}
