//! What is to be sent to somebody who listens: gathered while the last post is under way, and sent by a task of the
//! invocation that brought it, which the platform waits for. Nothing runs and nothing is connected in between.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use docent_llm::Reports;
use serde_json::Value;

use crate::Tasks;

/// What waits while a receiver is slow; more is thrown away, because memory is worth more than a report.
pub const MOST_WAITING: usize = 4096;

/// How long a receiver that failed is left alone.
pub const REST: Duration = Duration::from_secs(30);

/// Cheap to clone.
#[derive(Clone)]
pub struct Outbox(Arc<Shared>);

struct Shared {
    name: &'static str,
    reports: Reports,
    /// How many one post may hold, and how it is written.
    at_once: usize,
    wrap: Box<dyn Fn(Vec<Value>) -> Vec<u8> + Send + Sync>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Value>,
    sending: bool,
    /// The last post failed, which was said.
    failing: bool,
    lost: usize,
    /// Until then nobody tries: whoever is down holds up one invocation, not each.
    rests: Option<Instant>,
}

impl Queue {
    fn rest(&mut self, lost: usize) {
        self.lost += lost + self.waiting.len();
        self.waiting.clear();
        self.rests = Some(Instant::now() + REST);
    }
}

impl Outbox {
    pub fn new(
        name: &'static str,
        reports: Reports,
        at_once: usize,
        wrap: impl Fn(Vec<Value>) -> Vec<u8> + Send + Sync + 'static,
    ) -> Outbox {
        Outbox(Arc::new(Shared { name, reports, at_once, wrap: Box::new(wrap), queue: Mutex::default() }))
    }

    /// Has it sent by a task, unless one is at it. Outside of a runtime, where the process ends, it is lost.
    pub fn put(&self, items: impl IntoIterator<Item = Value>, tasks: &Tasks) {
        let mut queue = self.queue();
        if queue.rests.is_some_and(|until| Instant::now() < until) {
            queue.lost += items.into_iter().count();
            return;
        }
        queue.waiting.extend(items);
        let over = queue.waiting.len().saturating_sub(MOST_WAITING);
        queue.waiting.truncate(MOST_WAITING);
        queue.lost += over;
        let idle = !queue.sending && !queue.waiting.is_empty() && tokio::runtime::Handle::try_current().is_ok();
        if idle {
            queue.sending = true;
            drop(queue);
            let sending = Sending(self.clone());
            drop(tasks.run(async move { sending.empty().await }));
        }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Said once until it works again: a receiver that is down must not fill the log.
    fn told(&self, failure: Option<String>) {
        let mut queue = self.queue();
        let was = std::mem::replace(&mut queue.failing, failure.is_some());
        if let (Some(cause), false) = (failure, was) {
            tracing::warn!(receiver = self.0.name, cause, "telemetry.report failed; what was to be told is lost");
        }
        if !queue.failing && queue.lost > 0 {
            let lost = std::mem::take(&mut queue.lost);
            tracing::warn!(receiver = self.0.name, lost, "telemetry.report threw away what it could not send");
        }
    }
}

/// Whoever is at it; also a task that is dropped half way makes place for the next.
struct Sending(Outbox);

impl Sending {
    async fn empty(self) {
        let Outbox(shared) = &self.0;
        loop {
            let batch: Vec<Value> = {
                let mut queue = self.0.queue();
                let most = queue.waiting.len().min(shared.at_once);
                if most == 0 {
                    // In the same breath, so that whoever comes now begins anew.
                    queue.sending = false;
                    return;
                }
                queue.waiting.drain(..most).collect()
            };
            let count = batch.len();
            let failure = match shared.reports.send((shared.wrap)(batch)).await {
                Ok(200..=299) => None,
                Ok(status) => Some(format!("it answered {status}")),
                Err(error) => Some(error.to_string()),
            };
            let failed = failure.is_some();
            self.0.told(failure);
            if failed {
                self.0.queue().rest(count);
                return;
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.queue().sending = false;
    }
}
