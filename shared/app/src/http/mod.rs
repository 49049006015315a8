//! The only layer stack: request id, catch-panic, body limit, one log line, problem+json for everything that fails.

mod extract;
mod problem;
pub mod sse;

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};

pub use extract::{Json, Path, Query, RequestId};
pub use problem::Problem;

use crate::error::{Error, Kind};

/// JSON bodies larger than this are refused with 413; files go to the bucket, not through a function
/// (Vercel's own ceiling is 4.5 MB).
pub const BODY_LIMIT: usize = 1024 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a router's rooms once. Every door (Vercel, Lambda, plain HTTP) serves exactly this.
pub fn service(router: Router) -> Router {
    router
        .fallback(|| async { Problem::from(Error::new(Kind::NotFound, "There is nothing at this address.")) })
        .method_not_allowed_fallback(|| async {
            Problem::from(Error::new(Kind::MethodNotAllowed, "This address does not take that method."))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(observe))
        .layer(cors())
}

/// Tokens travel in a header, never in a cookie, so any origin may ask; what it may see is decided by its token.
fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::any())
        .allow_methods(AllowMethods::list([
            axum::http::Method::GET,
            axum::http::Method::POST,
            axum::http::Method::PUT,
            axum::http::Method::PATCH,
            axum::http::Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::list([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_NONE_MATCH,
            REQUEST_ID,
        ]))
        .expose_headers([REQUEST_ID, header::ETAG, header::RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(600))
}

/// Gives the request its id, logs one line, and makes the id part of a failure's body.
async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or("", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.with_id(&id).into_response();
        response.extensions_mut().remove::<Problem>();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, millis) = (response.status().as_u16(), started.elapsed().as_millis() as u64);
    tracing::info!(request_id = id.as_str(), %method, route, status, millis, "http.request answered");
    response
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Problem::from(Error::internal(format!("panic: {text}"))).into_response()
}
