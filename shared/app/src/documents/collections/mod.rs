//! Collections: where documents stand, each with the one embedding model of its documents.

pub(super) mod routes;

use jiff::Timestamp;
use uuid::Uuid;

use super::store;
use crate::App;
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::keys;

/// Collections of one tenant.
pub const MOST_COLLECTIONS: i64 = 100;
/// Characters of a collection's name and of its model's; the schema knows them too.
pub const LONGEST_NAME: usize = 200;

#[derive(Clone, Debug)]
pub struct Collection {
    pub id: Uuid,
    pub name: String,
    pub embedding_model: String,
    pub documents: i64,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct NewCollection {
    pub name: String,
    /// That of the tenant's first collection when none is named.
    pub embedding_model: Option<String>,
}

pub async fn list(app: &App, tenant: TenantId) -> Result<Vec<Collection>> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(store::collections::list(&tx)).await
}

/// A model that nobody could embed with would fail every document, so it is looked for first.
async fn create(app: &App, tx: &TenantTx, new: &NewCollection) -> Result<Collection> {
    let fits = |text: &str| {
        !text.trim().is_empty() && text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control)
    };
    if !fits(&new.name) {
        return Err(Error::invalid(format!("`name` holds 1 to {LONGEST_NAME} characters.")));
    }
    let all = store::collections::list(tx).await?;
    if all.len() as i64 >= MOST_COLLECTIONS {
        return Err(Error::new(Kind::Conflict, format!("A tenant keeps at most {MOST_COLLECTIONS} collections."))
            .hint("Use one that is there; metadata tells documents apart as well."));
    }
    if all.iter().any(|one| one.name == new.name) {
        return Err(Error::new(Kind::Conflict, "There is a collection of this name.").hint("Choose another name."));
    }
    let first = all.first().map(|one| one.embedding_model.clone());
    let model = new.embedding_model.clone().or(first).unwrap_or_else(|| docent_text::hash::MODEL.to_owned());
    if !fits(&model) {
        return Err(Error::invalid(format!("`embeddingModel` holds 1 to {LONGEST_NAME} characters.")));
    }
    let resolve = if new.embedding_model.is_some() { Embedder::named } else { Embedder::resolve };
    resolve(app, tx.tenant(), &model, &keys::all(tx).await?)?;
    let id = app.clock.uuid();
    store::collections::insert(tx, id, &new.name, &model).await?;
    let made = store::collections::list(tx).await?.into_iter().find(|one| one.id == id);
    made.ok_or_else(|| Error::internal("a new collection is not there"))
}
