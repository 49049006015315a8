//! The only layer stack: request id, catch-panic, body limit, one log line, problem+json for everything that fails,
//! compression, and the headers that every answer carries.

pub mod answers;
mod body;
mod compress;
mod cors;
mod create;
mod extract;
mod invocation;
pub mod list;
mod notes;
#[cfg(feature = "openapi")]
pub mod openapi;
mod problem;
pub mod sse;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

#[cfg(not(feature = "openapi"))]
pub use axum::{
    Router,
    routing::{delete, get, patch, post, put},
};
pub use compress::{LEAST_COMPRESSED, compressed};
pub use create::{Create, Created, IDEMPOTENCY_REPLAYED};
pub use extract::{Json, Path, PlatformId, Query, RequestId, bytes};
pub use invocation::{EndsAt, Invocation, waiting};
pub use notes::{ClientAddress, Notes, Peer};
#[cfg(feature = "openapi")]
pub use openapi::{Router, delete, get, patch, post, put};
pub use problem::Problem;
#[cfg(feature = "openapi")]
pub use problem::problem_schema;

use crate::config::Front;
use crate::error::{Error, Kind};
use crate::telemetry::{self, Arrival, Telemetry};
use crate::{App, Tasks, limits};
use body::Observed;

/// JSON bodies larger than this are refused with 413; files go to the bucket, not through a function
/// (Vercel's own ceiling is 4.5 MB).
pub const BODY_LIMIT: usize = 1024 * 1024;

/// For addresses that take a few short fields: keys, tokens, bots, caps.
pub const SMALL_BODY_LIMIT: usize = 64 * 1024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");
/// Of the draft for the trace context's second level; `traceparent` itself is a request's header.
const TRACE_RESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// The routes before it take small bodies only.
pub fn small_bodies() -> DefaultBodyLimit {
    DefaultBodyLimit::max(SMALL_BODY_LIMIT)
}

/// What stands before the rooms.
#[derive(Clone)]
struct Entrance {
    front: Arc<Front>,
    telemetry: Telemetry,
    /// Of the process; an invocation may bring its own.
    tasks: Tasks,
}

/// Wraps a router's rooms once. Every door (Vercel, Lambda, plain HTTP) serves exactly this.
pub fn service(router: axum::Router, app: &App) -> axum::Router {
    let App { front, telemetry, tasks, .. } = app.clone();
    let router = router
        .fallback(|| async { Problem::from(Error::new(Kind::NotFound, "There is nothing at this address.")) })
        .method_not_allowed_fallback(|| async {
            Problem::from(Error::new(Kind::MethodNotAllowed, "This address does not take that method."))
        })
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(CatchPanicLayer::custom(panicked));
    compressed(router).layer(from_fn_with_state(Entrance { front, telemetry, tasks }, observe))
}

/// Gives the request its id, has it told when it is over, makes the id part of a failure's body, and sets the common
/// headers.
async fn observe(State(entrance): State<Entrance>, mut request: Request, next: Next) -> Response {
    let Entrance { front, telemetry, tasks } = entrance;
    let id = RequestId::of(request.headers(), request.extensions());
    let route = request.extensions().get::<MatchedPath>().map_or("", |path| path.as_str()).to_owned();
    let method = request.method().clone();
    let arrival = Arrival { id: id.as_str().to_owned(), method: telemetry::known(&method), route };
    let tasks = request.extensions().get::<Tasks>().cloned().unwrap_or(tasks);
    let observed = telemetry.request(arrival, request.headers(), tasks);
    let origin = request.headers().get(header::ORIGIN).cloned();
    let openai = request.uri().path().starts_with("/v1/");
    let notes = Notes::default();
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| Peer(peer.ip()));
    let peer = request.extensions().get::<Peer>().copied().or(connection);
    let address = ClientAddress::of(request.headers(), peer, &front);
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(notes.clone());
    request.extensions_mut().insert(address);
    let mut response = match cors::is_preflight(&method, request.headers()) {
        true => {
            (StatusCode::NO_CONTENT, cors::preflight(request.uri().path(), request.headers(), &front)).into_response()
        }
        false => {
            let response = telemetry::within(observed.clone(), next.run(request)).await;
            let mut response = named(response, (&id, openai), &observed);
            let sheet = notes.read();
            cors::readable(origin.as_ref(), sheet.origin, &front, response.headers_mut());
            for (name, value) in sheet.standing.iter().flat_map(limits::headers) {
                response.headers_mut().insert(name, value);
            }
            response
        }
    };
    observed.head(response.status().as_u16());
    for (name, value) in
        [(REQUEST_ID, id.as_str()), (SERVER_TIMING, &observed.timing()), (TRACE_RESPONSE, &observed.trace())]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    protect(response.headers_mut());
    response.map(|body| Body::new(Observed::new(observed, body)))
}

/// A failure's body with the request's id in it.
fn named(mut response: Response, (id, openai): (&RequestId, bool), observed: &telemetry::Request) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else { return response };
    let (code, cause) = problem.told();
    observed.failed(code, cause);
    let allow = response.headers_mut().remove(header::ALLOW);
    let mut response = problem.with_id(id, openai).into_response();
    response.extensions_mut().remove::<Problem>();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// What an answer of an API needs in a browser: nothing is guessed, framed, or kept (OWASP REST security cheat sheet).
fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What belongs to one tenant must not lie in a shared cache.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    // A panic over a piece of text quotes the text, which is somebody's.
    let text = text.split('`').next().unwrap_or_default();
    Problem::from(Error::internal(format!("panic: {text}"))).into_response()
}
