//! Platform tokens: `docent_sk_<tenant>_<30 random><6 checksum>` for servers, `docent_pk_…` for pages. The checksum
//! refuses typing errors without a trip to the database; only the SHA-256 is ever stored.

use secrecy::SecretString;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::TenantId;
use crate::clock::Clock;

const RANDOM: usize = 30;
const CHECKSUM: usize = 6;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Who may hold a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A server's or a person's: never in a page.
    Secret,
    /// Stands in a page: mints visitors for its own origins, and nothing else.
    Publishable,
}

impl TokenKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TokenKind::Secret => "secret",
            TokenKind::Publishable => "publishable",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            TokenKind::Secret => "docent_sk_",
            TokenKind::Publishable => "docent_pk_",
        }
    }
}

/// A token as its owner sees it, once.
pub struct Minted {
    pub text: SecretString,
    pub hash: [u8; 32],
    pub last4: String,
}

/// 30 characters of base 62 are 178 bits.
pub fn mint(kind: TokenKind, tenant: TenantId, clock: &Clock) -> Minted {
    let mut body = format!("{}{}_", kind.prefix(), tenant.uuid().simple());
    // Each character takes a byte; those that would favour some characters over others (248 and above) are drawn again.
    let mut drawn = 0;
    while drawn < RANDOM {
        for byte in clock.random::<64>().into_iter().filter(|byte| *byte < 248).take(RANDOM - drawn) {
            body.push(char::from(BASE62[usize::from(byte) % 62]));
            drawn += 1;
        }
    }
    body.push_str(&checksum(&body));
    let last4 = body[body.len() - 4..].to_owned();
    Minted { hash: hash(&body), text: body.into(), last4 }
}

/// The tenant that a token claims to belong to, when the token is well formed. A claim, not yet a fact.
pub fn claim(kind: TokenKind, text: &str) -> Option<TenantId> {
    let (tenant, secret) = text.strip_prefix(kind.prefix())?.split_once('_')?;
    let well_formed =
        tenant.len() == 32 && secret.len() == RANDOM + CHECKSUM && secret.bytes().all(|b| b.is_ascii_alphanumeric());
    let (body, sum) = text.split_at_checked(text.len().checked_sub(CHECKSUM)?)?;
    (well_formed && checksum(body) == sum).then(|| Uuid::try_parse(tenant).ok().map(TenantId))?
}

pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// CRC-32 (IEEE 802.3, reflected) in base 62, as code hosts do it for their tokens.
fn checksum(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut rest = !crc;
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_token_names_its_tenant_and_a_typo_names_nobody() {
        let clock = Clock::system();
        let tenant = TenantId::create(&clock);
        let kind = TokenKind::Secret;
        let minted = mint(kind, tenant, &clock);
        let text = minted.text.expose_secret().to_owned();
        assert_eq!(claim(kind, &text), Some(tenant));
        assert_eq!(claim(TokenKind::Publishable, &text), None);
        assert_eq!(minted.hash, hash(&text));
        for position in 0..text.len() {
            let mut typo = text.clone().into_bytes();
            typo[position] = if typo[position] == b'a' { b'b' } else { b'a' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(claim(kind, &typo), None, "position {position}");
        }
        for wrong in ["", "docent_sk_", "docent_sk__", "Bearer x", "docent_sk_é_é"] {
            assert_eq!(claim(kind, wrong), None);
        }
    }

    #[test]
    fn the_checksum_is_crc32() {
        // The check value of CRC-32/ISO-HDLC for "123456789" is 0xCBF43926 = 3421780262.
        let mut value: u64 = 0;
        for digit in checksum("123456789").bytes() {
            value = value * 62 + BASE62.iter().position(|b| *b == digit).unwrap() as u64;
        }
        assert_eq!(value, 0xCBF4_3926);
    }
}
