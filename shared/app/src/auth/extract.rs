//! The caller as an argument: a handler without one cannot name any tenant's data, and gets one only by naming the
//! scope that it needs.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRef, FromRequestParts};
use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::session::{Person, Presented};
use super::token::{self, TokenKind};
use super::visitor::Visitor;
use super::{Caller, Chat, Need, Scope, TenantId, store};
use crate::App;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};
use crate::http::{ClientAddress, Notes};
use crate::telemetry;

/// A longer credential is none of ours: the largest session of an identity provider stays far below.
pub const LONGEST_CREDENTIAL: usize = 16 * 1024;

/// A verified caller that may do what `S` says.
pub struct May<S> {
    caller: Caller,
    scope: PhantomData<S>,
}

impl<S> Deref for May<S> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// A well-formed credential whose tenant is only claimed so far, or vouched for by a signature. [`Credential::verify`]
/// makes it a fact in the same trip as the statements that stand beside it. `N` says what it will be needed for.
pub struct Credential<N = Chat> {
    tenant: TenantId,
    proof: Proof,
    address: ClientAddress,
    notes: Notes,
    app: App,
    need: PhantomData<N>,
}

enum Proof {
    Token([u8; 32]),
    Visitor(Box<Visitor>),
    Person(Box<Person>),
}

impl Proof {
    fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Visitor(_) => "visitor",
            Self::Person(_) => "person",
        }
    }
}

impl<N> Credential<N> {
    /// The claimed tenant: good for opening its door, where row security and the credential's row decide.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Whose conversations this caller sees.
    pub fn owner(&self) -> String {
        match &self.proof {
            Proof::Token(_) => String::new(),
            Proof::Visitor(visitor) => visitor.owner(),
            Proof::Person(person) => person.owner(),
        }
    }

    /// The bot that may be talked to: a visitor has no choice.
    pub fn bot(&self, asked: Option<Uuid>) -> Result<Option<Uuid>> {
        match &self.proof {
            Proof::Visitor(visitor) if asked.is_some() && asked != visitor.bot => Err(Error::not_found("bot")),
            Proof::Visitor(visitor) => Ok(visitor.bot),
            _ => Ok(asked),
        }
    }

    /// The same where a bot may be called by its name: a visitor calls none so, because names are not theirs to try.
    pub fn bot_or_name<'a>(&self, id: Option<Uuid>, name: Option<&'a str>) -> Result<(Option<Uuid>, Option<&'a str>)> {
        match &self.proof {
            Proof::Visitor(_) if name.is_some() => Err(Error::not_found("bot")),
            _ => Ok((self.bot(id)?, name)),
        }
    }

    /// A visitor, who talks to one bot alone: `Some(None)` is the default one.
    pub fn confined(&self) -> Option<Option<Uuid>> {
        match &self.proof {
            Proof::Visitor(visitor) => Some(visitor.bot),
            _ => None,
        }
    }

    /// Looks the caller up, counts the request against its limits, and refuses what lacks the scope: one statement.
    pub async fn verify(&self, tx: &TenantTx, scope: Scope) -> Result<Caller> {
        let look = store::Look { app: &self.app, address: self.address };
        let found = match &self.proof {
            Proof::Token(hash) => store::by_token(tx, hash, &look).await?,
            Proof::Visitor(visitor) => store::by_visitor(tx, visitor, &look).await?,
            Proof::Person(person) => store::by_person(tx, person, &look).await?,
        };
        let caller = found.admit(&self.notes)?.ok_or_else(|| self.unknown())?;
        telemetry::caller(self.proof.kind(), self.tenant.uuid());
        if !caller.scopes.contains(&scope) {
            return Err(forbidden(scope));
        }
        Ok(caller)
    }

    async fn verify_alone(&self, scope: Scope) -> Result<Caller> {
        let tx = self.app.db.tenant(self.tenant).await?;
        tx.finish(self.verify(&tx, scope)).await
    }

    fn unknown(&self) -> Error {
        match &self.proof {
            Proof::Person(_) => Error::new(Kind::Forbidden, "You are signed in, but nothing here belongs to you.")
                .hint("Ask the operator to add your organisation, or sign in with another account."),
            _ => unauthorized(),
        }
    }
}

impl<S, N> FromRequestParts<S> for Credential<N>
where
    App: FromRef<S>,
    S: Send + Sync,
    N: Send,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let app = App::from_ref(state);
        let (tenant, proof) = prove(parts, &app).await?;
        let address = parts.extensions.get().copied().unwrap_or_else(ClientAddress::unknown);
        let notes = parts.extensions.get::<Notes>().cloned().unwrap_or_default();
        let credential = Credential { tenant, proof, address, notes, app, need: PhantomData };
        if let Proof::Person(person) = &credential.proof {
            credential.app.newcomers.admit(&credential.app, tenant, person).await?;
        }
        Ok(credential)
    }
}

impl<S, N> FromRequestParts<S> for May<N>
where
    App: FromRef<S>,
    S: Send + Sync,
    N: Need,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let credential = Credential::<N>::from_request_parts(parts, state).await?;
        let scope = if credential.confined().is_some() { N::OF_VISITOR } else { N::SCOPE };
        Ok(May { caller: credential.verify_alone(scope).await?, scope: PhantomData })
    }
}

/// A page of a tenant's: it shows a publishable token, from one of the origins that the token names.
pub struct Page {
    pub tenant: TenantId,
    /// The bot that its visitors talk to; none means the tenant's default one.
    pub bot: Option<Uuid>,
    pub(super) token: Uuid,
    pub(super) master: String,
    /// Browsers leave it out of plain reads of their own server.
    pub(super) origin: Option<HeaderValue>,
}

impl<S> FromRequestParts<S> for Page
where
    App: FromRef<S>,
    S: Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let app = App::from_ref(state);
        let text = bearer(&parts.headers)?.ok_or_else(unauthorized)?;
        let tenant = token::claim(TokenKind::Publishable, text)
            .ok_or_else(|| unauthorized().hint("Send `Authorization: Bearer docent_pk_…` with a publishable token."))?;
        let origin = parts.headers.get(ORIGIN).cloned();
        if origin.is_none() && !parts.method.is_safe() {
            return Err(wrong_origin());
        }
        let address = parts.extensions.get().copied().unwrap_or_else(ClientAddress::unknown);
        let notes = parts.extensions.get::<Notes>().cloned().unwrap_or_default();
        let tx = app.db.tenant(tenant).await?;
        let look = store::Look { app: &app, address };
        let found = tx.finish(store::by_publishable(&tx, &token::hash(text), &look)).await?;
        let store::Publishable { id: token, origins, bot, master } = found.admit(&notes)?.ok_or_else(unauthorized)?;
        telemetry::caller("page", tenant.uuid());
        if let Some(shown) = &origin {
            if !origins.iter().any(|allowed| allowed.as_bytes() == shown.as_bytes()) {
                return Err(wrong_origin().hint("Add the page's exact origin to the publishable token."));
            }
            notes.readable_by(shown);
        }
        Ok(Page { tenant, bot, token, master, origin })
    }
}

/// What the request shows, as far as it can be judged without the tenant's rows.
async fn prove(parts: &Parts, app: &App) -> Result<(TenantId, Proof)> {
    let Some(text) = bearer(&parts.headers)? else {
        return session(parts, app).await;
    };
    if text.starts_with("docent_pk_") {
        return Err(Error::new(Kind::Forbidden, "A publishable token only lets visitors in.")
            .hint("Mint a visitor's token with POST /api/tokens/visitor, or use a `docent_sk_…` token on a server."));
    }
    if let Some(claimed) = token::claim(TokenKind::Secret, text) {
        return Ok((claimed, Proof::Token(token::hash(text))));
    }
    if text.starts_with("docent_vt_") {
        return visiting(parts, app, text);
    }
    if text.starts_with("docent_") || !app.sessions.configured() {
        return Err(unauthorized());
    }
    person(app, Presented::Bearer(text)).await
}

/// Its page first: a page that may not read the answer could not tell "has ended" from a broken line.
fn visiting(parts: &Parts, app: &App, text: &str) -> Result<(TenantId, Proof)> {
    let (tenant, visitor) = app.signer.read(text).ok_or_else(unauthorized)?;
    from_its_page(&parts.headers, &visitor.origin, parts.method.is_safe())?;
    if let (Some(notes), Some(origin)) = (parts.extensions.get::<Notes>(), parts.headers.get(ORIGIN)) {
        notes.readable_by(origin);
    }
    if !visitor.alive(app.clock.now()) {
        return Err(unauthorized().hint("The visitor's token has ended: mint a new one with POST /api/tokens/visitor."));
    }
    Ok((tenant, Proof::Visitor(Box::new(visitor))))
}

async fn session(parts: &Parts, app: &App) -> Result<(TenantId, Proof)> {
    // Other cookies of the site may hold anything; ours is plain.
    let lines = parts.headers.get_all(COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let cookies: Vec<_> = lines.collect();
    if cookies.is_empty() || !app.sessions.configured() {
        return Err(unauthorized());
    }
    let found = person(app, Presented::Cookies(&cookies.join("; "))).await?;
    // A browser adds cookies to requests that other pages make.
    if !parts.method.is_safe() && !from_our_page(&parts.headers, app) {
        return Err(
            wrong_origin().hint("Call from the page's own origin, or have the operator add it to ALLOWED_ORIGINS.")
        );
    }
    Ok(found)
}

async fn person(app: &App, presented: Presented<'_>) -> Result<(TenantId, Proof)> {
    // A session that lies in the front end's database costs one trip more than one that is signed.
    let stored = match app.sessions.opaque(presented) {
        None => None,
        Some(session) => app.db.session_subject(session.expose_secret()).await?,
    };
    let person = match stored {
        None => app.sessions.verify(presented).await?,
        Some(subject) => app.sessions.stored(subject),
    };
    Ok((TenantId::of_person(&person), Proof::Person(Box::new(person))))
}

/// The text of the `Authorization` header's bearer token, if there is such a header at all.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let (scheme, text) = header.to_str().ok().and_then(|header| header.split_once(' ')).ok_or_else(unauthorized)?;
    if !scheme.eq_ignore_ascii_case("bearer") || text.len() > LONGEST_CREDENTIAL {
        return Err(unauthorized());
    }
    Ok(Some(text.trim()))
}

/// Browsers name the page's origin on everything but plain reads of its own server.
fn from_its_page(headers: &HeaderMap, origin: &str, safe: bool) -> Result<()> {
    match headers.get(ORIGIN) {
        Some(shown) if shown.as_bytes() == origin.as_bytes() => Ok(()),
        None if safe => Ok(()),
        _ => Err(wrong_origin()),
    }
}

fn from_our_page(headers: &HeaderMap, app: &App) -> bool {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => return true,
        Some(_) => return headers.get(ORIGIN).is_some_and(|origin| app.front.allows(origin)),
        None => {}
    }
    let Some(origin) = headers.get(ORIGIN) else {
        // No browser leaves out both: nobody's cookie is being abused.
        return true;
    };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let same = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host) == host;
    (same && host.is_some()) || app.front.allows(origin)
}

fn forbidden(scope: Scope) -> Error {
    Error::new(Kind::Forbidden, format!("This token lacks the scope `{}`.", scope.as_str()))
}

pub(super) fn wrong_origin() -> Error {
    Error::new(Kind::WrongOrigin, "This page's origin may not do that.")
}

pub(super) fn unauthorized() -> Error {
    Error::new(Kind::Unauthorized, "This needs a valid token.")
}
