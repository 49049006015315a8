//! A provider that says what it is told to, in OpenAI's dialect: a stamp of its own clock, ticks at a pace, and an end.

use std::convert::Infallible;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Json, State};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Router, http::StatusCode};
use docent::clock::Clock;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::sleep;

use crate::{Outcome, table};

/// How it answers from now on. All pauses are milliseconds.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Manner {
    /// Before the stamp.
    pub first: u64,
    /// Between the stamp and the first tick.
    pub hold: u64,
    pub ticks: usize,
    /// Before each tick; without one they come as fast as they are read.
    pub every: u64,
    /// Behind the last tick.
    pub rest: u64,
    /// It says nothing more after the last tick, and does not end.
    pub silent: bool,
}

/// What a tick says before its number: LiteLLM ends an answer that says the same a hundred times. The space lets it
/// through a filter that waits for the end of a word.
pub const TICK: &str = "tick ";
/// What stands before the two times of a stamp: when the request was read, and when this was written.
pub const STAMP: &str = "stamp ";

type Told = Arc<Mutex<Manner>>;

pub fn run() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        table::line(&format!("http://{}", listener.local_addr()?));
        let router = Router::new()
            .route("/manner", post(behave))
            .route("/v1/models", get(async || Json(json!({ "object": "list", "data": [{ "id": "mock" }] }))))
            .route("/v1/chat/completions", post(answer))
            .with_state(Told::default());
        // Its chunks leave when they are written, as those of any provider do.
        Ok(axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), router).await?)
    })
}

/// Nanoseconds since 1970: the same clock in every process of this machine.
pub fn now() -> i128 {
    Clock::system().now().as_nanosecond()
}

async fn behave(State(told): State<Told>, Json(manner): Json<Manner>) -> StatusCode {
    *told.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    StatusCode::NO_CONTENT
}

async fn answer(State(told): State<Told>, _: Bytes) -> impl IntoResponse {
    let (arrived, manner) = (now(), *told.lock().unwrap_or_else(PoisonError::into_inner));
    let frames = stream::unfold(0, move |step| async move {
        let frame = match step {
            0 => {
                pause(manner.first).await;
                content(&format!("{STAMP}{arrived} {} ok ", now()))
            }
            _ if step <= manner.ticks => {
                pause(if step == 1 { manner.hold + manner.every } else { manner.every }).await;
                content(&format!("{TICK}{step} "))
            }
            _ if manner.silent => pending().await,
            _ if step == manner.ticks + 1 => {
                pause(manner.rest).await;
                end()
            }
            _ => return None,
        };
        Some((Ok::<_, Infallible>(frame), step + 1))
    });
    ([("content-type", "text/event-stream"), ("cache-control", "no-cache")], Body::from_stream(frames))
}

async fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        sleep(Duration::from_millis(milliseconds)).await;
    }
}

fn content(text: &str) -> String {
    frame(&json!([{ "index": 0, "delta": { "content": text }, "logprobs": null, "finish_reason": null }]), &Value::Null)
}

fn end() -> String {
    let last = frame(&json!([{ "index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop" }]), &Value::Null);
    let usage = json!({ "prompt_tokens": 400, "completion_tokens": 10, "total_tokens": 410 });
    last + &frame(&json!([]), &usage) + "data: [DONE]\n\n"
}

fn frame(choices: &Value, usage: &Value) -> String {
    let chunk = json!({
        "id": "chatcmpl-0123456789abcdefghijklmnop", "object": "chat.completion.chunk", "created": 1_795_263_200,
        "model": "mock", "service_tier": "default", "system_fingerprint": "fp_0123456789",
        "choices": choices, "usage": usage,
    });
    format!("data: {chunk}\n\n")
}
