//! Public keys of issuers: JWK (RFC 7517, RFC 7518 §6, RFC 8037) and PEM, and what each of them can verify.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;

/// How a token may be signed. There is no `none`, and nothing that takes the key from the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
    EdDsa,
    Hs256,
}

impl Algorithm {
    /// Those of a key pair. The other one is for an issuer with a shared secret and for nobody else: a public key would
    /// do as its secret (https://www.rfc-editor.org/rfc/rfc8725#section-2.1).
    pub const ASYMMETRIC: [Algorithm; 6] =
        [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa];
    pub const RSA: [Algorithm; 3] = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512];

    pub fn parse(text: &str) -> Option<Algorithm> {
        Some(match text {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            // RFC 9864 gives the one curve that we know a name of its own.
            "EdDSA" | "Ed25519" => Algorithm::EdDsa,
            "HS256" => Algorithm::Hs256,
            _ => return None,
        })
    }
}

/// A key with the name and the algorithm that its issuer gave it.
pub struct Key {
    pub(super) kid: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Uncompressed points (SEC 1 §2.3.3).
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
    /// An RSAPublicKey in DER, out of a PEM file.
    RsaDer(Vec<u8>),
    Shared(SecretString),
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Key {
    /// Nothing for keys that are not for signatures or of a kind that we do not know; secrets are never published.
    pub fn from_jwk(value: &Value) -> Option<Key> {
        let jwk = Jwk::deserialize(value).ok()?;
        let verifies = jwk.r#use.as_ref().is_none_or(|r#use| r#use == "sig")
            && jwk.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|name| name == "verify"));
        if !verifies {
            return None;
        }
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref()?).ok();
        let point = |length: usize| {
            let (x, y) = (bytes(&jwk.x)?, bytes(&jwk.y)?);
            (x.len() == length && y.len() == length).then(|| [&[4], x.as_slice(), &y].concat())
        };
        let material = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => Material::Rsa { n: bytes(&jwk.n)?, e: bytes(&jwk.e)? },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&jwk.x).filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let algorithm = match &jwk.alg {
            Some(name) => Some(Algorithm::parse(name)?),
            None => None,
        };
        Some(Key { kid: jwk.kid, algorithm, material })
    }

    /// `-----BEGIN PUBLIC KEY-----` with an RSA key, as Clerk shows it; hosting consoles turn its line ends into `\n`
    /// or lose them together with the frame.
    pub fn from_pem(text: &str) -> Option<Key> {
        let text = text.replace("\\n", "\n");
        let body = text.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "");
        let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        Some(Key { kid: None, algorithm: None, material: Material::RsaDer(rsa_of(&der)?.to_vec()) })
    }

    pub fn shared(secret: SecretString) -> Key {
        Key { kid: None, algorithm: Some(Algorithm::Hs256), material: Material::Shared(secret) }
    }

    /// Whether the key is of the algorithm's kind: a public key can never serve as a shared secret.
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match self.material {
            Material::Rsa { .. } | Material::RsaDer(_) => Algorithm::RSA.contains(&algorithm),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
            Material::Ed25519(_) => algorithm == Algorithm::EdDsa,
            Material::Shared(_) => algorithm == Algorithm::Hs256,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], mark: &[u8]) -> bool {
        let with = |kind: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(kind, key).verify(signed, mark).is_ok()
        };
        self.fits(algorithm)
            && match &self.material {
                Material::Rsa { n, e } => rsa(algorithm)
                    .is_some_and(|kind| RsaPublicKeyComponents { n, e }.verify(kind, signed, mark).is_ok()),
                Material::RsaDer(key) => rsa(algorithm).is_some_and(|kind| with(kind, key)),
                Material::P256(key) => with(&signature::ECDSA_P256_SHA256_FIXED, key),
                Material::P384(key) => with(&signature::ECDSA_P384_SHA384_FIXED, key),
                Material::Ed25519(key) => with(&signature::ED25519, key),
                Material::Shared(secret) => Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes())
                    .is_ok_and(|mac| mac.chain_update(signed).verify_slice(mark).is_ok()),
            }
    }
}

/// PKCS #1 v1.5 with a modulus of 2,048 to 8,192 bits.
fn rsa(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        _ => None,
    }
}

/// The RSAPublicKey inside a SubjectPublicKeyInfo (RFC 5280 §4.1, RFC 8017 §A.1).
fn rsa_of(der: &[u8]) -> Option<&[u8]> {
    const RSA_ENCRYPTION: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    const SEQUENCE: u8 = 0x30;
    const BIT_STRING: u8 = 0x03;
    let (info, rest) = element(der, SEQUENCE)?;
    let (algorithm, key) = element(info, SEQUENCE)?;
    let (key, after) = element(key, BIT_STRING)?;
    let sound = rest.is_empty() && after.is_empty() && algorithm == RSA_ENCRYPTION;
    // The first byte of a bit string counts the unused bits of its last one.
    key.strip_prefix(&[0]).filter(|_| sound)
}

/// The content of a DER element with the tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA9v9Gs5frEq9R0YiIvw0V
1MKah8+2x3L9AkwYiei7kgAxOWVlW+ZHUUCFSnA4uP46l1N9PGjszbzch7zRYcbI
MNMfalJEaA5XOrztr6bvVpJbnQOMbGOPeqq4fiP983Ky8/7eZPjYAt+EuC4Ks/28
IJrCtM1e2GiR7icrZSRTzxci8wuZFRiRdU7tL8SCEIhbxme+b6Ywuz3WcTFf67sh
QVOj8g0dEFc7c4rUFyicN9xVc3hJjv+QjKoj8m9vvcZZ+mqapSmquCimYE989v4Y
TrJhGqV0oMx6TkNlN5rOLOYyj93XkZbuVoppC20Dtm9gi+AbUa7vvg8mdAdf6f4K
iwIDAQAB
-----END PUBLIC KEY-----
";

    #[test]
    fn a_pem_survives_a_hosting_console() {
        let bare: String = PEM.lines().filter(|line| !line.starts_with('-')).collect();
        for text in [PEM, &PEM.replace('\n', "\\n"), &PEM.replace('\n', " "), &bare] {
            let key = Key::from_pem(text).unwrap();
            assert!(key.fits(Algorithm::Rs256) && !key.fits(Algorithm::Es256) && !key.fits(Algorithm::Hs256));
        }
        for text in ["", "-----BEGIN PUBLIC KEY-----", &PEM.replace("MIIBIjAN", "MIIBIjAM"), &bare[..200]] {
            assert!(Key::from_pem(text).is_none(), "{text}");
        }
    }

    #[test]
    fn only_public_signature_keys_are_taken() {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        let ed25519 = json!({"kty": "OKP", "crv": "Ed25519", "x": x});
        let with = |name: &str, value: Value| {
            let mut jwk = ed25519.clone();
            jwk[name] = value;
            Key::from_jwk(&jwk)
        };
        let plain = Key::from_jwk(&ed25519).unwrap();
        assert!(plain.fits(Algorithm::EdDsa));
        for other in [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Hs256] {
            assert!(!plain.fits(other));
        }
        assert!(with("use", json!("sig")).is_some() && with("key_ops", json!(["verify"])).is_some());
        assert!(with("alg", json!("EdDSA")).unwrap().fits(Algorithm::EdDsa));
        assert!(!with("alg", json!("RS256")).unwrap().fits(Algorithm::EdDsa));
        for (name, value) in [
            ("use", json!("enc")),
            ("key_ops", json!(["sign"])),
            ("alg", json!("ECDH-ES")),
            ("crv", json!("X25519")),
            ("kty", json!("EC")),
            ("x", json!("AQ")),
            ("x", json!(1)),
        ] {
            assert!(with(name, value.clone()).is_none(), "{name}: {value}");
        }
        assert!(Key::from_jwk(&json!({"kty": "oct", "k": x, "alg": "HS256"})).is_none());
    }
}
