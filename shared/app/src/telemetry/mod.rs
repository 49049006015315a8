//! What a deployment says about itself: one line for each request, metrics, traces and errors. Ids, codes, counts and
//! times only: never what people ask, upload or keep.

mod context;
mod emf;
mod facts;
mod line;
mod metrics;
mod otlp;
mod outbox;
mod request;
mod sentry;
mod start;
mod step;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::HeaderMap;

pub use facts::{Used, bot, caller, failed, hashed, spent};
pub use metrics::{Metrics, Pool, known};
pub use request::{Arrival, Request, carried, polled, within};
pub use start::start;
pub use step::{Part, Step, Trips, model, step};

use crate::error::Error;
use crate::{Tasks, config};
use context::Context;
use otlp::Spans;
use sentry::Sentry;

/// Whom requests are told to. Cheap to clone. With nothing configured each request is one line, and nothing is kept,
/// sent or waited for.
#[derive(Clone)]
pub struct Telemetry(Arc<Parts>);

struct Parts {
    /// No request came to this process yet.
    cold: AtomicBool,
    spans: Option<Spans>,
    sentry: Option<Sentry>,
    metrics: Option<Metrics>,
    /// The function whose metrics are lines in CloudWatch.
    function: Option<String>,
}

impl Telemetry {
    pub fn new(config: config::Telemetry) -> Telemetry {
        Telemetry(Arc::new(Parts {
            cold: AtomicBool::new(true),
            spans: config.traces.map(Spans::new),
            sentry: config.sentry.map(Sentry::new),
            metrics: config.metrics.map(|_| Metrics::default()),
            function: config.function,
        }))
    }

    /// Begins a request. What is still to be sent when it is over becomes a task of `tasks`.
    pub fn request(&self, arrival: Arrival, headers: &HeaderMap, tasks: Tasks) -> Arc<Request> {
        let cold = self.0.cold.swap(false, Ordering::Relaxed);
        let context = Context::of(headers, self.0.spans.is_some());
        Arc::new(Request::new(self.clone(), tasks, arrival, (context, cold)))
    }

    /// What became of a document that was looked at; an error that is ours to mend is told as a request's would be.
    pub fn document(&self, outcome: Result<&'static str, &Error>, tasks: &Tasks) {
        let Parts { metrics, function, sentry, .. } = &*self.0;
        let named = outcome.unwrap_or("put_off");
        if let Some(metrics) = metrics {
            metrics.document(named);
        }
        if let Some(function) = function {
            emf::document(function, named);
        }
        if let (Some(sentry), Err(error)) = (sentry, outcome) {
            sentry.document(error, tasks);
        }
    }

    /// Counted where a container is asked for its metrics.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.0.metrics.as_ref()
    }
}
