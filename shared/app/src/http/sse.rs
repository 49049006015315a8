//! Server-sent events: headers that keep proxies from buffering, and comments that keep connections alive.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, header};

/// Proxies close a silent connection after 30 to 60 seconds; a comment every 15 keeps ours open.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Answers with frames as they come; a comment opens the stream at once, and others fill its silences.
pub fn response(frames: impl Stream<Item = String> + Send + 'static) -> Response {
    let opening = stream::once(async { ": stream-open\n\n".to_owned() });
    let body = opening.chain(kept_alive(frames)).map(|frame| Ok::<_, std::convert::Infallible>(Bytes::from(frame)));
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

fn kept_alive(frames: impl Stream<Item = String> + Send + 'static) -> impl Stream<Item = String> + Send {
    stream::unfold(Box::pin(frames), |mut frames| async move {
        match tokio::time::timeout(KEEP_ALIVE, frames.next()).await {
            Ok(frame) => frame.map(|frame| (frame, frames)),
            Err(_) => Some((": keep-alive\n\n".to_owned(), frames)),
        }
    })
}

/// Where a producer puts its frames.
#[derive(Clone)]
pub struct Frames(tokio::sync::mpsc::Sender<String>);

impl Frames {
    /// Waits when the client reads slowly; a client that left makes this a no-op until the producer is dropped.
    pub async fn send(&self, frame: String) {
        let _ = self.0.send(frame).await;
    }
}

/// A few frames may wait for a slow reader; more would only hold memory.
const WAITING: usize = 16;

/// Runs a producer inside its own stream: it lives exactly as long as somebody reads, and needs no task of its own.
pub fn produce<F>(work: impl FnOnce(Frames) -> F) -> impl Stream<Item = String> + Send + 'static
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, mut receiver) = tokio::sync::mpsc::channel(WAITING);
    let frames = stream::poll_fn(move |context| receiver.poll_recv(context));
    let driver = stream::once(work(Frames(sender))).filter_map(|()| async { None });
    stream::select(frames, driver)
}
