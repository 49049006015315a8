//! A reader's end of the log: what was logged, byte for byte, and then what comes, until the answer is over.

use std::time::Duration;

use futures_util::{Stream, stream};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::App;
use crate::auth::TenantId;
use crate::chat::store::log::{self, Place, Seen};
use crate::chat::ui_stream::{Chunk, DONE};
use crate::error::{Error, Kind, Result};

/// How soon a follower looks for more, and how late when nothing comes. No connection is held in between.
const POLL: Duration = Duration::from_millis(200);
const POLL_SLOWLY: Duration = Duration::from_millis(600);

/// What a producer in this process may take to say that its time is over.
const GRACE: Duration = Duration::from_secs(1);

pub struct Reader {
    app: App,
    tenant: TenantId,
    place: Place,
    until: Instant,
    /// Straight from the producer, as long as both keep up.
    live: Option<mpsc::Receiver<String>>,
    /// The number of the batch that comes next.
    next: i32,
    over: bool,
}

impl Reader {
    /// From the beginning, for an answer that is made somewhere.
    pub fn new(app: App, tenant: TenantId, place: Place, until: Instant) -> Reader {
        Reader { app, tenant, place, until, live: None, next: 0, over: false }
    }

    /// For whoever has the producer in the same process.
    pub fn with_live(self, batches: mpsc::Receiver<String>) -> Reader {
        Reader { live: Some(batches), ..self }
    }

    /// Ends with a terminal frame, whatever becomes of the producer.
    pub fn frames(self) -> impl Stream<Item = String> + Send + 'static {
        stream::unfold(self, |mut reader| async move { Some((reader.more().await?, reader)) })
    }

    async fn more(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        if let Some(live) = &mut self.live {
            match timeout_at(self.until + GRACE, live.recv()).await.ok().flatten() {
                Some(batch) => {
                    self.next += 1;
                    self.over = batch.ends_with(DONE);
                    return Some(batch);
                }
                // The producer is done, or found us too slow: the log knows.
                None => self.live = None,
            }
        }
        let mut pause = POLL;
        loop {
            if Instant::now() >= self.until {
                return Some(self.end(&still_going()));
            }
            match self.look().await {
                Ok(Some(frames)) => return Some(frames),
                Ok(None) => {}
                // The producer may go on all the same; the time is limited in any case.
                Err(error) => tracing::warn!(cause = ?error, "chat.log cannot be read"),
            }
            sleep(pause).await;
            pause = (pause + POLL / 4).min(POLL_SLOWLY);
        }
    }

    async fn look(&mut self) -> Result<Option<String>> {
        let Some(seen) = self.read(self.next).await? else { return Ok(Some(self.end(&lost()))) };
        if !seen.frames.is_empty() {
            self.next = seen.next;
            self.over = seen.frames.ends_with(DONE);
            return Ok(Some(seen.frames));
        }
        match seen.state.as_str() {
            "streaming" if seen.lapsed => self.lose().await.map(|()| None),
            "streaming" => Ok(None),
            _ => {
                tracing::warn!(message = %self.place.message, code = seen.error_code, "chat.log ends without an end");
                Ok(Some(self.end(&lost())))
            }
        }
    }

    async fn read(&self, from: i32) -> Result<Option<Seen>> {
        let tx = self.app.db.tenant(self.tenant).await?;
        tx.finish(log::read(&tx, self.place, from)).await
    }

    /// Nobody else is left to store what was said. What it cost nobody knows: the sweep settles the reservation.
    async fn lose(&self) -> Result<()> {
        let text = self.read(0).await?.map(|seen| text(&seen.frames)).unwrap_or_default();
        let tx = self.app.db.tenant(self.tenant).await?;
        tx.finish(log::lose(&tx, self.place, &text, lost().code())).await
    }

    fn end(&mut self, error: &Error) -> String {
        self.over = true;
        Chunk::error(error).frame() + DONE
    }
}

fn lost() -> Error {
    Error::new(Kind::ProducerLost, "The process that made this answer is gone.")
}

fn still_going() -> Error {
    Error::new(Kind::Deadline, "The answer is still being made, and this request took as long as one may.")
        .hint("Read on with GET /api/chat/{id}/stream.")
}

/// The text that frames of the log show.
fn text(frames: &str) -> String {
    let chunks = frames.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let deltas = chunks.filter(|chunk| chunk["type"] == "text-delta");
    deltas.filter_map(|chunk| chunk["delta"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ui_stream::TEXT;

    #[test]
    fn the_text_of_a_log_is_what_was_shown() {
        let frames = Chunk::StartStep.frame()
            + &Chunk::TextDelta { id: TEXT, delta: "a\n\n" }.frame()
            + &Chunk::TextDelta { id: TEXT, delta: "\"b\" data: ü" }.frame()
            + &Chunk::error(&lost()).frame()
            + DONE;
        assert_eq!(text(&frames), "a\n\n\"b\" data: ü");
        assert_eq!(text(""), "");
    }
}
