//! A bot: who answers, by which model, over which collections, and what it says when it knows nothing.

mod fields;
mod routes;
mod store;

use jiff::Timestamp;
use uuid::Uuid;

pub use routes::router;

use crate::clock::Clock;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};
use fields::{Change, Fields};

/// The provider that answers with the documents' own sentences: it needs neither key nor model.
pub const EXTRACTIVE: &str = "extractive";

/// What an answer needs to know of a bot.
#[derive(Clone, Debug, Default)]
pub struct Bot {
    pub id: Uuid,
    pub name: String,
    pub instructions: String,
    pub provider: String,
    pub model: String,
    /// What it says when the documents hold no answer.
    pub refusal: String,
    pub collections: Vec<Uuid>,
    /// The one model that embedded all its collections; empty when they are gone.
    pub embedding_model: String,
    /// Who answers where the first could not begin; nobody where the provider is empty.
    pub fallback_provider: String,
    pub fallback_model: String,
    /// Its answers outlive their clients and can be read again while they are made.
    pub resumable: bool,
}

/// A bot with what only its keeper wants to see.
struct Record {
    bot: Bot,
    is_default: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A bot as others see it in a list.
pub struct Listed {
    pub id: Uuid,
    pub name: String,
    pub created_at: Timestamp,
}

/// The bot with that id; else the oldest one of that name; else the tenant's default one. One statement.
pub async fn find(tx: &TenantTx, id: Option<Uuid>, name: Option<&str>) -> Result<Option<Bot>> {
    Ok(store::find(tx, id, name).await?.map(|record| record.bot))
}

/// All of them, the default one first and then by age.
pub async fn list(tx: &TenantTx) -> Result<Vec<Listed>> {
    let listed = |record: Record| Listed { id: record.bot.id, name: record.bot.name, created_at: record.created_at };
    Ok(store::all(tx).await?.into_iter().map(listed).collect())
}

/// A new bot; it looks into the default bot's collections unless others are named.
async fn create(tx: &TenantTx, change: Change, clock: &Clock) -> Result<Record> {
    let first = store::find(tx, None, None).await?;
    let collections = first.map(|record| record.bot.collections).unwrap_or_default();
    let fields = change.over(Fields::initial(collections)).check()?;
    check_collections(tx, &fields.collections).await?;
    let id = clock.uuid();
    if !store::insert(tx, id, &fields).await? {
        return Err(Error::new(Kind::Conflict, "A tenant keeps at most 100 bots.").hint("Delete one that is not used."));
    }
    store::set_collections(tx, id, &fields.collections).await?;
    store::find(tx, Some(id), None).await?.ok_or_else(|| Error::internal("a new bot is not there"))
}

async fn change(tx: &TenantTx, id: Uuid, change: Change) -> Result<Record> {
    store::lock(tx, id).await?;
    let before = store::find(tx, Some(id), None).await?.ok_or_else(|| Error::not_found("bot"))?;
    let looks_elsewhere = change.names_collections();
    let fields = change.over(before.into()).check()?;
    if looks_elsewhere {
        check_collections(tx, &fields.collections).await?;
    }
    store::update(tx, id, &fields).await?;
    if looks_elsewhere {
        store::set_collections(tx, id, &fields.collections).await?;
    }
    store::find(tx, Some(id), None).await?.ok_or_else(|| Error::not_found("bot"))
}

/// The default bot answers whoever names none, so it stays.
async fn delete(tx: &TenantTx, id: Uuid) -> Result<()> {
    if store::delete(tx, id).await? {
        return Ok(());
    }
    match store::find(tx, Some(id), None).await? {
        Some(_) => {
            Err(Error::new(Kind::Conflict, "The default bot cannot be deleted.").hint("Change it with PATCH instead."))
        }
        None => Err(Error::not_found("bot")),
    }
}

/// One question is embedded once, so what it is compared with must come from one model.
async fn check_collections(tx: &TenantTx, collections: &[Uuid]) -> Result<()> {
    let models = store::models(tx, collections).await?;
    if models.len() < collections.len() {
        return Err(Error::invalid("`collections` names one that does not exist."));
    }
    if models.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Error::invalid("The collections of a bot must share one embedding model."));
    }
    Ok(())
}

impl From<Record> for Fields {
    fn from(record: Record) -> Fields {
        let Bot { name, instructions, provider, model, refusal, collections, .. } = record.bot;
        let Bot { fallback_provider, fallback_model, resumable, .. } = record.bot;
        Fields {
            name,
            instructions,
            provider,
            model,
            refusal,
            collections,
            fallback_provider,
            fallback_model,
            resumable,
        }
    }
}
