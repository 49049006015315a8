//! What a handler may answer beside JSON. Each type says in the handler's signature what its clients get, so that the
//! description of the API needs nothing else.

use std::marker::PhantomData;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::Json;

/// 202: the work goes on behind the answer.
pub struct Accepted<T>(pub T);

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

/// A response that a handler put together itself, and what it may be: one of a tuple's types.
pub struct OneOf<T>(Response, PhantomData<fn() -> T>);

impl<T> From<Response> for OneOf<T> {
    fn from(response: Response) -> OneOf<T> {
        OneOf(response, PhantomData)
    }
}

impl<T> IntoResponse for OneOf<T> {
    fn into_response(self) -> Response {
        self.0
    }
}

/// 200 with server-sent events, whose data is a `T` each.
pub struct EventStream<T>(PhantomData<T>);

/// 204.
pub struct NoContent;

/// 304, for a client that named the version it has in `If-None-Match`; every other answer has an `ETag`.
pub struct NotModified;

/// 200 as `text/markdown`.
pub struct Markdown;

/// 200 or 503 as `application/health+json` (draft-inadarei-api-health-check).
pub struct Health<T>(PhantomData<T>);
