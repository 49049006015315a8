//! The encrypted tokens of Auth.js: JWE in compact form, `alg: dir` (RFC 7516, RFC 7518 §5), under keys derived from
//! the front end's secret. What does not open is refused with one reason, whatever it failed at.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::claims::Claims;
use super::refusal::Refusal;

/// The two ways in which Auth.js encrypts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// `A256GCM`: version 4; version 5 still reads it.
    Gcm,
    /// `A256CBC-HS512`: version 5.
    CbcHmac,
}

/// One key for each secret, cookie name and way of encrypting, derived once.
pub(super) struct Keyring(Vec<Key>);

struct Key {
    cookie: String,
    content: Content,
    /// The name that version 5 writes into the header: the thumbprint of the key (RFC 7638).
    kid: Option<String>,
    bytes: Zeroizing<Vec<u8>>,
}

/// Which major version of Auth.js sets a cookie of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Four,
    Five,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    kid: Option<String>,
    crit: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

impl Keyring {
    pub fn new(secrets: &[SecretString], cookies: impl IntoIterator<Item = (String, Version)>) -> Keyring {
        let mut keys = Vec::new();
        for (cookie, version) in cookies {
            for secret in secrets {
                match version {
                    Version::Four => keys.push(Key::four(secret, &cookie)),
                    Version::Five => {
                        keys.extend([Content::CbcHmac, Content::Gcm].map(|content| Key::five(secret, &cookie, content)))
                    }
                }
            }
        }
        Keyring(keys)
    }

    /// `cookie` is where the token was found; a bearer token may be any cookie's.
    pub fn open(&self, token: &str, cookie: Option<&str>) -> Result<Claims, Refusal> {
        let parts: Vec<&str> = token.split('.').collect();
        let [protected, "", iv, sealed, tag] = parts[..] else { return Err(Refusal::Malformed) };
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed);
        let header: Header = serde_json::from_slice(&decode(protected)?).map_err(|_| Refusal::Malformed)?;
        let content = header.content()?;
        let parts = Parts { protected, iv: decode(iv)?, sealed: decode(sealed)?, tag: decode(tag)? };
        let fits = |key: &&Key| {
            key.content == content
                && cookie.is_none_or(|cookie| key.cookie == cookie)
                && header.kid.as_ref().is_none_or(|kid| key.kid.as_ref() == Some(kid))
        };
        let mut candidates = self.0.iter().filter(fits).peekable();
        if candidates.peek().is_none() {
            return Err(Refusal::Key);
        }
        let plain = candidates.find_map(|key| key.open(&parts)).ok_or(Refusal::Forged)?;
        serde_json::from_slice(&plain).map_err(|_| Refusal::Malformed)
    }
}

impl Header {
    fn content(&self) -> Result<Content, Refusal> {
        if self.crit.is_some() {
            return Err(Refusal::Critical);
        }
        // A compressed token could unfold to any size.
        if self.alg != "dir" || self.zip.is_some() {
            return Err(Refusal::Algorithm);
        }
        match self.enc.as_str() {
            "A256GCM" => Ok(Content::Gcm),
            "A256CBC-HS512" => Ok(Content::CbcHmac),
            _ => Err(Refusal::Algorithm),
        }
    }
}

struct Parts<'a> {
    protected: &'a str,
    iv: Vec<u8>,
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

impl Key {
    fn four(secret: &SecretString, cookie: &str) -> Key {
        let bytes = derive(secret, "", "NextAuth.js Generated Encryption Key", 32);
        Key { cookie: cookie.to_owned(), content: Content::Gcm, kid: None, bytes }
    }

    fn five(secret: &SecretString, cookie: &str, content: Content) -> Key {
        let length = if content == Content::Gcm { 32 } else { 64 };
        let bytes = derive(secret, cookie, &format!("Auth.js Generated Encryption Key ({cookie})"), length);
        let jwk =
            Zeroizing::new(format!(r#"{{"k":"{}","kty":"oct"}}"#, *Zeroizing::new(URL_SAFE_NO_PAD.encode(&bytes))));
        let kid = match content {
            Content::Gcm => URL_SAFE_NO_PAD.encode(Sha256::digest(jwk.as_bytes())),
            Content::CbcHmac => URL_SAFE_NO_PAD.encode(Sha512::digest(jwk.as_bytes())),
        };
        Key { cookie: cookie.to_owned(), content, kid: Some(kid), bytes }
    }

    fn open(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        match self.content {
            Content::Gcm => self.open_gcm(parts),
            Content::CbcHmac => self.open_cbc_hmac(parts),
        }
    }

    fn open_gcm(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        if parts.tag.len() != AES_256_GCM.tag_len() {
            return None;
        }
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.bytes).ok()?);
        let nonce = Nonce::try_assume_unique_for_key(&parts.iv).ok()?;
        let mut buffer = [parts.sealed.as_slice(), &parts.tag].concat();
        let length = key.open_in_place(nonce, Aad::from(parts.protected.as_bytes()), &mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }

    /// RFC 7518 §5.2.2.2. Nothing is decrypted before the tag is right, so that padding tells nobody anything.
    fn open_cbc_hmac(&self, parts: &Parts<'_>) -> Option<Vec<u8>> {
        let (authentication, encryption) = self.bytes.split_at_checked(32)?;
        if parts.tag.len() != 32 {
            return None;
        }
        let bits = u64::try_from(parts.protected.len()).ok()? * 8;
        let mut mac = Hmac::<Sha512>::new_from_slice(authentication).ok()?;
        mac.update(parts.protected.as_bytes());
        mac.update(&parts.iv);
        mac.update(&parts.sealed);
        mac.update(&bits.to_be_bytes());
        mac.verify_truncated_left(&parts.tag).ok()?;
        let cipher = cbc::Decryptor::<Aes256>::new_from_slices(encryption, &parts.iv).ok()?;
        let mut buffer = parts.sealed.clone();
        let length = cipher.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len();
        buffer.truncate(length);
        Some(buffer)
    }
}

fn derive(secret: &SecretString, salt: &str, info: &str, length: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    let derivation = Hkdf::<Sha256>::new(Some(salt.as_bytes()), secret.expose_secret().as_bytes());
    #[expect(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes; the lengths here are 32 and 64")]
    derivation.expand(info.as_bytes(), &mut bytes).expect("a key has a length that HKDF gives");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by next-auth 4.24.15 and @auth/core 0.41.3.
    const FOUR: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..EFYAKFUQpdv_YkfL.ZGvBNXpqlmKeWxbpXV-FuZ12CQpmaMddg0oMkRw\
        01aDr8X-hpS2br8ZUtksuRZeK4N7Cg3yJ1mRUCnPIN9nlcWcuTxP58pm-DzzezMIgyZ6TdZNb89DOKokKkg.4oIwTzaJ98NpprH8dmXZjA";
    const FIVE: &str = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2Q0JDLUhTNTEyIiwia2lkIjoiRGVMNmVJWEZXc1dycHdxOUdmbHZ2bEk0QTk1NFRQYW\
        xhcUY5MFZQR3B2THFYSlp6NnVZSEtTN0JSZDEtRjI0NmgyTmVwMFVLU3hoYnFiWno0REhTYXcifQ..ragqP8Sfkk_YQrNAgwGjaQ.n0XQCOD_R\
        V8R0FB4mI8-mt5h4HRCdIL9IJ-xoBWAZDVGvamROrKeyJrIJqC7ntA-MCqTjpbrt2wJFZreG04b40zmNf7ClUCBvl_ivGpxbWWLZBysUtnE-sU\
        2qR4Vs5bu.EK4TLHNfL1RETlfZqDtAL_FAle7ue0PEflP-5jdQylk";

    fn keyring() -> Keyring {
        let secrets = ["a newer secret of both", "a secret of version four", "a secret of version five"];
        let cookies = [("authjs.session-token", Version::Five), ("next-auth.session-token", Version::Four)];
        let cookies = cookies.map(|(name, version)| (name.to_owned(), version));
        Keyring::new(&secrets.map(SecretString::from), cookies)
    }

    #[test]
    fn each_version_opens_under_its_cookie_alone() {
        let keyring = keyring();
        for (token, own, other) in [
            (FOUR, "next-auth.session-token", "authjs.session-token"),
            (FIVE, "authjs.session-token", "next-auth.session-token"),
        ] {
            assert_eq!(keyring.open(token, Some(own)).unwrap()["sub"], "u1");
            assert_eq!(keyring.open(token, None).unwrap()["sub"], "u1");
            assert!(keyring.open(token, Some(other)).is_err());
        }
        assert_eq!(Keyring::new(&[], []).open(FOUR, None), Err(Refusal::Key));
    }

    #[test]
    fn no_character_can_be_changed_or_left_out() {
        let keyring = keyring();
        for token in [FOUR, FIVE] {
            for at in 0..token.len() {
                let other = if token.as_bytes()[at] == b'A' { "B" } else { "A" };
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert!(keyring.open(&changed, None).is_err(), "changed at {at}");
                let shorter = format!("{}{}", &token[..at], &token[at + 1..]);
                assert!(keyring.open(&shorter, None).is_err(), "without {at}");
                assert!(keyring.open(&token[..at], None).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_header_asks_for_nothing_else() {
        let refused = |header: &str| {
            let rest = FOUR.split_once('.').unwrap().1;
            keyring().open(&format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header)), None).unwrap_err()
        };
        for (header, refusal) in [
            (r#"{"alg":"A256KW","enc":"A256GCM"}"#, Refusal::Algorithm),
            (r#"{"alg":"none","enc":"A256GCM"}"#, Refusal::Algorithm),
            (r#"{"alg":"dir","enc":"A128GCM"}"#, Refusal::Algorithm),
            (r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#, Refusal::Algorithm),
            (r#"{"alg":"dir","enc":"A256GCM","crit":["exp"]}"#, Refusal::Critical),
            (r#"{"alg":"dir","enc":"A256GCM","kid":"nobody"}"#, Refusal::Key),
            (r#"{"alg":"dir","enc":"A256GCM","alg":"dir"}"#, Refusal::Malformed),
            (r#"{"alg":"dir", "enc":"A256GCM"}"#, Refusal::Forged),
            ("[]", Refusal::Malformed),
        ] {
            assert_eq!(refused(header), refusal, "{header}");
        }
    }
}
