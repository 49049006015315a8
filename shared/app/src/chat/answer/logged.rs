//! A resumable answer: its producer is a task that the platform waits for, and its clients read what is logged.

use std::sync::Arc;

use futures_util::future::join;
use serde_json::json;

use super::ending::{Ending, Open};
use super::{Ask, Prepared};
use crate::chat::log::{Halt, Pending, Reader, Writer};
use crate::chat::out::Out;
use crate::chat::ui_stream::{Chunk, DONE};
use crate::error::Result;

/// Why nothing more is said.
enum Outcome {
    Told(Result<()>),
    Halted(Halt),
}

impl Prepared {
    /// Makes the answer in a task. Whoever leaves its reader leaves nothing but the reader.
    pub(super) fn produce(self, request_id: String) -> Reader {
        let Prepared { ask, open, .. } = self;
        let (writer, batches) = Writer::new(&ask.app, open.tenant(), open.place());
        let reader = Reader::new(ask.app.clone(), open.tenant(), open.place(), ask.until).with_live(batches);
        let tasks = ask.app.tasks.clone();
        drop(tasks.run(produce(ask, open, writer, request_id)));
        reader
    }
}

async fn produce(ask: Ask, mut open: Open, mut writer: Writer, request_id: String) {
    let pending = Arc::new(Pending::default());
    let out = Out::Logged(pending.clone());
    let metadata = json!({ "requestId": request_id, "answerer": ask.label(open.said()) });
    out.send(Chunk::Start { message_id: open.place().message, message_metadata: metadata }).await;
    out.send(Chunk::StartStep).await;
    let telling = async {
        let outcome = tokio::select! {
            told = ask.within(&out, open.said()) => Outcome::Told(told),
            halt = pending.halted() => Outcome::Halted(halt),
        };
        pending.close();
        outcome
    };
    let (outcome, ()) = join(telling, writer.run(&pending)).await;
    let outcome = match pending.late_halt() {
        Some(halt) => Outcome::Halted(halt),
        None => outcome,
    };
    let (ending, tail) = match outcome {
        Outcome::Told(Ok(())) => {
            let said = open.said();
            let metadata = json!({ "usage": said.usage_wire(), "answerer": ask.label(said) });
            let finish = Chunk::Finish { finish_reason: said.reason, message_metadata: metadata };
            (Ending::of(&Ok(()), said), Some(Chunk::FinishStep.frame() + &finish.frame()))
        }
        Outcome::Told(Err(error)) | Outcome::Halted(Halt::Failed(error)) => {
            tracing::warn!(request_id, cause = ?error, "chat.answer failed");
            (Ending::failed(&error), Some(Chunk::error(&error).frame()))
        }
        Outcome::Halted(Halt::Stopped) => (Ending::STOPPED, Some(Chunk::Abort.frame())),
        Outcome::Halted(Halt::Over) => (Ending::LOST, None),
    };
    let tail = tail.map(|frames| writer.tail(frames + DONE));
    if open.close_logged(ending, tail.clone()).await {
        // Its own client need not look it up.
        tail.into_iter().for_each(|tail| writer.send(tail.frames));
    }
}
