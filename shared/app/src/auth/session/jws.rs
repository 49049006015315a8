//! Signed tokens in compact form (RFC 7515): taken apart here, believed only after an issuer's key has verified them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::claims::Claims;
use super::jwk::{Algorithm, Key};
use super::refusal::Refusal;

/// A token in its parts. Its claims are nobody's word yet; only the issuer may be read, to choose the keys.
pub(super) struct Token<'a> {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    /// Whether it calls itself an access token (RFC 9068) rather than a plain one.
    pub access: bool,
    claims: Claims,
    signed: &'a str,
    mark: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
}

impl<'a> Token<'a> {
    pub fn parse(text: &'a str) -> Result<Token<'a>, Refusal> {
        let (signed, mark) = text.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Refusal::Malformed)?;
        let (algorithm, access) = (header.algorithm()?, header.access()?);
        let claims = serde_json::from_slice(&decode(claims)?).map_err(|_| Refusal::Malformed)?;
        Ok(Token { algorithm, kid: header.kid, access, claims, signed, mark: decode(mark)? })
    }

    /// Who the token says it is from: good for choosing the keys that will tell.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    pub fn verified(self, key: &Key) -> Result<Claims, Refusal> {
        match key.verifies(self.algorithm, self.signed.as_bytes(), &self.mark) {
            true => Ok(self.claims),
            false => Err(Refusal::Forged),
        }
    }
}

impl Header {
    fn algorithm(&self) -> Result<Algorithm, Refusal> {
        if self.crit.is_some() {
            return Err(Refusal::Critical);
        }
        if self.jwk.is_some() || self.jku.is_some() || self.x5c.is_some() || self.x5u.is_some() {
            return Err(Refusal::EmbeddedKey);
        }
        Algorithm::parse(&self.alg).ok_or(Refusal::Algorithm)
    }

    /// Sessions and identity tokens are a plain `JWT` everywhere, access tokens may be `at+jwt`. Anything else is a
    /// token for another purpose, signed with the same keys.
    fn access(&self) -> Result<bool, Refusal> {
        let kind = self.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        match kind.strip_prefix("application/").unwrap_or(&kind) {
            "jwt" => Ok(false),
            "at+jwt" => Ok(true),
            _ => Err(Refusal::Type),
        }
    }
}
