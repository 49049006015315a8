//! A body that creates something, and the `Idempotency-Key` that keeps a retry from creating it twice.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Json, bytes};
use crate::error::Error;
use crate::limits::idempotency::{Attempt, Once};

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `true` on an answer that an earlier request was given.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A JSON body of a creating call.
pub struct Create<T> {
    pub new: T,
    /// Present when the client sent a key.
    pub attempt: Option<Attempt>,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Create<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let mut keys = request.headers().get_all(IDEMPOTENCY_KEY).iter();
        let Some(key) = keys.next() else {
            let Json(new) = Json::<T>::from_request(request, state).await?;
            return Ok(Create { new, attempt: None });
        };
        if keys.next().is_some() {
            return Err(Error::invalid("There is more than one `Idempotency-Key`."));
        }
        let (key, address) = (key.clone(), format!("{} {}", request.method(), request.uri().path()));
        let (parts, body) = request.into_parts();
        let bytes = bytes(Request::from_parts(parts.clone(), body), state).await?;
        let attempt = Attempt::new(key.as_bytes(), &address, &bytes)?;
        let Json(new) = Json::<T>::from_request(Request::from_parts(parts, Body::from(bytes)), state).await?;
        Ok(Create { new, attempt: Some(attempt) })
    }
}

/// What a creating call answers.
pub struct Created<T, K = Value>(pub Once<T, K>);

impl<T: Serialize, K: Serialize> IntoResponse for Created<T, K> {
    fn into_response(self) -> Response {
        match self.0 {
            Once::Made(made) => (StatusCode::CREATED, Json(made)).into_response(),
            Once::Replayed(kept) => {
                let replayed = [(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"))];
                (StatusCode::CREATED, replayed, Json(kept)).into_response()
            }
        }
    }
}
