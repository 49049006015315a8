//! `/api/tokens`: make, list and revoke platform tokens.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::routing::{delete, get};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::{self, NewToken};
use super::{Caller, Scope, token};
use crate::App;
use crate::error::{Error, Result};
use crate::http::{Json, Path};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/tokens", get(list_tokens).post(create_token))
        .route("/api/tokens/{id}", delete(revoke_token))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTokenWire {
    name: String,
    scopes: Vec<String>,
    expires_at: Option<jiff::Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenWire {
    id: Uuid,
    name: String,
    last4: String,
    scopes: Vec<String>,
    expires_at: Option<jiff::Timestamp>,
    last_used_at: Option<jiff::Timestamp>,
    created_at: jiff::Timestamp,
    /// Present once, in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

#[derive(Serialize)]
struct TokensWire {
    tokens: Vec<TokenWire>,
}

impl TokenWire {
    fn from(token: store::Token, text: Option<String>) -> TokenWire {
        let store::Token { id, name, last4, scopes, expires_at, last_used_at, created_at } = token;
        TokenWire { id, name, last4, scopes, expires_at, last_used_at, created_at, token: text }
    }
}

async fn create_token(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewTokenWire>,
) -> Result<(StatusCode, Json<TokenWire>)> {
    caller.require(Scope::Admin)?;
    let scopes: Option<Vec<Scope>> = new.scopes.iter().map(|text| Scope::parse(text)).collect();
    let scopes = scopes.filter(|scopes| !scopes.is_empty());
    let scopes = scopes.ok_or_else(|| Error::invalid("`scopes` holds one or more of chat, read, write, admin."))?;
    if new.name.trim().is_empty() || new.name.chars().count() > 200 {
        return Err(Error::invalid("`name` holds 1 to 200 characters."));
    }
    let minted = token::mint(caller.tenant, &app.clock);
    let row = NewToken {
        id: app.clock.uuid(),
        name: &new.name,
        scopes: &scopes,
        expires_at: new.expires_at,
        minted: &minted,
    };
    let tx = app.db.tenant(caller.tenant).await?;
    let stored = tx.finish(store::insert(&tx, row)).await?;
    Ok((StatusCode::CREATED, Json(TokenWire::from(stored, Some(minted.text.expose_secret().to_owned())))))
}

async fn list_tokens(State(app): State<App>, caller: Caller) -> Result<Json<TokensWire>> {
    caller.require(Scope::Admin)?;
    let tx = app.db.tenant(caller.tenant).await?;
    let tokens = tx.finish(store::list(&tx)).await?;
    Ok(Json(TokensWire { tokens: tokens.into_iter().map(|token| TokenWire::from(token, None)).collect() }))
}

async fn revoke_token(State(app): State<App>, caller: Caller, Path(id): Path<Uuid>) -> Result<StatusCode> {
    caller.require(Scope::Admin)?;
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::revoke(&tx, id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found("token")),
    }
}
