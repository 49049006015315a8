//! `/api/keys`: save, show (never the key itself), check and delete a tenant's provider keys.

use axum::extract::{FromRef, State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::{NewKey, Sealed, Status, provider, store};
use crate::App;
use crate::auth::{Admin, Caller, May};
use crate::error::{Error, Kind, Result};
use crate::http::{Json, Path, Router, get, post, small_bodies};

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

/// From here on the key's memory is wiped when it is dropped. What lies before is not: the connection's read buffer,
/// which the body is a view into, TLS and the kernel's sockets keep the request's bytes until that memory is used
/// again. Only a dump of the process would show them, and `docent` switches core dumps off.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewKeyWire {
    #[serde(default, deserialize_with = "secret")]
    #[schemars(with = "Option<String>")]
    key: Option<SecretString>,
    base_url: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct KeyWire {
    provider: String,
    base_url: String,
    last4: String,
    fingerprint: String,
    #[schemars(with = "Status")]
    status: &'static str,
    /// What to do next, unless the key is good.
    hint: Option<&'static str>,
    checked_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Serialize, JsonSchema)]
struct KeysWire {
    keys: Vec<KeyWire>,
}

impl From<Sealed> for KeyWire {
    fn from(sealed: Sealed) -> KeyWire {
        let Sealed { provider, base_url, last4, fingerprint, status, checked_at, created_at, updated_at, .. } = sealed;
        let (status, hint) = (status.as_str(), status.hint());
        KeyWire { provider, base_url, last4, fingerprint, status, hint, checked_at, created_at, updated_at }
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

/// Saved first and checked after: nothing that was typed is lost to a provider that is down, or to a client that did
/// not wait.
async fn save_key(
    State(app): State<App>,
    caller: May<Admin>,
    Path(provider): Path<String>,
    body: Result<Json<NewKeyWire>>,
) -> Result<Json<KeyWire>> {
    let Json(NewKeyWire { key, base_url }) = body.map_err(without_echo)?;
    provider::check_name(&provider)?;
    let key = key.ok_or_else(|| keyless(base_url.is_some()))?;
    provider::check_key(&provider, key.expose_secret())?;
    let base_url = provider::base_url(&provider, base_url.as_deref(), &app.limits)?;
    let new = NewKey { provider: &provider, base_url: &base_url, key: &key };
    let sealed = super::seal(&app.masters, &app.clock, caller.tenant, new)?;
    let tx = app.db.tenant(caller.tenant).await?;
    let saved = tx.finish(super::save(&tx, &sealed)).await?;
    Ok(Json(super::check(&app, caller.tenant, &saved).await?.into()))
}

async fn check_key(State(app): State<App>, caller: May<Admin>, Path(provider): Path<String>) -> Result<Json<KeyWire>> {
    let sealed = find(&app, &caller, &provider).await?;
    Ok(Json(super::check(&app, caller.tenant, &sealed).await?.into()))
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

/// A key is bound to its endpoint: who could move the endpoint alone would have the key sent to a host of their own.
fn keyless(moves_endpoint: bool) -> Error {
    match moves_endpoint {
        true => Error::invalid("The endpoint of a stored key cannot be changed without the key.")
            .hint("Send `key` again, together with the new `baseUrl`."),
        false => Error::invalid("`key` is missing.").hint("Send {\"key\": \"…\"}."),
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    Ok(text.map(|text| SecretString::from(text.as_str())))
}
