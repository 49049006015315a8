//! `/api/upload`: room for bytes, and the word that they are there.

use std::collections::BTreeMap;

use axum::extract::{FromRef, State};
use axum::response::IntoResponse;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Asked, NewDocument, OnDuplicate, PARTS_FROM, Wanted, parts};
use crate::App;
use crate::auth::{May, Write};
use crate::documents::{Status, metadata, version_key};
use crate::error::{Error, Result};
use crate::http::answers::{Accepted, OneOf};
use crate::http::{Create, Created, Json, Path, Router, post};
use crate::limits::idempotency::Once;
use crate::objects::Objects;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    Objects: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/upload", post(create_document))
        .route("/api/upload/{id}/complete", post(complete_document))
        .route("/api/upload/{id}/sign", post(sign_step))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewDocumentWire {
    filename: String,
    content_type: Option<String>,
    /// Bytes.
    #[schemars(range(min = 1))]
    size: u64,
    /// In hexadecimal.
    #[schemars(length(equal = 64))]
    sha256: Option<String>,
    collection_id: Option<Uuid>,
    metadata: Option<Map<String, Value>>,
    #[serde(default)]
    on_duplicate: OnDuplicate,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CreatedWire {
    document_id: Uuid,
    version: i32,
    /// What the file met: nothing of its name, an older version, itself, or something that it should leave alone.
    duplicate: Option<&'static str>,
    /// Absent when no bytes are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    upload: Option<UploadWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct UploadWire {
    method: &'static str,
    url: String,
    headers: BTreeMap<String, String>,
    expires_at: Timestamp,
    /// Whether the file is so large that it should go in parts, signed one by one by POST /api/upload/{id}/sign.
    multipart: bool,
}

/// What @uppy/aws-s3 6 hands to `signRequest`; the key that it names is not listened to.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct SignWire {
    method: String,
    upload_id: Option<String>,
    part_number: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
struct SignedWire {
    url: String,
    key: String,
    headers: BTreeMap<String, String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CompletedWire {
    document_id: Uuid,
    #[schemars(with = "Status")]
    status: &'static str,
}

impl NewDocumentWire {
    fn read(self) -> Result<NewDocument> {
        Ok(NewDocument {
            sha256: self.sha256.as_deref().map(digest).transpose()?,
            metadata: self.metadata.map(metadata::check).transpose()?,
            filename: self.filename,
            content_type: self.content_type,
            size: self.size,
            collection: self.collection_id,
            on_duplicate: self.on_duplicate,
        })
    }
}

async fn create_document(
    State(app): State<App>,
    State(objects): State<Objects>,
    caller: May<Write>,
    Create { new, attempt }: Create<NewDocumentWire>,
) -> Result<OneOf<(Created<CreatedWire>, Json<CreatedWire>)>> {
    let new = new.read()?;
    let (placed, replayed) = super::create(&app, caller.tenant, &new, attempt.as_ref()).await?.read()?;
    let duplicate = match placed.wanted {
        Wanted::New => None,
        Wanted::Version => Some("version"),
        Wanted::Unchanged => Some("unchanged"),
        Wanted::Skipped => Some("skipped"),
    };
    let mut wire = CreatedWire { document_id: placed.document, version: placed.version, duplicate, upload: None };
    if !placed.wanted.bytes() {
        return Ok(Json(wire).into_response().into());
    }
    // Signed anew for a retry: the first signature may have run out.
    let key = version_key(caller.tenant, placed.document, placed.version);
    let signed = super::sign(&app, &objects, &key, &new).await?;
    let headers = signed.headers.into_iter().collect();
    wire.upload = Some(UploadWire {
        method: "PUT",
        url: signed.url,
        headers,
        expires_at: signed.expires_at,
        multipart: new.size >= PARTS_FROM,
    });
    Ok(Created(if replayed { Once::Replayed(wire) } else { Once::Made(wire) }).into_response().into())
}

async fn complete_document(
    State(app): State<App>,
    State(objects): State<Objects>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
) -> Result<Accepted<CompletedWire>> {
    let status = super::complete(&app, &objects, caller.tenant, id).await?.as_str();
    Ok(Accepted(CompletedWire { document_id: id, status }))
}

async fn sign_step(
    State(app): State<App>,
    State(objects): State<Objects>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
    Json(wire): Json<SignWire>,
) -> Result<Json<SignedWire>> {
    let asked = Asked { method: wire.method, upload_id: wire.upload_id, part_number: wire.part_number };
    let (key, signed) = parts::sign(&app, &objects, caller.tenant, id, &asked).await?;
    Ok(Json(SignedWire { url: signed.url, key, headers: signed.headers.into_iter().collect() }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_hexadecimal_digits() {
        assert_eq!(digest(&"0F".repeat(32)).unwrap(), [15; 32]);
        for wrong in ["", "0f", &"g0".repeat(32), &"é".repeat(32), &"0f".repeat(33), &"+1".repeat(32)] {
            assert!(digest(wrong).is_err(), "{wrong}");
        }
    }
}
