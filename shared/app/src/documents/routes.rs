//! `/api/documents`: lists, one document, its progress, its end.

use axum::extract::{FromRef, State};
use axum::response::IntoResponse;
use futures_util::{Stream, StreamExt, future, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::watch::{Update, updates};
use super::wire::DocumentWire;
use super::{Document, Filter, Status, metadata};
use crate::App;
use crate::auth::{May, Read, Write};
use crate::error::{Error, Result};
use crate::http::answers::{EventStream, NotModified, OneOf};
use crate::http::list::{Cursor, LONGEST_PAGE, limit, unchanged};
use crate::http::{Json, Path, Query, Router, get, sse};
use crate::objects::Objects;

/// How soon a client whose stream ended early comes back, in milliseconds.
const RETRY_MILLIS: u32 = 1000;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    Objects: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/documents", get(list_documents))
        .route("/api/documents/{id}", get(find_document).delete(delete_document))
        .route("/api/documents/{id}/events", get(watch_document))
        .merge(super::upload::routes::router())
        .merge(super::change::routes::router())
        .merge(super::collections::routes::router())
        .merge(super::migration::routes::router())
        .merge(super::source::routes::router())
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DocumentsWire {
    documents: Vec<DocumentWire>,
    next_cursor: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct PageWire {
    #[schemars(range(min = 1, max = LONGEST_PAGE))]
    limit: Option<i64>,
    cursor: Option<String>,
    /// One or several, separated by commas.
    status: Option<String>,
    collection_id: Option<Uuid>,
    name: Option<String>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
    /// A JSON object of entries that must be there.
    metadata: Option<String>,
}

impl PageWire {
    fn filter(&self) -> Result<Filter> {
        let statuses = self.status.as_deref().unwrap_or_default().split(',').filter(|word| !word.is_empty());
        let status = |word: &str| {
            let known = Status::ALL.into_iter().find(|status| status.as_str() == word && *status != Status::Deleted);
            known.ok_or_else(|| {
                Error::invalid("`status` names one of uploading, queued, parsing, embedding, ready and failed.")
            })
        };
        let metadata = self.metadata.as_deref().map(|text| {
            let wrong = |_| Error::invalid("`metadata` is a JSON object, such as {\"team\":\"legal\"}.");
            metadata::check(serde_json::from_str(text).map_err(wrong)?)
        });
        let name = self.name.clone().filter(|name| !name.is_empty());
        if name.as_ref().is_some_and(|name| name.chars().count() > super::name::LONGEST_NAME) {
            return Err(Error::invalid(format!("`name` holds at most {} characters.", super::name::LONGEST_NAME)));
        }
        Ok(Filter {
            statuses: statuses.map(status).collect::<Result<_>>()?,
            collection: self.collection_id,
            name,
            created_after: self.created_after,
            created_before: self.created_before,
            metadata: metadata.transpose()?,
        })
    }
}

async fn list_documents(
    State(app): State<App>,
    caller: May<Read>,
    Query(page): Query<PageWire>,
) -> Result<Json<DocumentsWire>> {
    let limit = limit(page.limit)?;
    let after = page.cursor.as_deref().map(Cursor::read).transpose()?;
    let (documents, next) = super::list(&app, caller.tenant, &page.filter()?, after, limit).await?;
    let documents = documents.into_iter().map(DocumentWire::from).collect();
    Ok(Json(DocumentsWire { documents, next_cursor: next.map(Cursor::write) }))
}

async fn find_document(
    State(app): State<App>,
    caller: May<Read>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<OneOf<(Json<DocumentWire>, NotModified)>> {
    let document = super::find(&app, caller.tenant, id).await?;
    if document.status == Status::Deleted {
        return Err(Error::not_found("document"));
    }
    let etag = format!("\"{}\"", document.version());
    let mut response = match unchanged(&headers, &etag) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(DocumentWire::from(document)).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response.into())
}

async fn delete_document(State(app): State<App>, caller: May<Write>, Path(id): Path<Uuid>) -> Result<StatusCode> {
    super::delete(&app, caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn watch_document(
    State(app): State<App>,
    caller: May<Read>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<OneOf<(EventStream<DocumentWire>,)>> {
    let document = super::find(&app, caller.tenant, id).await?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if app.limits.buffered_progress {
        return Ok(sse::response(snapshot(document)).into());
    }
    Ok(sse::response(updates(app, caller.tenant, document, seen).map(frame)).into())
}

/// Where answers are buffered, one status and when to ask again.
fn snapshot(document: Document) -> impl Stream<Item = String> + Send {
    let settled = document.status.settled();
    let again = (!settled).then_some(Update::ComeBack);
    stream::iter([Some(Update::Status(Box::new(document))), again]).filter_map(future::ready).map(frame)
}

/// <https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation>
fn frame(update: Update) -> String {
    match update {
        Update::ComeBack => format!("retry: {RETRY_MILLIS}\n\n"),
        Update::Status(document) => {
            let version = document.version();
            let data = serde_json::to_string(&DocumentWire::from(*document)).unwrap_or_default();
            format!("id: {version}\nevent: status\ndata: {data}\n\n")
        }
    }
}
