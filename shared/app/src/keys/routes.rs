//! `/api/keys`: save, show (never the key itself), check and delete a tenant's provider keys.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::{get, post};
use http::StatusCode;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::store::{self, NewKey};
use super::{Sealed, provider, seal};
use crate::App;
use crate::auth::{Admin, Caller, May};
use crate::error::{Error, Kind, Result};
use crate::http::{Json, Path, small_bodies};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/keys", get(list_keys))
        .route("/api/keys/{provider}", get(show_key).put(save_key).delete(delete_key))
        .route("/api/keys/{provider}/check", post(check_key))
        .layer(small_bodies())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKeyWire {
    #[serde(deserialize_with = "secret")]
    key: SecretString,
    base_url: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyWire {
    provider: String,
    base_url: String,
    last4: String,
    fingerprint: String,
    status: String,
    checked_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize)]
struct KeysWire {
    keys: Vec<KeyWire>,
}

impl From<Sealed> for KeyWire {
    fn from(sealed: Sealed) -> KeyWire {
        let Sealed { provider, base_url, last4, fingerprint, status, checked_at, created_at, updated_at, .. } = sealed;
        KeyWire { provider, base_url, last4, fingerprint, status, checked_at, created_at, updated_at }
    }
}

async fn list_keys(State(app): State<App>, caller: May<Admin>) -> Result<Json<KeysWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let keys = tx.finish(store::all(&tx)).await?;
    Ok(Json(KeysWire { keys: keys.into_iter().map(KeyWire::from).collect() }))
}

async fn show_key(State(app): State<App>, caller: May<Admin>, Path(provider): Path<String>) -> Result<Json<KeyWire>> {
    Ok(Json(find(&app, &caller, &provider).await?.into()))
}

async fn save_key(
    State(app): State<App>,
    caller: May<Admin>,
    Path(provider): Path<String>,
    body: Result<Json<NewKeyWire>>,
) -> Result<Json<KeyWire>> {
    let Json(NewKeyWire { key, base_url }) = body.map_err(without_echo)?;
    let key = key.expose_secret();
    provider::check_name(&provider)?;
    provider::check_key(&provider, key)?;
    let base_url = provider::base_url(&provider, base_url.as_deref(), &app.limits)?;
    let (id, origin) = (app.clock.uuid(), super::origin(&base_url));
    let context = seal::Context { tenant: caller.tenant.uuid(), provider: &provider, row: id, origin: &origin };
    let blob = seal::seal(&app.masters, &context, key.as_bytes(), &app.clock)
        .map_err(|refusal| super::unreadable(refusal, &provider))?;
    let new = NewKey {
        id,
        provider: &provider,
        base_url: base_url.as_str(),
        blob: &blob,
        last4: last4(key),
        fingerprint: &fingerprint(key),
    };
    let tx = app.db.tenant(caller.tenant).await?;
    let saved = tx.finish(store::put(&tx, new)).await?;
    let full = || Error::new(Kind::Conflict, "A tenant keeps at most 50 keys.").hint("Delete one that is not used.");
    Ok(Json(saved.ok_or_else(full)?.into()))
}

/// No connection to the database is held while the provider thinks.
async fn check_key(State(app): State<App>, caller: May<Admin>, Path(provider): Path<String>) -> Result<Json<KeyWire>> {
    let sealed = find(&app, &caller, &provider).await?;
    let endpoint = super::endpoint(&app, caller.tenant, &sealed)?;
    let status = super::verdict(&app.llm.transport.check(&endpoint).await);
    let tx = app.db.tenant(caller.tenant).await?;
    let marked = tx.finish(store::mark(&tx, sealed.id, status)).await?;
    let changed = || Error::new(Kind::Conflict, "The key was changed while it was being checked.");
    Ok(Json(marked.ok_or_else(changed)?.into()))
}

async fn delete_key(State(app): State<App>, caller: May<Admin>, Path(provider): Path<String>) -> Result<StatusCode> {
    provider::check_name(&provider).map_err(|_| Error::not_found("key"))?;
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::delete(&tx, &provider)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found("key")),
    }
}

async fn find(app: &App, caller: &Caller, provider: &str) -> Result<Sealed> {
    provider::check_name(provider).map_err(|_| Error::not_found("key"))?;
    let tx = app.db.tenant(caller.tenant).await?;
    tx.finish(store::find(&tx, provider)).await?.ok_or_else(|| Error::not_found("key"))
}

/// A parser quotes what it did not expect, and here that may be the key.
fn without_echo(error: Error) -> Error {
    match error.kind {
        Kind::InvalidRequest => Error::invalid("The body is not what this address takes.")
            .hint("Send {\"key\": \"…\"}, and \"baseUrl\" when it is not the provider's own."),
        _ => error,
    }
}

/// Four characters tell a tenant's keys apart; of a short key they would be a good part of it.
const SHOWS_ITS_END: usize = 16;

fn last4(key: &str) -> &str {
    if key.len() < SHOWS_ITS_END { "" } else { &key[key.len() - 4..] }
}

fn fingerprint(key: &str) -> String {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    Ok(SecretString::from(text.as_str()))
}
