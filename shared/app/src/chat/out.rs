//! Where an answer goes while it is made: to a client in one of the dialects, or nowhere before it is whole.

use std::sync::Arc;

use super::log::Pending;
use super::openai::{Completion, Response};
use super::ui_stream::{Chunk, DONE};
use crate::http::sse::Frames;

pub enum Out {
    UiStream(Frames),
    Completion(Completion, Frames),
    Response(Response, Frames),
    /// Into the log, and from there to whoever reads.
    Logged(Arc<Pending>),
    /// For those who wait for all of it.
    Nowhere,
}

impl Out {
    pub async fn send(&self, chunk: Chunk<'_>) {
        match self {
            Out::UiStream(frames) => frames.send(chunk.frame()).await,
            Out::Logged(pending) => pending.push(&chunk.frame()),
            Out::Completion(completion, frames) => {
                for frame in completion.frames(&chunk) {
                    frames.send(frame).await;
                }
            }
            Out::Response(response, frames) => {
                for frame in response.frames(&chunk) {
                    frames.send(frame).await;
                }
            }
            Out::Nowhere => {}
        }
    }

    /// What ends a stream, after its terminal chunk; that of a response has no other end than that.
    pub async fn done(&self) {
        if let Out::UiStream(frames) | Out::Completion(_, frames) = self {
            frames.send(DONE.to_owned()).await;
        }
    }
}
