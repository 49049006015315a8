//! An issuer of signed tokens: Clerk, or any that follows OpenID Connect. What its tokens must say to be believed.

use std::sync::Arc;

use serde_json::Value;

use super::Person;
use super::claims::{self, Claim, Claims, Places};
use super::jwk::Key;
use super::jwks::{Published, Wanted};
use super::jws::Token;
use super::refusal::Refusal;
use crate::auth::Role;
use crate::config::{Dialect, Issuer as Settings, IssuerKeys};

/// Seconds that clocks may differ; Clerk documents its own.
const SKEW: i64 = 15;
const CLERK_SKEW: i64 = 5;
/// What the operator writes among Clerk's parties to let in apps that run outside a browser.
const NATIVE: &str = "native";

pub(super) struct Issuer {
    settings: Settings,
    keys: Keys,
}

enum Keys {
    Fixed(Arc<Key>),
    Published(Published),
}

impl Issuer {
    pub fn new(settings: Settings, transport: docent_llm::Transport) -> Issuer {
        let keys = match settings.keys.clone() {
            IssuerKeys::Fixed(key) => Keys::Fixed(key),
            IssuerKeys::Published(place) => Keys::Published(Published::new(place, transport)),
        };
        Issuer { settings, keys }
    }

    pub fn name(&self) -> &str {
        &self.settings.name
    }

    pub fn is_clerk(&self) -> bool {
        matches!(self.settings.dialect, Dialect::Clerk)
    }

    /// The keys are chosen by the issuer that the token claims; its signature then covers that claim.
    pub async fn person(&self, token: Token<'_>, now: i64, default: Role) -> Result<Person, Refusal> {
        if !self.settings.algorithms.contains(&token.algorithm) {
            return Err(Refusal::Algorithm);
        }
        if self.is_clerk() && token.access {
            return Err(Refusal::Type);
        }
        let key = match &self.keys {
            Keys::Fixed(key) => key.clone(),
            Keys::Published(keys) => {
                keys.key(Wanted { kid: token.kid.as_deref(), algorithm: token.algorithm }, now).await?
            }
        };
        let claims = token.verified(&key)?;
        let places = match &self.settings.dialect {
            Dialect::Clerk => self.clerk(&claims, now)?,
            Dialect::Oidc(places) => self.oidc(&claims, now).map(|()| places.clone())?,
        };
        Person::new(self.name(), &claims, &places, default)
    }

    fn oidc(&self, claims: &Claims, now: i64) -> Result<(), Refusal> {
        claims::times(claims, now, SKEW)?;
        if !self.settings.audience.is_empty() {
            claims::audience(claims, &self.settings.audience)?;
        }
        if !self.settings.parties.is_empty() {
            claims::party(claims, &self.settings.parties)?;
        }
        Ok(())
    }

    /// https://clerk.com/docs/guides/sessions/session-tokens
    fn clerk(&self, claims: &Claims, now: i64) -> Result<Places, Refusal> {
        claims::times(claims, now, CLERK_SKEW)?;
        // A token with an audience was made from a template, for somebody in particular.
        if claims.contains_key("aud") || !self.settings.audience.is_empty() {
            claims::audience(claims, &self.settings.audience)?;
        }
        // Clerk's own verifier lets a token without `azp` pass; only apps without an origin get such a one.
        let native = !claims.contains_key("azp") && self.settings.parties.iter().any(|party| party == NATIVE);
        if !native {
            claims::party(claims, &self.settings.parties)?;
        }
        if claims.get("sts").is_some_and(|status| status != "active") {
            return Err(Refusal::Pending);
        }
        let place = |name: &str| Some(Claim(name.to_owned()));
        Ok(match claims.get("v").and_then(Value::as_u64) {
            Some(2) => Places { organisation: place("/o/id"), role: place("/o/rol") },
            _ => Places { organisation: place("org_id"), role: place("org_role") },
        })
    }
}
