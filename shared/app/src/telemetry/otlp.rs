//! Spans in OTLP's JSON over HTTP (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>): ids in hexadecimal, 64-bit
//! numbers as strings. The encoding is a page; the SDK for it would be most of a small function's binary.

use std::time::Duration;

use docent_llm::Reports;
use serde_json::{Value, json};

use super::facts::{Facts, hashed};
use super::outbox::Outbox;
use super::request::Request;
use super::step::Span;
use crate::Tasks;
use crate::config::Traces;

/// Spans of one post; collectors take some megabytes.
const AT_ONCE: usize = 512;

const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
const CLIENT: u8 = 3;
const FAILED: u8 = 2;

/// Where spans go.
pub struct Spans(Outbox);

impl Spans {
    pub fn new(config: Traces) -> Spans {
        let reports = Reports::new(config.url, config.headers, "application/json");
        let resource: Vec<Value> = config.resource.iter().map(|(key, value)| attribute(key, &json!(value))).collect();
        let wrap = move |spans| {
            let scope = json!({ "name": "docent", "version": env!("CARGO_PKG_VERSION") });
            let scoped = json!([{ "scope": scope, "spans": Value::Array(spans) }]);
            let all = json!({ "resourceSpans": [{ "resource": { "attributes": resource }, "scopeSpans": scoped }] });
            all.to_string().into_bytes()
        };
        Spans(Outbox::new("otlp", reports, AT_ONCE, wrap))
    }

    /// A request's own span, and its steps below it.
    pub fn request(&self, request: &Request, mut facts: Facts, tasks: &Tasks) {
        let steps = std::mem::take(&mut facts.spans);
        let steps = steps.into_iter().map(|span| step(request, &span));
        let all: Vec<Value> = std::iter::once(server(request, &facts)).chain(steps).collect();
        self.0.put(all, tasks);
    }
}

fn server(request: &Request, facts: &Facts) -> Value {
    let (arrival, context) = (&request.arrival, &request.context);
    let known = [
        ("http.request.method", Some(json!(arrival.method.as_str()))),
        ("http.route", Some(json!(arrival.route))),
        ("http.response.status_code", Some(json!(facts.status))),
        ("error.type", facts.code.map(|code| json!(code))),
        ("docent.request_id", Some(json!(arrival.id))),
        ("docent.tenant", facts.tenant.as_ref().map(|tenant| json!(tenant))),
        ("docent.caller", facts.caller.map(|caller| json!(caller))),
        ("docent.bot", facts.bot.map(|bot| json!(hashed(bot)))),
        ("docent.cost_micros", Some(facts.cost_micros).filter(|micros| *micros > 0).map(|micros| json!(micros))),
        ("faas.coldstart", request.cold.then_some(json!(true))),
    ];
    let attributes: Vec<(&str, Value)> = known.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    // A client's mistake is no failure of the server (semantic conventions for HTTP spans).
    let failed = facts.code.filter(|_| facts.status >= 500 || facts.status < 400);
    let mut span = json!({
        "spanId": format!("{:016x}", context.span),
        "name": format!("{} {}", arrival.method, arrival.route),
        "kind": SERVER,
    });
    if let Some((parent, _)) = context.parent {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    whole(span, request, (Duration::ZERO, facts.end.unwrap_or_default()), (&attributes, failed))
}

fn step(request: &Request, step: &Span) -> Value {
    let span = json!({
        "spanId": format!("{:016x}", step.id),
        "parentSpanId": format!("{:016x}", request.context.span),
        "name": step.name,
        "kind": if step.asks { CLIENT } else { INTERNAL },
    });
    let mut attributes = step.attributes.clone();
    attributes.extend(step.failed.map(|code| ("error.type", json!(code))));
    whole(span, request, (step.begin, step.end), (&attributes, step.failed))
}

fn whole(
    mut span: Value,
    request: &Request,
    (begin, end): (Duration, Duration),
    (attributes, failed): (&[(&'static str, Value)], Option<&str>),
) -> Value {
    let started = request.started_at.as_nanosecond();
    let nanos = |since: Duration| (started + i128::try_from(since.as_nanos()).unwrap_or_default()).to_string();
    span["traceId"] = json!(format!("{:032x}", request.context.trace));
    if let Some(state) = &request.context.state {
        span["traceState"] = json!(state);
    }
    span["startTimeUnixNano"] = json!(nanos(begin));
    span["endTimeUnixNano"] = json!(nanos(end));
    span["attributes"] = attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    if let Some(code) = failed {
        span["status"] = json!({ "code": FAILED, "message": code });
    }
    span
}

fn attribute(key: &str, value: &Value) -> Value {
    let value = match value {
        Value::Bool(_) => json!({ "boolValue": value }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": value }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Array(values) => {
            json!({ "arrayValue": { "values": values.iter().map(|one| json!({ "stringValue": one })).collect::<Vec<_>>() } })
        }
        other => json!({ "stringValue": other }),
    };
    json!({ "key": key, "value": value })
}
