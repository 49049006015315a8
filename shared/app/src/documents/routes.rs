//! `/api/upload` and `/api/documents`.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::{Stream, StreamExt, future, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::watch::{Update, updates};
use super::{Cursor, Document, NewDocument, Status};
use crate::App;
use crate::auth::{May, Read, Write};
use crate::error::{Error, Result};
use crate::http::{Create, Created, Json, Path, Query, sse};
use crate::limits::idempotency::Once;
use crate::objects::Objects;

pub const DEFAULT_PAGE: i64 = 50;
pub const LONGEST_PAGE: i64 = 200;

/// How soon a client whose stream ended early comes back, in milliseconds.
const RETRY_MILLIS: u32 = 1000;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    Objects: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/upload", post(create_document))
        .route("/api/upload/{id}/complete", post(complete_document))
        .route("/api/documents", get(list_documents))
        .route("/api/documents/{id}", get(find_document).delete(delete_document))
        .route("/api/documents/{id}/events", get(watch_document))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewDocumentWire {
    filename: String,
    content_type: Option<String>,
    size: u64,
    sha256: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CreatedWire {
    document_id: Uuid,
    upload: UploadWire,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UploadWire {
    method: &'static str,
    url: String,
    headers: std::collections::BTreeMap<String, String>,
    expires_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CompletedWire {
    document_id: Uuid,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentsWire {
    documents: Vec<DocumentWire>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentWire {
    id: Uuid,
    filename: String,
    title: Option<String>,
    content_type: Option<String>,
    size: i64,
    status: &'static str,
    progress: ProgressWire,
    pages: Option<i32>,
    chunks: i32,
    error: Option<FailureWire>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct ProgressWire {
    done: i32,
    total: i32,
}

#[derive(Serialize)]
struct FailureWire {
    code: String,
    message: String,
    hint: String,
}

#[derive(Deserialize)]
struct PageWire {
    limit: Option<i64>,
    cursor: Option<String>,
}

impl From<Document> for DocumentWire {
    fn from(document: Document) -> DocumentWire {
        let error = document.failure.map(|failure| FailureWire {
            code: failure.code,
            message: failure.message,
            hint: failure.hint,
        });
        DocumentWire {
            id: document.id,
            filename: document.filename,
            title: document.title,
            content_type: document.content_type,
            size: document.size,
            status: document.status.as_str(),
            progress: ProgressWire { done: document.stored, total: document.planned },
            pages: document.pages,
            chunks: document.stored,
            error,
            created_at: document.created_at,
            updated_at: document.updated_at,
        }
    }
}

async fn create_document(
    State(app): State<App>,
    State(objects): State<Objects>,
    caller: May<Write>,
    Create { new, attempt }: Create<NewDocumentWire>,
) -> Result<Created<CreatedWire, CreatedWire>> {
    let sha256 = new.sha256.as_deref().map(digest).transpose()?;
    let new = NewDocument { filename: new.filename, content_type: new.content_type, size: new.size, sha256 };
    let (document_id, replayed) = super::create(&app, caller.tenant, &new, attempt.as_ref()).await?.read()?;
    // Signed anew for a retry: the first signature may have run out.
    let signed = super::sign(&app, &objects, caller.tenant, document_id, &new).await?;
    let headers = signed.headers.into_iter().collect();
    let upload = UploadWire { method: "PUT", url: signed.url, headers, expires_at: signed.expires_at };
    let wire = CreatedWire { document_id, upload };
    Ok(Created(if replayed { Once::Replayed(wire) } else { Once::Made(wire) }))
}

async fn complete_document(
    State(app): State<App>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<CompletedWire>)> {
    let status = super::complete(&app, caller.tenant, id).await?.as_str();
    Ok((StatusCode::ACCEPTED, Json(CompletedWire { document_id: id, status })))
}

async fn list_documents(
    State(app): State<App>,
    caller: May<Read>,
    Query(page): Query<PageWire>,
) -> Result<Json<DocumentsWire>> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=LONGEST_PAGE).contains(&limit) {
        return Err(Error::invalid(format!("`limit` is a number from 1 to {LONGEST_PAGE}.")));
    }
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let (documents, next) = super::list(&app, caller.tenant, after, limit).await?;
    let documents = documents.into_iter().map(DocumentWire::from).collect();
    Ok(Json(DocumentsWire { documents, next_cursor: next.map(write_cursor) }))
}

async fn find_document(
    State(app): State<App>,
    caller: May<Read>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Response> {
    let document = super::find(&app, caller.tenant, id).await?;
    if document.status == Status::Deleted {
        return Err(Error::not_found("document"));
    }
    let etag = format!("\"{}\"", document.version());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let unchanged = known.is_some_and(|tags| {
        tags.split(',').any(|tag| matches!(tag.trim().trim_start_matches("W/"), tag if tag == etag || tag == "*"))
    });
    let mut response = match unchanged {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => Json(DocumentWire::from(document)).into_response(),
    };
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
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
) -> Result<Response> {
    let document = super::find(&app, caller.tenant, id).await?;
    let seen = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if app.limits.buffered_progress {
        return Ok(sse::response(snapshot(document)));
    }
    Ok(sse::response(updates(app, caller.tenant, document, seen).map(frame)))
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

fn digest(hex: &str) -> Result<[u8; 32]> {
    let wrong = || Error::invalid("`sha256` holds 64 hexadecimal digits.");
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(hash)
}

fn write_cursor(cursor: Cursor) -> String {
    let mut bytes = cursor.created_at.as_microsecond().to_be_bytes().to_vec();
    bytes.extend_from_slice(cursor.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

fn read_cursor(text: &str) -> Result<Cursor> {
    let wrong =
        || Error::invalid("`cursor` is not one of ours.").hint("Send the `nextCursor` of the page before, unchanged.");
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
    let (micros, id) = bytes.split_first_chunk::<8>().ok_or_else(wrong)?;
    let created_at = Timestamp::from_microsecond(i64::from_be_bytes(*micros)).map_err(|_| wrong())?;
    Ok(Cursor { created_at, id: Uuid::from_slice(id).map_err(|_| wrong())? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was_and_nothing_else_passes() {
        let cursor =
            Cursor { created_at: Timestamp::from_microsecond(1_772_000_000_123_456).unwrap(), id: Uuid::from_u128(7) };
        assert_eq!(read_cursor(&write_cursor(cursor)).unwrap(), cursor);
        for wrong in ["", "x", "AAAA", &"A".repeat(64), "null", "~~"] {
            assert_eq!(read_cursor(wrong).unwrap_err().code(), "invalid_request", "{wrong}");
        }
    }

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        assert_eq!(digest(&"0F".repeat(32)).unwrap(), [15; 32]);
        for wrong in ["", "0f", &"g0".repeat(32), &"é".repeat(32), &"0f".repeat(33), &"+1".repeat(32)] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
