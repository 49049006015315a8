//! An answer's body, watched until its end: a stream is over when its last byte is sent, not when it begins.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::telemetry::{Request, polled};

/// Everything that the body does belongs to its request, and so does what it leaves to do when it is dropped.
pub struct Observed {
    request: Arc<Request>,
    body: Body,
    over: bool,
}

impl Observed {
    pub fn new(request: Arc<Request>, body: Body) -> Observed {
        Observed { request, body, over: false }
    }
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Observed { request, body, over } = &mut *self;
        let frame = polled(request, || Pin::new(body).poll_frame(context));
        match &frame {
            Poll::Ready(Some(Ok(_))) => request.sent(),
            Poll::Ready(_) => {
                *over = true;
                request.ended(false);
            }
            Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        // What has a length is sent in one piece, and need not be asked for its end.
        let left = !self.over && !self.body.is_end_stream() && self.body.size_hint().exact().is_none();
        self.request.ended(left);
        let body = std::mem::take(&mut self.body);
        polled(&self.request, move || drop(body));
    }
}
