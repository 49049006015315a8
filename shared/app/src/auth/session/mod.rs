//! Sessions of people who signed in elsewhere: Auth.js 4 and 5, Clerk, and any issuer that follows OpenID Connect.
//! Pure verification: the only thing that it ever asks for is an issuer's published keys.

mod auth_js;
mod claims;
mod cookies;
mod issuer;
mod jwe;
mod jwk;
mod jwks;
mod jws;
mod refusal;

use std::borrow::Cow;
use std::sync::Arc;

use docent_llm::Transport;
use secrecy::SecretString;
use sha2::{Digest, Sha256};

pub use claims::{Claim, Places};
pub use jwk::{Algorithm, Key};
pub use jwks::Place;
pub use refusal::Refusal;

use self::auth_js::AuthJs;
use self::claims::Claims;
use self::issuer::Issuer;
use self::jws::Token;
use super::Role;
use crate::clock::Clock;
use crate::config;
use crate::error::Result;

/// The longest token that is looked at; larger ones are refused unread.
pub const MAX_TOKEN: usize = 16 * 1024;
/// The issuer of people from Auth.js, which writes none into its tokens. Those of others are addresses.
pub const AUTH_JS: &str = "authjs";
const CLERK_COOKIE: &str = "__session";
/// A row's key in the front end's table of sessions: a UUID or some random characters, never a token with dots.
const OPAQUE: std::ops::RangeInclusive<usize> = 16..=255;

/// What a request brought along.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// What stood behind `Authorization: Bearer`.
    Bearer(&'a str),
    /// The request's `Cookie` header; of several, all of them joined by `; `.
    Cookies(&'a str),
}

/// Somebody whom a trusted issuer vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub issuer: String,
    pub subject: String,
    /// Who the tenant is. None: the person alone, who then owns it.
    pub organisation: Option<String>,
    pub role: Role,
    pub name: Option<String>,
}

/// All issuers that the operator trusts. Cheap to clone; the clones share the fetched keys.
#[derive(Clone)]
pub struct Sessions {
    clock: Clock,
    shared: Arc<Shared>,
}

struct Shared {
    default_role: Role,
    auth_js: Option<AuthJs>,
    issuers: Vec<Issuer>,
}

impl Sessions {
    pub fn new(settings: config::Sessions, transport: Transport, clock: Clock) -> Sessions {
        let issuers = settings.issuers.into_iter().map(|issuer| Issuer::new(issuer, transport.clone())).collect();
        let auth_js = settings.auth_js.map(AuthJs::new);
        Sessions { clock, shared: Arc::new(Shared { default_role: settings.default_role, auth_js, issuers }) }
    }

    /// The same issuers and fetched keys at another time.
    pub fn with_clock(self, clock: Clock) -> Sessions {
        Sessions { clock, ..self }
    }

    /// Whether anybody can sign in at all.
    pub fn configured(&self) -> bool {
        self.shared.auth_js.is_some() || !self.shared.issuers.is_empty()
    }

    /// Every refusal is the same to the caller; [`Refusal`] is the error's source, for the log.
    pub async fn verify(&self, presented: Presented<'_>) -> Result<Person> {
        let found = match presented {
            Presented::Bearer(text) => self.token(text, None).await,
            Presented::Cookies(header) => self.cookies(header).await,
        };
        Ok(found?)
    }

    /// The key of a session that lies in the front end's database (`AUTH_SESSIONS=database`): `verify` cannot judge
    /// it. `control.session_subject` can, for one more trip; [`Sessions::stored`] then says who it is.
    pub fn opaque(&self, presented: Presented<'_>) -> Option<SecretString> {
        let auth_js = self.shared.auth_js.as_ref().filter(|auth_js| auth_js.database())?;
        let value = match presented {
            Presented::Bearer(text) => Cow::Borrowed(text),
            Presented::Cookies(header) => auth_js.find(header).into_iter().find_map(|(_, value)| value.ok())?,
        };
        let characters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (OPAQUE.contains(&value.len()) && value.bytes().all(characters)).then(|| value.into_owned().into())
    }

    /// The person behind a session of the front end's database, whose table knows no organisations.
    pub fn stored(&self, subject: String) -> Person {
        Person { issuer: AUTH_JS.to_owned(), subject, organisation: None, role: Role::Owner, name: None }
    }

    /// The first cookie that holds; when none does, what was wrong with the first one there was.
    async fn cookies(&self, header: &str) -> Result<Person, Refusal> {
        let mut found = self.shared.auth_js.as_ref().map(|auth_js| auth_js.find(header)).unwrap_or_default();
        if self.shared.issuers.iter().any(Issuer::is_clerk)
            && let Some(value) = cookies::value(header, CLERK_COOKIE).transpose()
        {
            found.push((CLERK_COOKIE, value));
        }
        let mut refusal = None;
        for (name, value) in found {
            let judged = match value {
                Ok(value) => self.token(&value, Some(name)).await,
                Err(refusal) => Err(refusal),
            };
            match judged {
                Ok(person) => return Ok(person),
                Err(reason) => refusal = refusal.or(Some(reason)),
            }
        }
        Err(refusal.unwrap_or(Refusal::Absent))
    }

    async fn token(&self, text: &str, cookie: Option<&str>) -> Result<Person, Refusal> {
        if text.len() > MAX_TOKEN {
            return Err(Refusal::TooLarge);
        }
        let now = self.clock.now().as_second();
        let clerk_cookie = cookie == Some(CLERK_COOKIE);
        match text.bytes().filter(|byte| *byte == b'.').count() {
            2 if cookie.is_none() || clerk_cookie => {
                let token = Token::parse(text)?;
                let named = |issuer: &&Issuer| Some(issuer.name()) == token.issuer();
                let issuer = self.shared.issuers.iter().find(named).ok_or(Refusal::Issuer)?;
                if clerk_cookie && !issuer.is_clerk() {
                    return Err(Refusal::Issuer);
                }
                issuer.person(token, now, self.shared.default_role).await
            }
            4 if !clerk_cookie => {
                let auth_js = self.shared.auth_js.as_ref().ok_or(Refusal::Issuer)?;
                auth_js.person(text, cookie, now, self.shared.default_role)
            }
            _ => Err(Refusal::Malformed),
        }
    }
}

impl Person {
    /// What the tenant is made of: the organisation, or else the person.
    pub fn group(&self) -> &str {
        self.organisation.as_deref().unwrap_or(&self.subject)
    }

    /// Whose conversations these are; the column holds 300 characters, and no provider's usual id is as long.
    pub fn owner(&self) -> String {
        match self.subject.chars().count() {
            0..=250 => format!("person:{}", self.subject),
            _ => format!("person-hash:{}", self.fingerprint()),
        }
    }

    /// A short name for counting, whatever the provider's ids look like.
    pub fn fingerprint(&self) -> String {
        let digest = Sha256::digest(format!("{}\n{}", self.issuer, self.subject));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn new(issuer: &str, claims: &Claims, places: &Places, default: Role) -> Result<Person, Refusal> {
        let organisation = claims::organisation(claims, places.organisation.as_ref())?;
        let role = match &organisation {
            // Nobody else could give a role in somebody's own tenant.
            None => Role::Owner,
            Some(_) => claims::role(claims, places.role.as_ref()).unwrap_or(default),
        };
        let (subject, name) = (claims::subject(claims)?, claims::name(claims));
        Ok(Person { issuer: issuer.to_owned(), subject, organisation, role, name })
    }
}
