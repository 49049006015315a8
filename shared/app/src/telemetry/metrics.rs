//! Counters and histograms of one process, in Prometheus' text format
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). No label has a value that callers can make up.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use tracing::Level;

use super::facts::Facts;
use super::request::Arrival;

/// In seconds. A stream has its own histogram: how long it lasts is a model's business.
const BUCKETS: [f64; 9] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];

static WARNINGS: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// One line of the log.
pub fn logged(level: Level) {
    match level {
        Level::WARN => WARNINGS.fetch_add(1, Ordering::Relaxed),
        Level::ERROR => ERRORS.fetch_add(1, Ordering::Relaxed),
        _ => 0,
    };
}

/// Nothing is kept where nobody asks for it: see `DOCENT_METRICS_LISTEN`.
#[derive(Default)]
pub struct Metrics(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    requests: BTreeMap<(String, String, u16), u64>,
    seconds: BTreeMap<String, Histogram>,
    first_byte: BTreeMap<String, Histogram>,
    failures: BTreeMap<&'static str, u64>,
    documents: BTreeMap<&'static str, u64>,
    trips: u64,
    database: Duration,
    connecting: Duration,
    input_tokens: u64,
    output_tokens: u64,
    embedded_tokens: u64,
    cost_micros: i64,
}

#[derive(Clone, Default)]
struct Histogram {
    counts: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

/// Connections of the pool, at this moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pool {
    pub most: usize,
    pub open: usize,
    pub idle: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

impl Metrics {
    pub(super) fn request(&self, arrival: &Arrival, facts: &Facts) {
        let mut counts = self.counts();
        let route = || arrival.route.clone();
        // A method that nobody has heard of is a label that callers make up.
        let method = if KNOWN.contains(&arrival.method.as_str()) { arrival.method.as_str() } else { "other" };
        *counts.requests.entry((method.to_owned(), route(), facts.status)).or_default() += 1;
        counts.seconds.entry(route()).or_default().add(facts.end.unwrap_or(facts.head));
        counts.first_byte.entry(route()).or_default().add(facts.first.unwrap_or(facts.head));
        if let Some(code) = facts.code {
            *counts.failures.entry(code).or_default() += 1;
        }
        counts.trips += u64::from(facts.trips);
        counts.database += facts.time(super::Part::Db);
        counts.connecting += facts.time(super::Part::Connect);
        counts.input_tokens += facts.used.input_tokens;
        counts.output_tokens += facts.used.output_tokens;
        counts.embedded_tokens += facts.embedded_tokens;
        counts.cost_micros += facts.cost_micros;
    }

    /// What became of a document that was looked at.
    pub fn document(&self, outcome: &'static str) {
        *self.counts().documents.entry(outcome).or_default() += 1;
    }

    /// All of it, as a page.
    pub fn page(&self, pool: Pool) -> String {
        let counts = self.counts();
        let mut page = Page(String::with_capacity(4096));
        page.family("docent_requests_total", "counter", "Answers by method, route and status.");
        for ((method, route, status), count) in &counts.requests {
            let labels = format!("method=\"{method}\",route=\"{}\",status=\"{status}\"", escaped(route));
            page.sample("docent_requests_total", &labels, *count as f64);
        }
        page.histograms("docent_request_seconds", "Until an answer's last byte.", &counts.seconds);
        page.histograms("docent_first_byte_seconds", "Until an answer's first byte.", &counts.first_byte);
        let by =
            |counts: &BTreeMap<&'static str, u64>| counts.iter().map(|(name, count)| (*name, *count as f64)).collect();
        page.labelled("docent_failures_total", "Failures by their code.", "code", by(&counts.failures));
        page.labelled(
            "docent_documents_total",
            "Documents that were looked at, by outcome.",
            "outcome",
            by(&counts.documents),
        );
        let tokens =
            [("input", counts.input_tokens), ("output", counts.output_tokens), ("embedded", counts.embedded_tokens)];
        let tokens = tokens.into_iter().map(|(kind, count)| (kind, count as f64)).collect();
        page.labelled("docent_tokens_total", "Tokens of requests' calls of models.", "kind", tokens);
        page.single(
            "docent_cost_dollars_total",
            "counter",
            "What they cost by the price table.",
            counts.cost_micros as f64 / 1e6,
        );
        page.single("docent_database_trips_total", "counter", "Round trips to Postgres.", counts.trips as f64);
        page.single("docent_database_seconds_total", "counter", "Time in them.", counts.database.as_secs_f64());
        page.single(
            "docent_connect_seconds_total",
            "counter",
            "Time until a connection was there.",
            counts.connecting.as_secs_f64(),
        );
        let pool = [("most", pool.most), ("open", pool.open), ("idle", pool.idle), ("waiting", pool.waiting)];
        page.family("docent_pool_connections", "gauge", "Connections of this process, and requests that wait for one.");
        for (state, count) in pool {
            page.sample("docent_pool_connections", &format!("state=\"{state}\""), count as f64);
        }
        let lines = [("WARN", &WARNINGS), ("ERROR", &ERRORS)];
        let lines = lines.map(|(level, count)| (level, count.load(Ordering::Relaxed) as f64)).to_vec();
        page.labelled("docent_warnings_total", "Lines of the log that somebody should look at.", "level", lines);
        page.family("docent_build_info", "gauge", "Which program this is.");
        page.sample("docent_build_info", concat!("version=\"", env!("CARGO_PKG_VERSION"), "\""), 1.0);
        page.0
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"];

/// A method as it is told: what nobody has heard of is a word that callers make up, and becomes `_OTHER` as OpenTelemetry
/// has it (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>).
pub fn known(method: &Method) -> Method {
    match KNOWN.contains(&method.as_str()) {
        true => method.clone(),
        false => Method::from_bytes(b"_OTHER").unwrap_or(Method::TRACE),
    }
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        for (count, bound) in self.counts.iter_mut().zip(BUCKETS) {
            *count += u64::from(seconds <= bound);
        }
        self.count += 1;
        self.sum += seconds;
    }
}

/// The text as it grows.
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: f64) {
        let _ = match labels {
            "" => writeln!(self.0, "{name} {value}"),
            labels => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    fn labelled(&mut self, name: &str, help: &str, label: &str, values: Vec<(&str, f64)>) {
        self.family(name, "counter", help);
        for (text, value) in values {
            self.sample(name, &format!("{label}=\"{}\"", escaped(text)), value);
        }
    }

    fn histograms(&mut self, name: &str, help: &str, all: &BTreeMap<String, Histogram>) {
        self.family(name, "histogram", help);
        for (route, histogram) in all {
            let route = format!("route=\"{}\"", escaped(route));
            for (count, bound) in histogram.counts.iter().zip(BUCKETS) {
                self.sample(&format!("{name}_bucket"), &format!("{route},le=\"{bound}\""), *count as f64);
            }
            self.sample(&format!("{name}_bucket"), &format!("{route},le=\"+Inf\""), histogram.count as f64);
            self.sample(&format!("{name}_sum"), &route, histogram.sum);
            self.sample(&format!("{name}_count"), &route, histogram.count as f64);
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn a_page_holds_what_was_counted_in_the_form_that_is_documented() {
        let metrics = Metrics::default();
        let arrival = |method, route: &str| Arrival { id: String::new(), method, route: route.to_owned() };
        let facts = |seconds: f64, status| {
            let end = Some(Duration::from_secs_f64(seconds));
            Facts { status, end, trips: 2, cost_micros: 1_500_000, ..Facts::default() }
        };
        metrics.request(&arrival(Method::GET, "/api/bots/{id}"), &facts(0.05, 200));
        metrics.request(&arrival(Method::GET, "/api/bots/{id}"), &facts(0.051, 200));
        metrics.request(&arrival(Method::from_bytes(b"BREW").unwrap(), "a\"b\\c\nd"), &facts(31.0, 405));
        metrics.document("ready");
        let page = metrics.page(Pool { most: 4, open: 3, idle: 2, waiting: 1 });
        for line in [
            "# TYPE docent_requests_total counter",
            "docent_requests_total{method=\"GET\",route=\"/api/bots/{id}\",status=\"200\"} 2",
            "docent_requests_total{method=\"other\",route=\"a\\\"b\\\\c\\nd\",status=\"405\"} 1",
            "docent_request_seconds_bucket{route=\"/api/bots/{id}\",le=\"0.05\"} 1",
            "docent_request_seconds_bucket{route=\"/api/bots/{id}\",le=\"0.1\"} 2",
            "docent_request_seconds_bucket{route=\"/api/bots/{id}\",le=\"+Inf\"} 2",
            "docent_request_seconds_bucket{route=\"a\\\"b\\\\c\\nd\",le=\"30\"} 0",
            "docent_request_seconds_count{route=\"a\\\"b\\\\c\\nd\"} 1",
            "docent_database_trips_total 6",
            "docent_cost_dollars_total 4.5",
            "docent_documents_total{outcome=\"ready\"} 1",
            "docent_pool_connections{state=\"waiting\"} 1",
        ] {
            assert!(page.lines().any(|written| written == line), "{line}\n{page}");
        }
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (_, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
