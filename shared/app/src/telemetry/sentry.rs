//! Failures of ours, told to Sentry or to what speaks its protocol: one event in an envelope for each
//! (<https://develop.sentry.dev/sdk/foundations/transport/envelopes/>).

use docent_llm::Reports;
use serde_json::{Value, json};
use uuid::Uuid;

use super::facts::Facts;
use super::outbox::Outbox;
use super::request::Request;
use crate::Tasks;
use crate::clock::Clock;
use crate::config;
use crate::error::Error;

const RELEASE: &str = concat!("docent@", env!("CARGO_PKG_VERSION"));

pub struct Sentry {
    outbox: Outbox,
    environment: Option<String>,
}

impl Sentry {
    pub fn new(config: config::Sentry) -> Sentry {
        let reports = Reports::new(config.url, vec![config.auth], "application/x-sentry-envelope");
        Sentry { outbox: Outbox::new("sentry", reports, 1, envelope), environment: config.environment }
    }

    /// A request that failed through no fault of its caller's.
    pub fn request(&self, request: &Request, facts: &Facts, tasks: &Tasks) {
        if let (Some(code), Some(cause)) = (facts.code, &facts.cause) {
            self.outbox.put([self.failed(request, facts, (code, cause))], tasks);
        }
    }

    /// A document that could not be looked at.
    pub fn document(&self, error: &Error, tasks: &Tasks) {
        if error.is_ours() {
            self.outbox.put([self.event("ingest.document", error.code(), &format!("{error:?}"))], tasks);
        }
    }

    fn failed(&self, request: &Request, facts: &Facts, (code, cause): (&str, &str)) -> Value {
        let (arrival, context) = (&request.arrival, &request.context);
        let mut event = self.event("http.request", code, cause);
        event["transaction"] = json!(format!("{} {}", arrival.method, arrival.route));
        event["contexts"]["trace"] =
            json!({ "trace_id": format!("{:032x}", context.trace), "span_id": format!("{:016x}", context.span) });
        event["tags"]["status"] = json!(facts.status.to_string());
        event["tags"]["request_id"] = json!(arrival.id);
        if let Some(tenant) = &facts.tenant {
            event["tags"]["tenant"] = json!(tenant);
        }
        event
    }

    fn event(&self, logger: &str, code: &str, cause: &str) -> Value {
        let mut event = json!({
            "event_id": Clock::system().uuid().simple().to_string(),
            "timestamp": Clock::system().now(),
            "platform": "other",
            "level": "error",
            "logger": logger,
            "release": RELEASE,
            "exception": { "values": [{ "type": code, "value": cause }] },
            "tags": { "code": code },
        });
        if let Some(environment) = &self.environment {
            event["environment"] = json!(environment);
        }
        event
    }
}

/// Three lines of JSON: the envelope's head, the item's, and the event, whose length in bytes the item's tells.
fn envelope(events: Vec<Value>) -> Vec<u8> {
    let mut text = String::new();
    for event in events {
        let payload = event.to_string();
        let id = event["event_id"].as_str().and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_default();
        let head = json!({ "event_id": id.simple().to_string(), "sent_at": Clock::system().now() });
        let item = json!({ "type": "event", "content_type": "application/json", "length": payload.len() });
        text.push_str(&format!("{head}\n{item}\n{payload}\n"));
    }
    text.into_bytes()
}
