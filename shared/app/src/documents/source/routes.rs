//! `POST /api/documents` with an address, and `POST /api/documents/{id}/refresh`.

use axum::extract::{FromRef, State};
use docent_llm::Url;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::NewSource;
use crate::App;
use crate::auth::{May, Write};
use crate::documents::wire::DocumentWire;
use crate::documents::{find, metadata};
use crate::error::{Error, Result};
use crate::http::answers::Accepted;
use crate::http::{Create, Created, Path, Router, post, small_bodies};
use crate::limits::idempotency::Once;

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/documents", post(create_source))
        .route("/api/documents/{id}/refresh", post(refresh_document))
        .layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewSourceWire {
    url: String,
    filename: Option<String>,
    collection_id: Option<Uuid>,
    metadata: Option<Map<String, Value>>,
}

async fn create_source(
    State(app): State<App>,
    caller: May<Write>,
    Create { new, attempt }: Create<NewSourceWire>,
) -> Result<Created<DocumentWire, DocumentWire>> {
    let url = Url::parse(&new.url).map_err(|cause| Error::invalid("`url` is not an address.").because(cause))?;
    let metadata = new.metadata.map(metadata::check).transpose()?;
    let new = NewSource { url, filename: new.filename, collection: new.collection_id, metadata };
    let (id, replayed) = super::create(&app, caller.tenant, &new, attempt.as_ref()).await?.read()?;
    let wire = DocumentWire::from(find(&app, caller.tenant, id).await?);
    Ok(Created(if replayed { Once::Replayed(wire) } else { Once::Made(wire) }))
}

async fn refresh_document(
    State(app): State<App>,
    caller: May<Write>,
    Path(id): Path<Uuid>,
) -> Result<Accepted<DocumentWire>> {
    Ok(Accepted(super::refresh(&app, caller.tenant, id).await?.into()))
}
