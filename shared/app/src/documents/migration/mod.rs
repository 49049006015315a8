//! A library's way to another embedding model while readers go on with the first: the new vectors are made beside the
//! old ones (`ingest/reembed.rs`), a switch and a roll-back are one transaction each, and no answer mixes the two.

pub(super) mod routes;

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Failure, LONGEST_NAME, store};
use crate::App;
use crate::auth::TenantId;
use crate::db::TenantTx;
use crate::embedder::Embedder;
use crate::error::{Error, Kind, Result};
use crate::keys;

#[derive(Clone, Debug)]
pub struct Migration {
    /// What readers used before, and what they are to use.
    pub from: String,
    pub to: String,
    pub state: State,
    /// Chunks that have their vector of the newer model, and of how many.
    pub done: i64,
    pub total: i64,
    /// Why it waits for its next try.
    pub failure: Option<Failure>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MigrationState")]
pub enum State {
    /// The newer model's vectors are being made.
    Filling,
    /// They are all there; what comes meanwhile gets both.
    Ready,
    /// Readers use the newer model; the older one's vectors are kept for a roll-back.
    Switched,
    /// What nobody reads any more is being deleted.
    Finishing,
}

/// What a tenant has under way.
pub async fn find(app: &App, tenant: TenantId) -> Result<Option<Migration>> {
    let tx = app.db.tenant(tenant).await?;
    tx.finish(store::migration::find(&tx)).await
}

/// The model that readers do not use: the one to compare with.
pub async fn shadow(tx: &TenantTx, used: &str) -> Result<String> {
    let found = store::migration::find(tx).await?;
    let other = found.and_then(|found| match used {
        used if used == found.from => Some(found.to),
        used if used == found.to => Some(found.from),
        _ => None,
    });
    other.ok_or_else(|| {
        Error::new(Kind::Conflict, format!("No migration from or to `{used}` is under way."))
            .hint("Begin one with POST /api/collections/migration.")
    })
}

/// Begins. Of the collections with the model `from` nothing changes for readers until the switch.
async fn begin(app: &App, tenant: TenantId, from: Option<String>, to: &str) -> Result<Migration> {
    let tx = app.db.tenant(tenant).await?;
    let migration = async {
        let models: BTreeSet<String> =
            store::collections::list(&tx).await?.into_iter().map(|collection| collection.embedding_model).collect();
        let from = match (from, models.len()) {
            (Some(from), _) if models.contains(&from) => from,
            (None, 1) => models.first().cloned().unwrap_or_default(),
            (named, _) => {
                let named = named.map_or_else(|| "One of several models".to_owned(), |from| format!("`{from}`"));
                let known: Vec<String> = models.into_iter().collect();
                return Err(Error::invalid(format!("{named} cannot be told to be what is to be replaced."))
                    .hint(format!("Name one of these as `from`: {}.", known.join(", "))));
            }
        };
        if to.trim().is_empty() || to.chars().count() > LONGEST_NAME || to.chars().any(char::is_control) {
            return Err(Error::invalid(format!("`to` holds 1 to {LONGEST_NAME} characters.")));
        }
        if from == to {
            return Err(Error::invalid(format!("The collections have the model `{to}` already.")));
        }
        Embedder::named(app, tenant, to, &keys::all(&tx).await?)?;
        if !store::migration::insert(&tx, &from, to).await? {
            return Err(Error::new(Kind::Conflict, "A migration is under way already.")
                .hint("GET /api/collections/migration says how far it is; DELETE ends it."));
        }
        store::migration::find(&tx).await?.ok_or_else(|| Error::internal("a new migration is not there"))
    };
    let migration = migration.await?;
    tx.commit().await.map(|()| migration)
}

/// Readers use the newer model from the next query on, if every chunk that they may see has its vector.
async fn switch(app: &App, tenant: TenantId) -> Result<Migration> {
    let tx = app.db.tenant(tenant).await?;
    let migration = async {
        match store::migration::lock(&tx).await?.ok_or_else(|| Error::not_found("migration"))? {
            State::Switched => {}
            State::Finishing => return Err(finishing()),
            State::Filling | State::Ready => {
                // Once before anybody has to wait for it; then for good, because whoever shows a revision holds its
                // collection meanwhile.
                for held in [false, true] {
                    if held {
                        store::migration::hold_collections(&tx).await?;
                    }
                    let behind = store::migration::behind(&tx).await?;
                    if behind > 0 {
                        store::migration::hurry(&tx).await?;
                        return Ok(Err(behind));
                    }
                }
                store::migration::switch(&tx).await?;
            }
        }
        Ok(Ok(store::migration::find(&tx).await?))
    };
    let migration = migration.await?;
    tx.commit().await?;
    match migration {
        Ok(found) => found.ok_or_else(|| Error::not_found("migration")),
        Err(behind) => Err(Error::new(
            Kind::Conflict,
            format!("{behind} documents wait for their vectors of the newer model."),
        )
        .hint(
            "They are being made. Ask GET /api/collections/migration until its state is `ready`, then switch again.",
        )),
    }
}

/// Readers use the older model again, at once. Documents that came after the switch are found by their words until
/// their vectors of that model are made, too.
async fn roll_back(app: &App, tenant: TenantId) -> Result<Migration> {
    let tx = app.db.tenant(tenant).await?;
    let migration = async {
        match store::migration::lock(&tx).await?.ok_or_else(|| Error::not_found("migration"))? {
            State::Switched => {
                let between = store::migration::between_models(&tx).await?;
                if !between.is_empty() {
                    let detail =
                        "Some bots look into collections of the newer model that were not switched with the others.";
                    return Err(Error::new(Kind::Conflict, detail)
                        .hint(format!("Take those collections from these bots first: {}.", between.join(", "))));
                }
                store::migration::roll_back(&tx).await?;
            }
            State::Finishing => return Err(finishing()),
            State::Filling | State::Ready => {
                return Err(Error::new(
                    Kind::Conflict,
                    "Readers still use the older model: there is nothing to roll back.",
                )
                .hint("DELETE /api/collections/migration ends the migration."));
            }
        }
        store::migration::find(&tx).await?.ok_or_else(|| Error::not_found("migration"))
    };
    let migration = migration.await?;
    tx.commit().await.map(|()| migration)
}

/// Stays with the model that readers use now; the other one's vectors are deleted, which takes its time.
async fn finish(app: &App, tenant: TenantId) -> Result<Migration> {
    let tx = app.db.tenant(tenant).await?;
    let migration = async {
        store::migration::lock(&tx).await?.ok_or_else(|| Error::not_found("migration"))?;
        store::migration::finish(&tx).await?;
        store::migration::find(&tx).await?.ok_or_else(|| Error::not_found("migration"))
    };
    let migration = migration.await?;
    tx.commit().await.map(|()| migration)
}

fn finishing() -> Error {
    Error::new(Kind::Conflict, "The migration is being finished: the vectors of the other model are going.")
        .hint("Wait for its end, then begin another one.")
}
