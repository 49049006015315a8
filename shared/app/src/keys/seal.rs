//! The envelope around a secret, pure: a random data key seals the secret, a master wraps the data key, and both are
//! bound to where the secret belongs, so that a blob that was copied elsewhere does not open.
//!
//! ```text
//! 0x01 | master id 4 | wrap nonce 24 | wrapped data key 32+16 | commitment 16 | nonce 24 | ciphertext | tag 16
//! ```

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::masters::{Master, MasterId, Masters};
use crate::clock::Clock;

const VERSION: u8 = 1;
const LABEL: &[u8] = b"docent/byok/v1";
/// Everything before the commitment depends on the master; everything from there on does not.
const WRAP: usize = 1 + 4 + NONCE + DATA_KEY + TAG;
const NONCE: usize = 24;
const DATA_KEY: usize = 32;
const TAG: usize = 16;
const COMMITMENT: usize = 16;

/// Where a secret belongs. A blob opens in this place and in no other.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    pub tenant: Uuid,
    pub provider: &'a str,
    pub row: Uuid,
    /// Of the base URL: whoever redirects the endpoint must bring the key again.
    pub origin: &'a str,
}

/// Why a blob was not made or not opened. Says nothing about the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no master key is configured")]
    NoMaster,
    #[error("the blob names the master key `{0}`, which is not configured")]
    UnknownMaster(MasterId),
    #[error("the blob is damaged or belongs to another place")]
    Damaged,
}

pub fn seal(masters: &Masters, context: &Context<'_>, secret: &[u8], clock: &Clock) -> Result<Vec<u8>, Refusal> {
    let master = masters.current().ok_or(Refusal::NoMaster)?;
    let place = context.encode();
    let data_key = Zeroizing::new(clock.random::<DATA_KEY>());
    let derived = Derived::from(&data_key, &place);
    let nonce = clock.random::<NONCE>();
    let mut blob = wrap(master, &place, &data_key, clock)?;
    blob.extend_from_slice(&derived.commitment);
    blob.extend_from_slice(&nonce);
    blob.extend(encrypt(&derived.key, &nonce, &place, secret)?);
    Ok(blob)
}

pub fn open(masters: &Masters, context: &Context<'_>, blob: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let parts = Parts::read(blob).ok_or(Refusal::Damaged)?;
    let place = context.encode();
    let (_, derived) = unwrap(masters, &place, &parts)?;
    decrypt(&derived.key, parts.nonce, &place, parts.ciphertext)
}

/// The same secret under the current master; `None` when it already is. Only the wrap changes, so a rotation never
/// touches what was sealed.
pub fn rewrap(
    masters: &Masters,
    context: &Context<'_>,
    blob: &[u8],
    clock: &Clock,
) -> Result<Option<Vec<u8>>, Refusal> {
    let parts = Parts::read(blob).ok_or(Refusal::Damaged)?;
    let current = masters.current().ok_or(Refusal::NoMaster)?;
    if parts.master == current.id {
        return Ok(None);
    }
    let place = context.encode();
    let (data_key, _) = unwrap(masters, &place, &parts)?;
    let mut rewrapped = wrap(current, &place, &data_key, clock)?;
    rewrapped.extend_from_slice(&blob[WRAP..]);
    Ok(Some(rewrapped))
}

impl Context<'_> {
    /// Length prefixes keep two different places from ever writing the same bytes.
    fn encode(&self) -> Vec<u8> {
        let mut place = LABEL.to_vec();
        for part in [self.tenant.as_bytes(), self.provider.as_bytes(), self.row.as_bytes(), self.origin.as_bytes()] {
            place.extend_from_slice(&(part.len() as u64).to_be_bytes());
            place.extend_from_slice(part);
        }
        place
    }
}

/// What the data key is used through. The cipher does not commit to its key (one ciphertext may open under two), so
/// a second value derived from the same data key does.
struct Derived {
    key: Zeroizing<[u8; DATA_KEY]>,
    commitment: [u8; COMMITMENT],
}

impl Derived {
    fn from(data_key: &[u8; DATA_KEY], place: &[u8]) -> Derived {
        let mut derived = Derived { key: Zeroizing::default(), commitment: [0; COMMITMENT] };
        let mut output = Zeroizing::new([0u8; DATA_KEY + COMMITMENT]);
        #[expect(clippy::expect_used, reason = "RFC 5869 §2.3 refuses only outputs beyond 255 blocks; this is two")]
        Hkdf::<Sha256>::new(None, data_key).expand(place, output.as_mut()).expect("48 bytes are two blocks");
        let (key, commitment) = output.split_at(DATA_KEY);
        derived.key.copy_from_slice(key);
        derived.commitment.copy_from_slice(commitment);
        derived
    }
}

fn wrap(master: &Master, place: &[u8], data_key: &[u8; DATA_KEY], clock: &Clock) -> Result<Vec<u8>, Refusal> {
    let nonce = clock.random::<NONCE>();
    let mut blob = vec![VERSION];
    blob.extend_from_slice(master.id.as_bytes());
    blob.extend_from_slice(&nonce);
    blob.extend(encrypt(&master.key, &nonce, &[place, master.id.as_bytes()].concat(), data_key)?);
    Ok(blob)
}

/// Only the master that the blob names is tried: trying several would let a forger choose among them.
fn unwrap(masters: &Masters, place: &[u8], parts: &Parts<'_>) -> Result<(Zeroizing<[u8; DATA_KEY]>, Derived), Refusal> {
    let master = masters.find(parts.master).ok_or(Refusal::UnknownMaster(parts.master))?;
    let bytes = decrypt(&master.key, parts.wrap_nonce, &[place, master.id.as_bytes()].concat(), parts.wrapped)?;
    let mut data_key = Zeroizing::new([0u8; DATA_KEY]);
    data_key.copy_from_slice(bytes.get(..DATA_KEY).ok_or(Refusal::Damaged)?);
    let derived = Derived::from(&data_key, place);
    let committed: bool = derived.commitment.ct_eq(parts.commitment).into();
    if committed { Ok((data_key, derived)) } else { Err(Refusal::Damaged) }
}

/// The cipher refuses only messages beyond 256 GiB.
fn encrypt(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], message: &[u8]) -> Result<Vec<u8>, Refusal> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.encrypt(&XNonce::from(*nonce), Payload { msg: message, aad }).map_err(|_| Refusal::Damaged)
}

fn decrypt(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], message: &[u8]) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let cipher = XChaCha20Poly1305::new(key.into());
    let opened = cipher.decrypt(&XNonce::from(*nonce), Payload { msg: message, aad });
    opened.map(Zeroizing::new).map_err(|_| Refusal::Damaged)
}

/// A blob, cut at its borders.
struct Parts<'a> {
    master: MasterId,
    wrap_nonce: &'a [u8; NONCE],
    wrapped: &'a [u8; DATA_KEY + TAG],
    commitment: &'a [u8; COMMITMENT],
    nonce: &'a [u8; NONCE],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(blob: &'a [u8]) -> Option<Parts<'a>> {
        let rest = blob.strip_prefix(&[VERSION])?;
        let (id, rest) = rest.split_first_chunk()?;
        let (wrap_nonce, rest) = rest.split_first_chunk()?;
        let (wrapped, rest) = rest.split_first_chunk()?;
        let (commitment, rest) = rest.split_first_chunk()?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        Some(Parts { master: MasterId::stored(*id), wrap_nonce, wrapped, commitment, nonce, ciphertext })
    }
}

#[cfg(test)]
mod tests;
