//! The producer's end of the log: frames gather for a moment, are logged in one statement, and only then are sent.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, sleep_until};

use super::lease::BEATS;
use crate::App;
use crate::auth::TenantId;
use crate::chat::store::log::{self, Batch, Heard, Place};
use crate::error::{Error, Result};

/// How long frames gather after the first, which goes at once: a statement for each word would cost more than it tells.
const GATHER: Duration = Duration::from_millis(50);
/// Between two tries at a database that does not answer.
const AGAIN: Duration = Duration::from_millis(200);
/// Batches that may wait for a slow client; one that is slower reads the log instead.
const WAITING: usize = 64;

/// Why a producer must end early.
#[derive(Debug)]
pub enum Halt {
    /// It was asked to.
    Stopped,
    /// It counted as lost, or another answer took its place: nobody waits for this one.
    Over,
    /// Nothing can be logged, so nothing may be sent.
    Failed(Error),
}

/// Frames that are said and not logged yet.
#[derive(Default)]
pub struct Pending {
    state: Mutex<State>,
    changed: Notify,
    halted: Notify,
}

#[derive(Default)]
struct State {
    frames: String,
    /// Nothing comes any more.
    closed: bool,
    halt: Option<Halt>,
}

impl Pending {
    /// Never waits: an answer's length is limited, and with it what gathers here.
    pub fn push(&self, frame: &str) {
        self.state().frames.push_str(frame);
        self.changed.notify_one();
    }

    pub fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Ends when the answer must.
    pub async fn halted(&self) -> Halt {
        loop {
            if let Some(halt) = self.state().halt.take() {
                return halt;
            }
            self.halted.notified().await;
        }
    }

    /// One that came too late to end the answer early. Whoever asked for a stop of what is complete gets it complete.
    pub fn late_halt(&self) -> Option<Halt> {
        self.state().halt.take().filter(|halt| !matches!(halt, Halt::Stopped))
    }

    fn halt(&self, halt: Halt) {
        self.state().halt = Some(halt);
        self.halted.notify_one();
    }

    fn take(&self) -> (String, bool) {
        let mut state = self.state();
        (std::mem::take(&mut state.frames), state.closed)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub struct Writer {
    app: App,
    tenant: TenantId,
    place: Place,
    /// Of the next batch.
    sequence: i32,
    /// The client that asked, as long as it keeps up.
    client: Option<mpsc::Sender<String>>,
}

impl Writer {
    pub fn new(app: &App, tenant: TenantId, place: Place) -> (Writer, mpsc::Receiver<String>) {
        let (client, batches) = mpsc::channel(WAITING);
        (Writer { app: app.clone(), tenant, place, sequence: 0, client: Some(client) }, batches)
    }

    /// Logs and sends what gathers until nothing comes any more.
    pub async fn run(&mut self, pending: &Pending) {
        let lease = self.app.limits.answers.lease;
        let mut flushed: Option<Instant> = None;
        loop {
            tokio::select! {
                () = pending.changed.notified() => {}
                () = sleep(lease / BEATS) => {}
            }
            if let Some(flushed) = flushed {
                sleep_until(flushed + GATHER).await;
            }
            let (frames, closed) = pending.take();
            if closed && frames.is_empty() {
                return;
            }
            flushed = Some(Instant::now());
            match self.append(Batch { sequence: self.sequence, frames }, lease).await {
                Ok(Heard::GoOn) => {}
                Ok(Heard::Stop) => pending.halt(Halt::Stopped),
                Ok(Heard::Over) => return pending.halt(Halt::Over),
                Err(error) => return pending.halt(Halt::Failed(error)),
            }
            if closed {
                return;
            }
        }
    }

    /// Tries as long as the lease lasts: afterwards the answer is somebody else's to end.
    async fn append(&mut self, batch: Batch, lease: Duration) -> Result<Heard> {
        let until = Instant::now() + lease;
        loop {
            match self.append_once(&batch, lease).await {
                Ok(Heard::Over) => return Ok(Heard::Over),
                Ok(heard) => {
                    if !batch.frames.is_empty() {
                        self.sequence += 1;
                        self.send(batch.frames);
                    }
                    return Ok(heard);
                }
                Err(error) if Instant::now() < until => {
                    tracing::warn!(cause = ?error, "chat.log waits for the database")
                }
                Err(error) => return Err(error),
            }
            sleep(AGAIN).await;
        }
    }

    async fn append_once(&self, batch: &Batch, lease: Duration) -> Result<Heard> {
        let tx = self.app.db.tenant(self.tenant).await?;
        tx.finish(log::append(&tx, self.place, batch, lease)).await
    }

    /// What ends the stream, to be logged with the answer's end.
    pub fn tail(&self, frames: String) -> Batch {
        Batch { sequence: self.sequence, frames }
    }

    /// Sends what is logged. A client that is gone or slow gets no more from here.
    pub fn send(&mut self, frames: String) {
        if self.client.as_ref().is_some_and(|client| client.try_send(frames).is_err()) {
            self.client = None;
        }
    }
}
