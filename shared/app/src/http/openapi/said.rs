//! What each argument and each answer of a handler adds to its description.

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;

use super::Draft;
use crate::error::Error;
use crate::http::answers::{Accepted, EventStream, Health, Markdown, NoContent, NotModified, OneOf};
use crate::http::{ClientAddress, Create, Created, Invocation, Json, Path, Query, RequestId};

/// An extractor.
pub trait Argument {
    /// Nothing, for what takes no more of a request than every request has.
    fn describe(_draft: &mut Draft<'_>) {}
}

/// What a handler gives back.
pub trait Answer {
    fn describe(draft: &mut Draft<'_>);
}

impl<T> Argument for State<T> {}
impl Argument for HeaderMap {}
impl Argument for RequestId {}
impl Argument for Invocation {}
impl Argument for ClientAddress {}

/// An argument whose refusal the handler itself looks at.
impl<T: Argument> Argument for Result<T, Error> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

impl<T: JsonSchema> Argument for Path<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.path::<T>();
        draft.fails(&[StatusCode::NOT_FOUND]);
    }
}

impl<T: JsonSchema> Argument for Query<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.query::<T>();
        draft.fails(&[StatusCode::BAD_REQUEST]);
    }
}

impl<T: JsonSchema> Argument for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.body::<T>();
        draft.fails(&[StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    }
}

impl<T: JsonSchema> Argument for Create<T> {
    fn describe(draft: &mut Draft<'_>) {
        <Json<T> as Argument>::describe(draft);
        draft.header("Idempotency-Key", "1 to 255 visible ASCII characters: the same with each retry of this request.");
        draft.fails(&[StatusCode::CONFLICT, StatusCode::UNPROCESSABLE_ENTITY]);
    }
}

impl<T: Answer> Answer for Result<T, Error> {
    fn describe(draft: &mut Draft<'_>) {
        T::describe(draft);
    }
}

impl<T: JsonSchema> Answer for Json<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers_with::<T>(StatusCode::OK, "application/json");
    }
}

impl<T: JsonSchema, K> Answer for Created<T, K> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers_with::<T>(StatusCode::CREATED, "application/json");
    }
}

impl<T: JsonSchema> Answer for Accepted<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers_with::<T>(StatusCode::ACCEPTED, "application/json");
    }
}

impl Answer for NoContent {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers(StatusCode::NO_CONTENT);
    }
}

/// A handler that answers with a status alone has nothing to show.
impl Answer for StatusCode {
    fn describe(draft: &mut Draft<'_>) {
        NoContent::describe(draft);
    }
}

impl Answer for NotModified {
    fn describe(draft: &mut Draft<'_>) {
        draft.header("If-None-Match", "The `ETag` of the version that is already there.");
        draft.answers(StatusCode::NOT_MODIFIED);
    }
}

impl<T: JsonSchema> Answer for EventStream<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.streams::<T>();
    }
}

impl Answer for Markdown {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers_with::<String>(StatusCode::OK, "text/markdown");
    }
}

impl<T: JsonSchema> Answer for Health<T> {
    fn describe(draft: &mut Draft<'_>) {
        draft.answers_with::<T>(StatusCode::OK, "application/health+json");
        draft.answers_with::<T>(StatusCode::SERVICE_UNAVAILABLE, "application/health+json");
    }
}

macro_rules! one_of {
    ($($one:ident)+) => {
        impl<$($one: Answer),+> Answer for OneOf<($($one,)+)> {
            fn describe(draft: &mut Draft<'_>) {
                $($one::describe(draft);)+
            }
        }
    };
}

one_of!(A);
one_of!(A B);
