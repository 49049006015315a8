//! What a request spends its time on: the database, models, a store of vectors. Each step is timed, and where traces are
//! kept it is a span.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use docent_llm::Trace;
use serde_json::{Value, json};

use super::context::span_id;
use super::facts::Used;
use super::request::{Request, current};

/// A request with more is a loop; its first ones tell as much.
const MOST_SPANS: usize = 128;
/// A connection that was there already is not worth a span.
const INSTANT: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A round trip to Postgres.
    Db,
    /// Until a connection to it was free, or made.
    Connect,
    Embed,
    /// The search statement; its trip counts as the database's, too.
    Search,
    Vectors,
    Rerank,
    /// Until an answer's first word.
    Provider,
}

/// How many there are.
pub const PARTS: usize = 7;

impl Part {
    /// As `Server-Timing` calls them.
    pub const NAMES: [(Part, &'static str); PARTS] = [
        (Part::Db, "db"),
        (Part::Connect, "connect"),
        (Part::Embed, "embed"),
        (Part::Search, "search"),
        (Part::Vectors, "vectors"),
        (Part::Rerank, "rerank"),
        (Part::Provider, "provider"),
    ];

    fn span(self) -> (&'static str, Vec<(&'static str, Value)>) {
        match self {
            Part::Db => ("postgres", vec![("db.system.name", json!("postgresql"))]),
            Part::Connect => ("postgres connect", vec![("db.system.name", json!("postgresql"))]),
            Part::Vectors => ("qdrant", vec![("db.system.name", json!("qdrant"))]),
            Part::Embed => ("embeddings", Vec::new()),
            Part::Search => ("search", Vec::new()),
            Part::Rerank => ("rerank", Vec::new()),
            Part::Provider => ("chat", Vec::new()),
        }
    }
}

/// What is told of a step: times since the request came.
#[derive(Debug)]
pub struct Span {
    pub id: u64,
    pub name: String,
    /// Somebody else was asked, as opposed to this process at work.
    pub asks: bool,
    pub attributes: Vec<(&'static str, Value)>,
    pub begin: Duration,
    pub end: Duration,
    pub failed: Option<&'static str>,
}

/// A step that goes on until this is dropped. Outside of a request it is nothing.
#[must_use]
pub struct Step(Option<Begun>);

struct Begun {
    request: Arc<Request>,
    part: Part,
    started: Instant,
    counted: bool,
    span: Option<Box<Span>>,
}

pub fn step(part: Part) -> Step {
    Step(current().map(|request| {
        let span = request.is_traced().then(|| {
            let (name, attributes) = part.span();
            let (id, begin) = (span_id(), request.elapsed());
            let asks = !matches!(part, Part::Embed | Part::Search);
            Box::new(Span { id, name: name.to_owned(), asks, attributes, begin, end: begin, failed: None })
        });
        Begun { request, part, started: Instant::now(), counted: false, span }
    }))
}

/// A call of a provider's model, by the conventions for generative AI
/// (<https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/>); none of what is said is among the attributes.
pub fn model(part: Part, provider: &str, model: &str) -> Step {
    let mut step = step(part);
    if let Some(span) = step.span() {
        (span.name, span.asks) = (format!("{} {model}", span.name), true);
        let operation = part.span().0;
        span.attributes.extend([
            ("gen_ai.operation.name", json!(operation)),
            ("gen_ai.provider.name", json!(well_known(provider))),
            ("gen_ai.request.model", json!(model)),
        ]);
    }
    step
}

/// As the conventions call a provider; one that they do not name keeps its name.
fn well_known(provider: &str) -> &str {
    match provider {
        "gemini" => "gcp.gemini",
        "mistral" => "mistral_ai",
        "xai" => "x_ai",
        other => other,
    }
}

impl Step {
    /// Makes the call, which carries the trace along.
    pub async fn call<T, E: Coded>(&mut self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        // On the heap: a call is large, and so is what it is part of.
        let outcome = Trace::with(self.trace(), Box::pin(work)).await;
        if let Err(error) = &outcome {
            self.failed(error.code());
        }
        outcome
    }

    /// The part that is counted is over; the span goes on.
    pub fn counted(&mut self) {
        if let Some(begun) = self.0.as_mut().filter(|begun| !begun.counted) {
            begun.counted = true;
            begun.count();
        }
    }

    pub fn used(&mut self, used: Used) {
        if let Some(span) = self.span() {
            span.attributes.push(("gen_ai.usage.input_tokens", json!(used.input_tokens)));
            if used.output_tokens > 0 {
                span.attributes.push(("gen_ai.usage.output_tokens", json!(used.output_tokens)));
            }
        }
    }

    /// Why a model stopped.
    pub fn finished(&mut self, reason: &str) {
        if let Some(span) = self.span() {
            span.attributes.push(("gen_ai.response.finish_reasons", json!([reason])));
        }
    }

    pub fn failed(&mut self, code: &'static str) {
        if let Some(span) = self.span() {
            span.failed = Some(code);
        }
    }

    fn span(&mut self) -> Option<&mut Span> {
        self.0.as_mut()?.span.as_deref_mut()
    }

    /// What a call is to carry: this step as its parent, or where nobody keeps spans what the request came with.
    fn trace(&self) -> Option<Trace> {
        let Begun { request, span, .. } = self.0.as_ref()?;
        let context = &request.context;
        let parent = match (span, &context.parent) {
            (Some(span), _) => context.header(span.id),
            (None, Some((_, told))) => told.clone(),
            (None, None) => return None,
        };
        Some(Trace { parent, state: context.state.clone() })
    }
}

/// An error that has a stable name.
pub trait Coded {
    fn code(&self) -> &'static str;
}

impl Coded for docent_llm::Error {
    fn code(&self) -> &'static str {
        docent_llm::Error::code(self)
    }
}

impl Coded for crate::vectors::Failure {
    fn code(&self) -> &'static str {
        crate::vectors::Failure::code(self)
    }
}

impl Begun {
    fn count(&self) {
        let (part, time) = (self.part, self.started.elapsed());
        self.request.note(|facts| {
            facts.times[part as usize] += time;
            facts.trips += u32::from(part == Part::Db);
        });
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.counted {
            self.count();
        }
        let Some(mut span) = self.span.take() else { return };
        span.end = self.request.elapsed();
        if self.part != Part::Connect || span.end - span.begin >= INSTANT {
            self.request.note(|facts| {
                if facts.spans.len() < MOST_SPANS {
                    facts.spans.push(*span);
                }
            });
        }
    }
}

/// Round trips of one connection: from the first statement that is sent until nothing is waited for any more. What is
/// sent together counts once, as it does at the wire.
#[derive(Default)]
pub struct Trips {
    open: AtomicUsize,
    trip: Mutex<Option<Step>>,
}

/// A statement that was sent and not answered yet.
#[must_use]
pub struct Waiting<'t>(&'t Trips);

impl Trips {
    pub fn wait(&self) -> Waiting<'_> {
        if self.open.fetch_add(1, Ordering::Relaxed) == 0 {
            *self.trip.lock().unwrap_or_else(PoisonError::into_inner) = Some(step(Part::Db));
        }
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::Relaxed) == 1 {
            drop(self.0.trip.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
