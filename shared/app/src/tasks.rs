//! Work that outlives the request it began in: counted, so that whoever freezes or ends the process waits for it.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::instrument::WithSubscriber;

use crate::telemetry::carried;

/// A set of running tasks; clones share it. Each ends within its answer's time, so waiting for them ends, too.
///
/// A server waits at its shutdown. A function's platform is told to wait for one invocation's own set, which its adapter
/// puts into the request's extensions: a task that nobody waits for dies when the instance freezes.
#[derive(Clone, Debug, Default)]
pub struct Tasks(Arc<watch::Sender<usize>>);

impl Tasks {
    /// Runs the work whether or not somebody waits for what it gives.
    #[expect(clippy::disallowed_methods, reason = "this is the set that the platform's wait-until waits for")]
    pub fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        let running = Running::new(self.0.clone());
        // On the heap before it goes through further hands: an answer's whole making is one future.
        let work = carried(Box::pin(work));
        tokio::spawn(
            async move {
                let _running = running;
                work.await
            }
            .with_current_subscriber(),
        )
    }

    /// Ends when nothing runs any more.
    pub async fn drained(&self) {
        // The sender lives in `self`, so there is always somebody to wait for.
        let _ = self.0.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// Counted as long as it lives, so that a task that panics or is aborted does not stay in the count.
struct Running(Arc<watch::Sender<usize>>);

impl Running {
    fn new(count: Arc<watch::Sender<usize>>) -> Running {
        count.send_modify(|running| *running += 1);
        Running(count)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running = running.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_set_is_drained_when_its_last_task_ended_however_it_did() {
        let tasks = Tasks::default();
        tasks.drained().await;
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let waiting = tasks.run(async move { wait.await.is_ok() });
        let panicking = tasks.clone().run(async { panic!("as told") });
        assert!(panicking.await.is_err());
        let forgotten = tasks.run(std::future::pending::<()>());
        forgotten.abort();
        assert!(forgotten.await.is_err());
        assert!(tasks.drained().now_or_never().is_none(), "one still waits");
        go.send(()).unwrap();
        assert!(waiting.await.unwrap());
        tasks.drained().await;
    }
}
