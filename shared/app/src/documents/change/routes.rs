//! `/api/documents/{id}` for its keeper: PATCH, versions, restore, redrive.

use axum::extract::{FromRef, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Change;
use crate::App;
use crate::auth::{May, Read, Write};
use crate::documents::versions::Version;
use crate::documents::wire::DocumentWire;
use crate::documents::{metadata, versions};
use crate::error::Result;
use crate::http::answers::Accepted;
use crate::http::{Json, Path, Router, get, patch, post, small_bodies};
use crate::objects::Objects;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    Objects: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/documents/{id}", patch(change_document))
        .route("/api/documents/{id}/versions", get(list_versions))
        .route("/api/documents/{id}/restore", post(restore_version))
        .route("/api/documents/{id}/redrive", post(redrive_document))
        .layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DocumentChange")]
struct ChangeWire {
    /// Absent and null are different: null gives the title back to the bytes.
    #[serde(default, deserialize_with = "present")]
    title: Option<Option<String>>,
    collection_id: Option<Uuid>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RestoreWire {
    version: i32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RestoredWire {
    document_id: Uuid,
    version: i32,
}

#[derive(Serialize, JsonSchema)]
struct VersionsWire {
    versions: Vec<VersionWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct VersionWire {
    version: i32,
    size: i64,
    content_type: Option<String>,
    sha256: Option<String>,
    received_at: Option<Timestamp>,
    created_at: Timestamp,
    restores: Option<i32>,
    current: bool,
}

impl From<Version> for VersionWire {
    fn from(version: Version) -> VersionWire {
        VersionWire {
            version: version.number,
            size: version.size,
            content_type: version.content_type,
            sha256: version.sha256.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect()),
            received_at: version.received_at,
            created_at: version.created_at,
            restores: version.restores,
            current: version.current,
        }
    }
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

async fn change_document(
    State(app): State<App>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
    Json(wire): Json<ChangeWire>,
) -> Result<Json<DocumentWire>> {
    let metadata = wire.metadata.map(metadata::check).transpose()?;
    let change = Change { title: wire.title, collection: wire.collection_id, metadata };
    Ok(Json(super::change(&app, caller.tenant, id, &change).await?.into()))
}

async fn list_versions(State(app): State<App>, caller: May<Read>, Path(id): Path<Uuid>) -> Result<Json<VersionsWire>> {
    let versions = versions::list(&app, caller.tenant, id).await?;
    Ok(Json(VersionsWire { versions: versions.into_iter().map(VersionWire::from).collect() }))
}

async fn restore_version(
    State(app): State<App>,
    State(objects): State<Objects>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
    Json(wire): Json<RestoreWire>,
) -> Result<Accepted<RestoredWire>> {
    let version = versions::restore(&app, &objects, caller.tenant, id, wire.version).await?;
    Ok(Accepted(RestoredWire { document_id: id, version }))
}

async fn redrive_document(
    State(app): State<App>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
) -> Result<Accepted<DocumentWire>> {
    let document = super::redrive(&app, caller.tenant, id).await?;
    Ok(Accepted(document.into()))
}
