//! Which trace a call belongs to (W3C Trace Context, <https://www.w3.org/TR/trace-context/>): carried beside the calls,
//! so that no dialect has to know of it.

use futures_util::future::Either;

tokio::task_local! {
    static TRACE: Trace;
}

/// The two headers as they are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// `traceparent`: who asks, as a node of the trace.
    pub parent: String,
    /// `tracestate`: what others have to say about the trace.
    pub state: Option<String>,
}

impl Trace {
    /// Sends the trace along with every request that `work` makes.
    pub fn with<T>(trace: Option<Trace>, work: impl Future<Output = T>) -> impl Future<Output = T> {
        match trace {
            Some(trace) => Either::Left(TRACE.scope(trace, work)),
            None => Either::Right(work),
        }
    }
}

/// What the request at hand is to carry; nothing outside of [`Trace::with`].
pub(crate) fn headers() -> impl Iterator<Item = (&'static str, String)> {
    let trace = TRACE.try_with(Trace::clone).ok();
    let named =
        trace.map(|Trace { parent, state }| [Some(("traceparent", parent)), state.map(|state| ("tracestate", state))]);
    named.into_iter().flatten().flatten()
}
