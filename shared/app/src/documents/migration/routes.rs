//! `/api/collections/migration`: begin, follow, switch, roll back, finish.

use axum::extract::{FromRef, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Migration, State as Progress};
use crate::App;
use crate::auth::{Admin, May, Read};
use crate::documents::Failure;
use crate::error::Result;
use crate::http::answers::Accepted;
use crate::http::{Json, Router, get, post, small_bodies};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/collections/migration", get(find_migration).post(begin_migration).delete(finish_migration))
        .route("/api/collections/migration/switch", post(switch_migration))
        .route("/api/collections/migration/rollback", post(roll_back_migration))
        .layer(small_bodies())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewMigrationWire {
    /// May be left out when all collections have the same.
    from: Option<String>,
    to: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FoundMigration")]
struct FoundWire {
    migration: Option<MigrationWire>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct MigrationWire {
    from: String,
    to: String,
    state: Progress,
    done: i64,
    total: i64,
    error: Option<FailureWire>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MigrationFailure")]
struct FailureWire {
    code: String,
    message: String,
    hint: String,
}

impl From<Migration> for MigrationWire {
    fn from(migration: Migration) -> MigrationWire {
        let Migration { from, to, state, done, total, failure, created_at, updated_at } = migration;
        let error = failure.map(|Failure { code, message, hint }| FailureWire { code, message, hint });
        MigrationWire { from, to, state, done, total, error, created_at, updated_at }
    }
}

async fn find_migration(State(app): State<App>, caller: May<Read>) -> Result<Json<FoundWire>> {
    let migration = super::find(&app, caller.tenant).await?.map(MigrationWire::from);
    Ok(Json(FoundWire { migration }))
}

async fn begin_migration(
    State(app): State<App>,
    caller: May<Admin>,
    Json(new): Json<NewMigrationWire>,
) -> Result<Accepted<MigrationWire>> {
    let migration = super::begin(&app, caller.tenant, new.from, &new.to).await?;
    Ok(Accepted(migration.into()))
}

async fn switch_migration(State(app): State<App>, caller: May<Admin>) -> Result<Json<MigrationWire>> {
    Ok(Json(super::switch(&app, caller.tenant).await?.into()))
}

async fn roll_back_migration(State(app): State<App>, caller: May<Admin>) -> Result<Json<MigrationWire>> {
    Ok(Json(super::roll_back(&app, caller.tenant).await?.into()))
}

async fn finish_migration(State(app): State<App>, caller: May<Admin>) -> Result<Accepted<MigrationWire>> {
    Ok(Accepted(super::finish(&app, caller.tenant).await?.into()))
}
