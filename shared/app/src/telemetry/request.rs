//! One request while it lasts: until its answer has ended and everything is over that it left to do. Then it is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::Either;
use http::Method;
use jiff::Timestamp;

use super::context::Context;
use super::facts::Facts;
use super::{Telemetry, emf, line};
use crate::Tasks;
use crate::clock::Clock;

tokio::task_local! {
    static CURRENT: Arc<Request>;
}

/// The status of an answer whose client left before there was one: nobody was sent it. (nginx logs the same.)
const CLIENT_GONE: u16 = 499;

/// Shared by the answer's body and by every task that the request began: the last to go has it told.
pub struct Request {
    telemetry: Telemetry,
    tasks: Tasks,
    pub(super) arrival: Arrival,
    pub(super) context: Context,
    /// The process had no request before.
    pub(super) cold: bool,
    started: Instant,
    pub(super) started_at: Timestamp,
    facts: Mutex<Facts>,
}

/// What came.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub id: String,
    pub method: Method,
    /// The pattern, not the path: no id of anybody's, and few different ones.
    pub route: String,
}

impl Request {
    pub(super) fn new(telemetry: Telemetry, tasks: Tasks, arrival: Arrival, told: (Context, bool)) -> Request {
        let (context, cold) = told;
        let (started, started_at, facts) = (Instant::now(), Clock::system().now(), Mutex::default());
        Request { telemetry, tasks, arrival, context, cold, started, started_at, facts }
    }

    /// The answer's head is made.
    pub fn head(&self, status: u16) {
        let head = self.elapsed();
        self.note(|facts| (facts.status, facts.head) = (status, head));
    }

    /// A part of the body is sent.
    pub fn sent(&self) {
        self.note(|facts| {
            facts.first.get_or_insert_with(|| self.elapsed());
        });
    }

    /// The body is over: all of it was sent, or its reader left.
    pub fn ended(&self, left: bool) {
        self.note(|facts| {
            facts.end.get_or_insert_with(|| self.elapsed());
            facts.left |= left;
        });
    }

    pub fn failed(&self, code: &'static str, cause: Option<String>) {
        self.note(|facts| (facts.code, facts.cause) = (Some(code), cause));
    }

    /// `Server-Timing` (<https://www.w3.org/TR/server-timing/>), as far as things are known when the head is sent.
    pub fn timing(&self) -> String {
        self.note(|facts| line::timing(facts, self.elapsed()))
    }

    /// `traceresponse`, by which a caller finds the trace that its request became.
    pub fn trace(&self) -> String {
        self.context.header(self.context.span)
    }

    /// Whether somebody keeps its spans.
    pub(super) fn is_traced(&self) -> bool {
        self.context.sampled && self.telemetry.0.spans.is_some()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(super) fn note<T>(&self, note: impl FnOnce(&mut Facts) -> T) -> T {
        note(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut facts = std::mem::take(self.facts.get_mut().unwrap_or_else(PoisonError::into_inner));
        if facts.status == 0 {
            (facts.status, facts.left) = (CLIENT_GONE, true);
        }
        if facts.end.is_none() {
            facts.end = Some(self.elapsed());
        }
        line::write(self, &facts);
        let parts = &self.telemetry.0;
        if let Some(metrics) = &parts.metrics {
            metrics.request(&self.arrival, &facts);
        }
        if let Some(function) = &parts.function {
            emf::request(function, self, &facts);
        }
        if let Some(sentry) = &parts.sentry {
            sentry.request(self, &facts, &self.tasks);
        }
        if let Some(spans) = parts.spans.as_ref().filter(|_| self.context.sampled) {
            spans.request(self, facts, &self.tasks);
        }
    }
}

/// Runs `work` as part of the request.
pub fn within<T>(request: Arc<Request>, work: impl Future<Output = T>) -> impl Future<Output = T> {
    CURRENT.scope(request, work)
}

/// The same for a poll, which is how a body lives.
pub fn polled<T>(request: &Arc<Request>, poll: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(request.clone(), poll)
}

/// Work that outlives the request that it began in still belongs to it.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    match current() {
        Some(request) => Either::Left(within(request, work)),
        None => Either::Right(work),
    }
}

pub(super) fn current() -> Option<Arc<Request>> {
    CURRENT.try_with(Arc::clone).ok()
}

pub(super) fn note(note: impl FnOnce(&mut Facts)) {
    let _ = CURRENT.try_with(|request| request.note(note));
}
