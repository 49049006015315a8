//! `/api/tokens`: make, list and revoke platform tokens; `/api/tokens/visitor`: let a visitor of a page in.

use axum::extract::{FromRef, State};
use http::StatusCode;
use jiff::Timestamp;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::store::{self, NewToken};
use super::token::TokenKind;
use super::visitor::{IDENTITY_SECONDS, LIFETIME_SECONDS, LONGEST_NAME, LONGEST_SUBJECT, Visitor, vouched};
use super::{Admin, May, Page, Scope, extract, token};
use crate::error::{Error, Kind, Result};
use crate::http::{Create, Created, Json, Path, Router, delete, get, post, small_bodies};
use crate::limits::idempotency::{self, Once};
use crate::{App, config};

pub fn router<S>() -> Router<S>
where
    App: FromRef<S>,
    S: Clone + Send + Sync + 'static,
{
    Router::new()
        .route("/api/tokens", get(list_tokens).post(create_token))
        .route("/api/tokens/{id}", delete(revoke_token))
        .route("/api/tokens/visitor", post(create_visitor))
        .layer(small_bodies())
}

/// Origins of one publishable token: a tenant's sites, with and without `www`, and some more.
const ORIGINS_LIMIT: usize = 20;

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewTokenWire {
    #[schemars(length(min = 1, max = 200))]
    name: String,
    #[serde(default)]
    publishable: bool,
    /// Of a secret token.
    #[serde(default)]
    #[schemars(with = "Vec<Scope>")]
    scopes: Vec<String>,
    /// Of a publishable one: the pages that may use it, exactly.
    #[serde(default)]
    origins: Vec<String>,
    /// The bot that its visitors talk to; absent: the tenant's default one.
    bot: Option<Uuid>,
    expires_at: Option<Timestamp>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct TokenWire {
    id: Uuid,
    name: String,
    kind: String,
    last4: String,
    #[schemars(with = "Vec<Scope>")]
    scopes: Vec<String>,
    origins: Vec<String>,
    bot: Option<Uuid>,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    created_at: Timestamp,
    /// Present once, in the answer that creates it.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    /// What the tenant's server signs its visitors with; present once, for a publishable token.
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor_secret: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct TokensWire {
    tokens: Vec<TokenWire>,
}

impl TokenWire {
    fn from(token: store::Token) -> TokenWire {
        let store::Token { id, name, kind, last4, scopes, origins, bot, expires_at, last_used_at, created_at } = token;
        let (token, visitor_secret) = (None, None);
        TokenWire {
            id,
            name,
            kind,
            last4,
            scopes,
            origins,
            bot,
            expires_at,
            last_used_at,
            created_at,
            token,
            visitor_secret,
        }
    }

    fn showing(self, token: &SecretString, visitor_secret: Option<&SecretString>) -> TokenWire {
        let text = |secret: &SecretString| secret.expose_secret().to_owned();
        TokenWire { token: Some(text(token)), visitor_secret: visitor_secret.map(text), ..self }
    }
}

async fn create_token(
    State(app): State<App>,
    caller: May<Admin>,
    Create { new, attempt }: Create<NewTokenWire>,
) -> Result<Created<TokenWire>> {
    if new.name.trim().is_empty() || new.name.chars().count() > 200 {
        return Err(Error::invalid("`name` holds 1 to 200 characters."));
    }
    if new.expires_at.is_some_and(|end| end <= app.clock.now()) {
        return Err(Error::invalid("`expiresAt` is past: the token would never be valid."));
    }
    let (kind, scopes) = rights(&new)?;
    let id = app.clock.uuid();
    let master = app.signer.current().filter(|_| new.publishable);
    let visitor_secret = master.and_then(|master| app.signer.identity_secret(master, caller.tenant, id));
    if new.publishable && visitor_secret.is_none() {
        return Err(no_master());
    }
    let minted = token::mint(kind, caller.tenant, &app.clock);
    let row = NewToken {
        id,
        name: &new.name,
        kind,
        scopes: &scopes,
        origins: &new.origins,
        bot: new.bot,
        master,
        expires_at: new.expires_at,
        minted: &minted,
    };
    let tx = app.db.tenant(caller.tenant).await?;
    // What is kept for a retry is the row as everybody may see it, without the secrets that are shown once.
    let stored = async { Ok(TokenWire::from(store::insert(&tx, row).await?)) };
    let once = idempotency::once(&tx, attempt.as_ref(), stored).await?;
    Ok(Created(once.map(|wire| wire.showing(&minted.text, visitor_secret.as_ref()))))
}

/// A secret token has scopes, a publishable one has origins, and neither has the other's.
fn rights(new: &NewTokenWire) -> Result<(TokenKind, Vec<Scope>)> {
    if !new.publishable {
        if !new.origins.is_empty() || new.bot.is_some() {
            return Err(Error::invalid("`origins` and `bot` belong to publishable tokens.")
                .hint("Send `publishable: true`, or leave them out."));
        }
        let scopes: Option<Vec<Scope>> = new.scopes.iter().map(|text| Scope::parse(text)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        let scopes = scopes.ok_or_else(|| Error::invalid("`scopes` holds one or more of chat, read, write, admin."))?;
        return Ok((TokenKind::Secret, scopes));
    }
    if !new.scopes.is_empty() {
        return Err(Error::invalid("A publishable token lets visitors chat and has no scopes of its own.")
            .hint("Leave `scopes` out."));
    }
    if new.origins.is_empty() || new.origins.len() > ORIGINS_LIMIT {
        return Err(Error::invalid(format!("`origins` holds 1 to {ORIGINS_LIMIT} origins of pages."))
            .hint("Write them as browsers do: https://shop.example, without a path."));
    }
    for text in &new.origins {
        config::origin("origins", text)
            .map_err(|error| Error::invalid(format!("`origins` {}", error.problem)).hint(error.remedy))?;
    }
    Ok((TokenKind::Publishable, Vec::new()))
}

async fn list_tokens(State(app): State<App>, caller: May<Admin>) -> Result<Json<TokensWire>> {
    let tx = app.db.tenant(caller.tenant).await?;
    let tokens = tx.finish(store::list(&tx)).await?;
    Ok(Json(TokensWire { tokens: tokens.into_iter().map(TokenWire::from).collect() }))
}

async fn revoke_token(State(app): State<App>, caller: May<Admin>, Path(id): Path<Uuid>) -> Result<StatusCode> {
    let tx = app.db.tenant(caller.tenant).await?;
    match tx.finish(store::revoke(&tx, id)).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Error::not_found("token")),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewVisitorWire {
    /// What an anonymous visitor likes to be called.
    nickname: Option<String>,
    /// A person whom the tenant's server vouches for.
    identity: Option<IdentityWire>,
    /// An earlier token of the same visitor, whose conversations are kept.
    renew: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IdentityWire {
    id: String,
    /// Unix seconds.
    expires_at: i64,
    /// Hex of HMAC-SHA256(visitorSecret, "<id>\n<expiresAt>").
    signature: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct VisitorWire {
    token: String,
    visitor: String,
    nickname: Option<String>,
    expires_at: Timestamp,
}

/// Lets a visitor in: a publishable token, shown by a page of one of its origins, becomes a short token for one person.
async fn create_visitor(
    State(app): State<App>,
    page: Page,
    Json(new): Json<NewVisitorWire>,
) -> Result<Created<VisitorWire>> {
    let shown = page.origin.as_ref().and_then(|shown| shown.to_str().ok()).ok_or_else(extract::wrong_origin)?;
    let (origin, id) = (shown.to_owned(), visitor_id(&app, &page, &new)?);
    let nickname = new.nickname.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    if nickname.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control)) {
        return Err(Error::invalid(format!(
            "`nickname` holds at most {LONGEST_NAME} characters, none of them control characters."
        )));
    }
    let expires = app.clock.now().as_second() + LIFETIME_SECONDS;
    let master = app.signer.current().ok_or_else(no_master)?.to_owned();
    let visitor = Visitor { master, token: page.token, id, nickname, bot: page.bot, origin, expires };
    let token = app.signer.sign(page.tenant, &visitor).ok_or_else(no_master)?;
    let wire = VisitorWire {
        token: token.expose_secret().to_owned(),
        visitor: visitor.id,
        nickname: visitor.nickname,
        expires_at: Timestamp::from_second(expires).map_err(Error::internal)?,
    };
    Ok(Created(Once::Made(wire)))
}

fn visitor_id(app: &App, page: &Page, new: &NewVisitorWire) -> Result<String> {
    let now = app.clock.now();
    if let Some(identity) = &new.identity {
        let id = &identity.id;
        if id.is_empty() || id.chars().count() > LONGEST_SUBJECT || id.chars().any(char::is_control) {
            return Err(Error::invalid(format!(
                "`identity.id` holds 1 to {LONGEST_SUBJECT} characters, none of them control characters."
            )));
        }
        let left = identity.expires_at.saturating_sub(now.as_second());
        let secret = app.signer.identity_secret(&page.master, page.tenant, page.token);
        let secret = secret.ok_or_else(|| {
            extract::unauthorized()
                .hint("Make a new publishable token: this one's secret went with a retired master key.")
        })?;
        let good =
            (1..=IDENTITY_SECONDS).contains(&left) && vouched(&secret, id, identity.expires_at, &identity.signature);
        return match good {
            true => Ok(format!("i:{id}")),
            false => Err(Error::new(Kind::Unauthorized, "The visitor's signature is not valid, or its time is over.")
                .hint(
                    "Sign \"<id>\\n<expiresAt>\" with the token's visitorSecret on your server, for at most 24 hours.",
                )),
        };
    }
    // Only an anonymous visitor is renewed: who was vouched for must be vouched for again.
    let earlier = new.renew.as_ref().and_then(|text| app.signer.read(text));
    let same = earlier.filter(|(minted_for, visitor)| {
        *minted_for == page.tenant && visitor.token == page.token && visitor.renewable(now)
    });
    let id = same.map(|(_, visitor)| visitor.id).filter(|id| id.starts_with("a:"));
    Ok(id.unwrap_or_else(|| format!("a:{}", app.clock.uuid().simple())))
}

fn no_master() -> Error {
    Error::new(Kind::NotConfigured, "This server has no master key, so it cannot sign visitors in.")
        .hint("The operator sets MASTER_KEY_<id> (`openssl rand -base64 32`) and MASTER_KEY_CURRENT=<id>.")
}
