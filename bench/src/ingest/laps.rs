//! Where the time of an ingestion went, as the system itself logs it.

use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The event that ends a document's way.
const BUILT: &str = "ingest.document built, in milliseconds";

/// Milliseconds of the steps of one document.
#[derive(Clone, Copy, Debug, Default)]
pub struct Laps {
    /// Parsed and cut, in one pass.
    pub read: f64,
    /// Collected into batches.
    pub gather: f64,
    pub embed: f64,
    pub store: f64,
}

/// Every document's, in the order in which they became ready.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Laps>>>);

impl Log {
    /// Listens from now on, instead of writing lines.
    pub fn listen() -> Log {
        let log = Log::default();
        let _ = tracing_subscriber::registry().with(LevelFilter::INFO).with(log.clone()).try_init();
        log
    }

    pub fn last(&self) -> Option<Laps> {
        self.0.lock().ok()?.last().copied()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        if let (true, Ok(mut all)) = (fields.built, self.0.lock()) {
            all.push(fields.laps);
        }
    }
}

#[derive(Default)]
struct Fields {
    laps: Laps,
    built: bool,
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        match field.name() {
            "read" => self.laps.read = value,
            "gather" => self.laps.gather = value,
            "embed" => self.laps.embed = value,
            "store" => self.laps.store = value,
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.built = format!("{value:?}") == BUILT;
        }
    }
}
