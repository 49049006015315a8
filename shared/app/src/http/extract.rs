//! axum's extractors, with refusals that say what was wrong in problem+json.

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::error::{Error, Kind};

/// A JSON body, in or out.
pub struct Json<T>(pub T);

/// The parts of a path.
pub struct Path<T>(pub T);

/// The parameters after the question mark.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        check_charset(request.headers())?;
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Json(value)),
            Err(rejection) => Err(refused(rejection)),
        }
    }
}

/// JSON is UTF-8 (RFC 8259 §8.1); anything else would be read wrongly rather than refused.
fn check_charset(headers: &HeaderMap) -> Result<(), Error> {
    let declared = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let charset = declared.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let charset =
        charset.filter(|(name, _)| name.eq_ignore_ascii_case("charset")).map(|(_, value)| value.trim_matches('"'));
    for charset in charset {
        if !charset.eq_ignore_ascii_case("utf-8") && !charset.eq_ignore_ascii_case("us-ascii") {
            return Err(Error::new(Kind::UnsupportedType, "The body's charset is not UTF-8.")
                .hint("Send JSON in UTF-8, with `content-type: application/json`."));
        }
    }
    Ok(())
}

fn refused(rejection: JsonRejection) -> Error {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Error::new(Kind::PayloadTooLarge, "The body is larger than this address takes.")
                .hint("Files go through POST /api/upload, straight to the bucket.")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Error::new(Kind::UnsupportedType, "The body must be JSON.").hint("Send `content-type: application/json`.")
        }
        _ => Error::invalid(format!("The body is not what this address takes: {}", rejection.body_text())),
    }
}

/// A body as it came, for who looks at its bytes before anything is read of them.
pub async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(Kind::PayloadTooLarge, "The body is larger than this takes."),
        _ => Error::invalid("The body did not arrive whole."),
    })
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        // A malformed id cannot name anything, so it is "not there" rather than "not allowed".
        path.map(|axum::extract::Path(value)| Path(value)).map_err(|_: PathRejection| Error::not_found("resource"))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|axum::extract::Query(value)| Query(value))
            .map_err(|rejection: QueryRejection| Error::invalid(rejection.body_text()))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// What a platform calls one invocation, put into the request's extensions by a door that knows.
#[derive(Clone, Debug)]
pub struct PlatformId(pub String);

/// The id that a request carries from door to log: the caller's `x-request-id` when it is a plain one, else what the
/// platform calls it in its own logs, else ours.
#[derive(Clone, Debug)]
pub struct RequestId(String);

/// Longer ids are replaced: they would only fill logs.
const LONGEST_ID: usize = 64;

impl RequestId {
    pub(super) fn of(headers: &HeaderMap, extensions: &Extensions) -> RequestId {
        let plain = |text: &&str| {
            (1..=LONGEST_ID).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        };
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(plain);
        let platform = || extensions.get::<PlatformId>().map(|PlatformId(id)| id.as_str()).filter(plain);
        let given = header("x-request-id").or_else(platform).or_else(|| header("x-vercel-id"));
        RequestId(given.map_or_else(|| Clock::system().uuid().simple().to_string(), str::to_owned))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .unwrap_or_else(|| RequestId::of(&parts.headers, &parts.extensions)))
    }
}
