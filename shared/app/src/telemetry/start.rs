//! Logs: one JSON object per line on standard error, readable alone and searchable by field.

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::metrics;
use crate::config::Environment;

/// Installs the subscriber once; a second call changes nothing. `LOG_LEVEL` is off, error, warn, info (default),
/// debug or trace. A panic is a line, too.
pub fn start(environment: &Environment) {
    let level = environment.get("LOG_LEVEL").and_then(|text| text.parse().ok()).unwrap_or(LevelFilter::INFO);
    let lines = fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_target(false)
        .with_writer(std::io::stderr);
    if tracing_subscriber::registry().with(level).with(lines).with(Counted).try_init().is_ok() {
        // A panic over a piece of text quotes the text, which is somebody's. Where it was is enough to find it.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            tracing::error!(place, "panicked");
        }));
    }
}

/// Counts the lines that somebody should look at.
struct Counted;

impl<S: Subscriber> Layer<S> for Counted {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        metrics::logged(*event.metadata().level());
    }
}
