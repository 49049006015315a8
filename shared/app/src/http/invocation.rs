//! What a platform says of one invocation: who waits for work that outlives its answer, and when it is cut off.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, FromRequestParts, Request};
use axum::middleware::{Next, from_fn};
use futures_util::{StreamExt, stream};
use http::request::Parts;
use tokio::time::{Instant, timeout};

use crate::config::BEFORE_THE_PLATFORM;
use crate::error::Error;
use crate::{App, Tasks};

/// When the platform will end the invocation, in milliseconds of Unix time: put into the request's extensions by a
/// door that knows.
#[derive(Clone, Copy, Debug)]
pub struct EndsAt(pub u64);

/// How long a body is kept from ending for what its request left to do.
const LEFT_TO_DO: Duration = Duration::from_secs(4);

/// For a platform that freezes the process as soon as an answer's body has ended and has no other way to be told to wait:
/// the body ends when this invocation's tasks have, too.
pub fn waiting(router: Router) -> Router {
    router.layer(from_fn(async |mut request: Request, next: Next| {
        let tasks = Tasks::default();
        request.extensions_mut().insert(tasks.clone());
        let last = stream::once(async move { drop(timeout(LEFT_TO_DO, tasks.drained()).await) });
        let last = last.filter_map(|()| async { None });
        next.run(request).await.map(|body| Body::from_stream(body.into_data_stream().chain(last)))
    }))
}

/// The system as one invocation has it.
pub struct Invocation {
    /// Its tasks are those that this invocation's platform waits for, or those of the process.
    pub app: App,
    /// An answer must be over by then.
    pub until: Instant,
}

impl<S> FromRequestParts<S> for Invocation
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let mut app = App::from_ref(state);
        if let Some(tasks) = parts.extensions.get::<Tasks>() {
            app.tasks = tasks.clone();
        }
        let mut left = app.limits.answers.longest;
        if let Some(EndsAt(end)) = parts.extensions.get() {
            let now = u64::try_from(app.clock.now().as_millisecond()).unwrap_or(u64::MAX);
            left = left.min(Duration::from_millis(end.saturating_sub(now)).saturating_sub(BEFORE_THE_PLATFORM));
        }
        Ok(Invocation { app, until: Instant::now() + left })
    }
}
