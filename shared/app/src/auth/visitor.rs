//! Visitors of a tenant's pages, pure: short signed tokens, and people whom the tenant's own server vouches for.
//!
//! A visitor token is `docent_vt_<tenant>_<payload>.<mac>`: the tenant is readable, the payload says which publishable
//! token minted it, for whom, for which origin and until when, and HMAC-SHA256 keeps all of it as it was.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::TenantId;

const PREFIX: &str = "docent_vt_";
const SECRET_PREFIX: &str = "docent_vs_";
/// A page renews its visitor's token in the background, so a stolen one is worth little.
pub const LIFETIME_SECONDS: i64 = 3600;
/// So long after its end a token still proves who its visitor was, to be given a new one.
pub const RENEWABLE_SECONDS: i64 = 30 * 24 * 3600;
/// A tenant's server signs a person in for at most this long.
pub const IDENTITY_SECONDS: i64 = 24 * 3600;
/// Characters of a nickname, and of a person's id at the tenant.
pub const LONGEST_NAME: usize = 80;
pub const LONGEST_SUBJECT: usize = 150;

/// Keys derived from the operator's masters for this one purpose. Cheap to clone; empty where no master is set.
#[derive(Clone, Default)]
pub struct Signer(Arc<Vec<(String, Zeroizing<[u8; 32]>)>>);

/// What a visitor token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The master key that the signature derives from.
    #[serde(rename = "m")]
    pub master: String,
    /// The publishable token that minted it; revoking that one ends all its visitors.
    #[serde(rename = "k")]
    pub token: Uuid,
    /// `a:<uuid>` for somebody anonymous, `i:<id>` for a person whom the tenant's server signed for.
    #[serde(rename = "v")]
    pub id: String,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// The only bot that the visitor may talk to; none means the tenant's default one.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub bot: Option<Uuid>,
    #[serde(rename = "o")]
    pub origin: String,
    /// Unix seconds.
    #[serde(rename = "e")]
    pub expires: i64,
}

impl Signer {
    /// The current master's key first.
    pub fn new(keys: Vec<(String, Zeroizing<[u8; 32]>)>) -> Signer {
        Signer(Arc::new(keys))
    }

    /// The id of the master that signs now.
    pub fn current(&self) -> Option<&str> {
        self.0.first().map(|(id, _)| id.as_str())
    }

    fn mac(&self, master: &str, purpose: &[u8], message: &[u8]) -> Option<Hmac<Sha256>> {
        let (_, key) = self.0.iter().find(|(id, _)| id == master)?;
        let mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).ok()?;
        Some(mac.chain_update(purpose).chain_update(b"\0").chain_update(message))
    }

    /// `None` when the master that the visitor names is not configured.
    pub fn sign(&self, tenant: TenantId, visitor: &Visitor) -> Option<SecretString> {
        let payload = BASE64.encode(serde_json::to_vec(visitor).ok()?);
        let body = format!("{PREFIX}{}_{payload}", tenant.uuid().simple());
        let mac = self.mac(&visitor.master, b"token", body.as_bytes())?.finalize().into_bytes();
        Some(format!("{body}.{}", BASE64.encode(mac)).into())
    }

    /// Who a token was signed for, whether or not its time is over.
    pub fn read(&self, text: &str) -> Option<(TenantId, Visitor)> {
        let (body, mac) = text.rsplit_once('.')?;
        let (tenant, payload) = body.strip_prefix(PREFIX)?.split_once('_')?;
        let visitor: Visitor = serde_json::from_slice(&BASE64.decode(payload).ok()?).ok()?;
        let expected = self.mac(&visitor.master, b"token", body.as_bytes())?;
        expected.verify_slice(&BASE64.decode(mac).ok()?).ok()?;
        let tenant = (tenant.len() == 32).then(|| Uuid::try_parse(tenant).ok())??;
        Some((TenantId::stored(tenant), visitor))
    }

    /// What the tenant's server signs its visitors with: derived, so that nothing has to be stored.
    pub fn identity_secret(&self, master: &str, tenant: TenantId, token: Uuid) -> Option<SecretString> {
        let place = [*tenant.uuid().as_bytes(), *token.as_bytes()].concat();
        let secret = self.mac(master, b"identity", &place)?.finalize().into_bytes();
        Some(format!("{SECRET_PREFIX}{}", BASE64.encode(secret)).into())
    }
}

// Keys by their masters' names alone.
impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

/// Whether the tenant's server signed `id` until `expires`: hex of HMAC-SHA256(secret, "<id>\n<unix seconds>").
pub fn vouched(secret: &SecretString, id: &str, expires: i64, signature: &str) -> bool {
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    let mut bytes = [0u8; 32];
    if signature.len() != 64 || !signature.is_ascii() {
        return false;
    }
    for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
        let Ok(value) = u8::from_str_radix(&signature[at..at + 2], 16) else { return false };
        *byte = value;
    }
    mac.chain_update(format!("{id}\n{expires}")).verify_slice(&bytes).is_ok()
}

impl Visitor {
    pub fn alive(&self, now: Timestamp) -> bool {
        self.expires > now.as_second()
    }

    /// Whether its holder may still be given a new token under the same name.
    pub fn renewable(&self, now: Timestamp) -> bool {
        self.expires.saturating_add(RENEWABLE_SECONDS) > now.as_second()
    }

    /// Whose conversations these are.
    pub fn owner(&self) -> String {
        format!("visitor:{}", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    fn signer(ids: &[&str]) -> Signer {
        let key = |id: &&str| (id.to_string(), Zeroizing::new([id.as_bytes()[0]; 32]));
        Signer::new(ids.iter().map(key).collect())
    }

    fn visitor() -> Visitor {
        Visitor {
            master: "k1".into(),
            token: Uuid::from_u128(7),
            id: "a:1".into(),
            nickname: Some("Zoë".into()),
            bot: None,
            origin: "https://shop.example".into(),
            expires: 1_800_000_000,
        }
    }

    #[test]
    fn a_token_reads_back_and_any_change_of_it_reads_as_nothing() {
        let (signer, tenant) = (signer(&["k1"]), TenantId::create(&Clock::system()));
        let text = signer.sign(tenant, &visitor()).unwrap().expose_secret().to_owned();
        assert_eq!(signer.read(&text), Some((tenant, visitor())));
        for position in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[position] = if other[position] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert_eq!(signer.read(&other), None, "position {position}");
        }
        for cut in 0..text.len() {
            assert_eq!(signer.read(&text[..cut]), None);
        }
    }

    #[test]
    fn a_token_outlives_a_rotation_and_dies_with_its_master() {
        let tenant = TenantId::create(&Clock::system());
        let text = signer(&["k1"]).sign(tenant, &visitor()).unwrap();
        assert!(signer(&["n2", "k1"]).read(text.expose_secret()).is_some());
        assert!(signer(&["n2"]).read(text.expose_secret()).is_none());
        assert!(Signer::default().sign(tenant, &visitor()).is_none());
    }

    #[test]
    fn only_the_tenants_server_vouches_for_a_person() {
        let (signer, tenant) = (signer(&["k1"]), TenantId::create(&Clock::system()));
        let secret = signer.identity_secret("k1", tenant, Uuid::from_u128(7)).unwrap();
        let other = signer.identity_secret("k1", tenant, Uuid::from_u128(8)).unwrap();
        assert_ne!(secret.expose_secret(), other.expose_secret());
        let sign = |secret: &SecretString, text: &str| {
            let mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).unwrap();
            let bytes = mac.chain_update(text).finalize().into_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let good = sign(&secret, "user-1\n1800000000");
        assert!(vouched(&secret, "user-1", 1_800_000_000, &good));
        assert!(!vouched(&secret, "user-2", 1_800_000_000, &good));
        assert!(!vouched(&secret, "user-1", 1_800_000_001, &good));
        assert!(!vouched(&other, "user-1", 1_800_000_000, &good));
        for wrong in ["", "00", &"é".repeat(32), &good[..62], &format!("+f{}", &good[2..])] {
            assert!(!vouched(&secret, "user-1", 1_800_000_000, wrong));
        }
    }
}
