//! Failures as `application/problem+json` (RFC 9457), with a stable code, a next step and the request's id.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::RequestId;
use crate::error::{Error, Kind};

/// An error on its way out. The layer stack fills in the request's id.
#[derive(Clone)]
pub struct Problem {
    error: Arc<Error>,
    request_id: Option<RequestId>,
    openai: bool,
}

/// What went wrong (RFC 9457), with a next step.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
struct Wire<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    /// Stable; clients may match on it.
    #[schemars(schema_with = "codes")]
    code: &'a str,
    /// The next step.
    hint: &'a str,
    /// Whether the same request may succeed later without being changed.
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// Of `/v1` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<OpenAiWire<'a>>,
}

fn codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": Kind::all().iter().map(Kind::code).collect::<BTreeSet<_>>() })
}

/// A failure's schema, for the description of the API.
#[cfg(feature = "openapi")]
pub fn problem_schema(schemas: &mut super::openapi::Schemas) -> Schema {
    schemas.answered.subschema_for::<Wire<'_>>()
}

/// What the OpenAI SDKs read of a failure; they look at nothing else in the body.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenAiError")]
struct OpenAiWire<'a> {
    /// All that the SDKs show: the next step belongs to it.
    message: String,
    #[serde(rename = "type")]
    kind: &'static str,
    param: Option<&'a str>,
    code: &'a str,
}

impl<'a> OpenAiWire<'a> {
    fn of(error: &'a Error) -> OpenAiWire<'a> {
        let kind = match error.status().as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..500 => "invalid_request_error",
            _ => "api_error",
        };
        OpenAiWire { message: format!("{} {}", error.detail, error.hint), kind, param: None, code: error.code() }
    }
}

impl Problem {
    /// Its code; and the cause, where it is ours to mend.
    pub(super) fn told(&self) -> (&'static str, Option<String>) {
        (self.error.code(), self.error.is_ours().then(|| format!("{:?}", self.error)))
    }

    pub(super) fn with_id(mut self, id: &RequestId, openai: bool) -> Problem {
        self.request_id = Some(id.clone());
        self.openai = openai;
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem { error: Arc::new(error), request_id: None, openai: false }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let error = &self.error;
        let status = error.status();
        if let Some(id) = &self.request_id
            && status.is_server_error()
        {
            tracing::error!(request_id = id.as_str(), code = error.code(), cause = ?error, "http.request failed");
        }
        let wire = Wire {
            kind: format!("urn:docent:error:{}", error.code()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &error.detail,
            code: error.code(),
            hint: &error.hint,
            retryable: error.retryable(),
            request_id: self.request_id.as_ref().map(RequestId::as_str),
            error: self.openai.then(|| OpenAiWire::of(error)),
        };
        let body = serde_json::to_vec(&wire).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let unavailable = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        if let Some(seconds) = error.retry_after.or(unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
