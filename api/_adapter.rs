//! Hands an axum router to Vercel's runtime so that every body streams, handlers can reach the platform's
//! wait-until, and an invocation ends only with its body.
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{Router, body::Body, http};
use bytes::Bytes;
use docent::Tasks;
use http_body::Frame;
use http_body_util::BodyExt;
use sync_wrapper::SyncWrapper;
use tokio::sync::oneshot;
use tower::{Service, ServiceExt};
use vercel_runtime::{AppState, Error, Request, Response, ResponseBody};

/// Serves the router until the platform ends the process.
pub async fn serve(router: Router) -> Result<(), Error> {
    vercel_runtime::run(Adapter(router)).await
}

#[derive(Clone)]
struct Adapter(Router);

impl Service<(AppState, Request)> for Adapter {
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (platform, request): (AppState, Request)) -> Self::Future {
        let router = self.0.clone();
        Box::pin(async move {
            // The runtime reports the end of an invocation when the headers are ready, unless work is registered.
            // This work lasts as long as the body, whose sender is dropped with it, finished or not; and then as long as
            // what it left behind.
            let (open, closed) = oneshot::channel::<Infallible>();
            let tasks = Tasks::default();
            let left = tasks.clone();
            platform.wait_until(async move {
                drop(closed.await);
                left.drained().await;
            });

            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(platform);
            parts.extensions.insert(tasks);
            let Ok(response) = router.oneshot(http::Request::from_parts(parts, Body::new(body))).await;

            let (parts, body) = response.into_parts();
            let body = InvocationBody { body: SyncWrapper::new(body), _open: open };
            Ok(Response::from_parts(parts, ResponseBody(body.boxed())))
        })
    }
}

/// The runtime wants a body that is `Sync`, which axum's is not. Its length needs no hint here: axum has set the header.
struct InvocationBody {
    body: SyncWrapper<Body>,
    _open: oneshot::Sender<Infallible>,
}

impl http_body::Body for InvocationBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(self.body.get_mut()).poll_frame(context).map_err(Error::from)
    }
}
