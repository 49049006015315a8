//! `/api/collections`: list and make.

use axum::extract::{FromRef, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Collection, NewCollection};
use crate::App;
use crate::auth::{May, Read, Write};
use crate::error::Result;
use crate::http::{Create, Created, Json, Router, get, small_bodies};
use crate::limits::idempotency;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/api/collections", get(list_collections).post(create_collection)).layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCollectionWire {
    name: String,
    embedding_model: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct CollectionsWire {
    collections: Vec<CollectionWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct CollectionWire {
    id: Uuid,
    name: String,
    embedding_model: String,
    documents: i64,
    created_at: Timestamp,
}

impl From<Collection> for CollectionWire {
    fn from(collection: Collection) -> CollectionWire {
        let Collection { id, name, embedding_model, documents, created_at } = collection;
        CollectionWire { id, name, embedding_model, documents, created_at }
    }
}

async fn list_collections(State(app): State<App>, caller: May<Read>) -> Result<Json<CollectionsWire>> {
    let collections = super::list(&app, caller.tenant).await?;
    Ok(Json(CollectionsWire { collections: collections.into_iter().map(CollectionWire::from).collect() }))
}

async fn create_collection(
    State(app): State<App>,
    caller: May<Write>,
    Create { new, attempt }: Create<NewCollectionWire>,
) -> Result<Created<CollectionWire>> {
    let new = NewCollection { name: new.name, embedding_model: new.embedding_model };
    let tx = app.db.tenant(caller.tenant).await?;
    let create = async { Ok(CollectionWire::from(super::create(&app, &tx, &new).await?)) };
    Ok(Created(idempotency::once(&tx, attempt.as_ref(), create).await?))
}
