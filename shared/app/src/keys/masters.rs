//! The operator's master keys: read once from the environment, refused when they could be guessed, never shown.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::config::{Environment, Error};

const PREFIX: &str = "MASTER_KEY_";
const CURRENT: &str = "MASTER_KEY_CURRENT";
/// The one variable of setups that know a single key; it counts as the master `env0`.
const SINGLE: &str = "ENCRYPTION_KEY";
const SINGLE_ID: &str = "env0";
const MAKE_ONE: &str = "Make one with `openssl rand -base64 32`.";
/// 32 random bytes hold 30 different ones on average; fewer than this happens in less than one of 10¹² keys.
const DISTINCT: usize = 20;
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All masters of the process: the current one seals, every one opens what it sealed. Cheap to clone.
#[derive(Clone, Default)]
pub struct Masters(Arc<Ring>);

#[derive(Default)]
struct Ring {
    current: Option<usize>,
    keys: Vec<Master>,
}

pub(super) struct Master {
    pub id: MasterId,
    pub key: Zeroizing<[u8; 32]>,
}

/// A master's name as blobs carry it: one to four characters, filled up with zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MasterId([u8; 4]);

impl Masters {
    /// `MASTER_KEY_<id>` (base64 of 32 random bytes, any number of them) and `MASTER_KEY_CURRENT` (an id), or
    /// `ENCRYPTION_KEY` alone. None at all is allowed: then nothing can be sealed.
    pub fn read(environment: &Environment) -> Result<Masters, Error> {
        let mut keys: Vec<Master> = Vec::new();
        let named = environment.names_with(PREFIX).map(|id| (format!("{PREFIX}{id}"), id));
        let named = named.filter(|(variable, _)| variable != CURRENT);
        for (variable, id) in named.chain([(SINGLE.to_owned(), SINGLE_ID)]) {
            let Some(text) = environment.get(&variable) else { continue };
            let id = MasterId::parse(id).ok_or_else(|| {
                Error::new(
                    &variable,
                    "does not end in an id of 1 to 4 characters a-z, 0-9.",
                    "Name it e.g. MASTER_KEY_k1.",
                )
            })?;
            let key = decode(&variable, text)?;
            if keys.iter().any(|other| other.id == id) {
                return Err(Error::new(
                    &variable,
                    format!("gives a second master `{id}`."),
                    "Give each master its own id.",
                ));
            }
            if let Some(other) = keys.iter().find(|other| other.key == key) {
                let problem = format!("holds the same key as the master `{}`.", other.id);
                return Err(Error::new(&variable, problem, format!("A rotation needs a new key. {MAKE_ONE}")));
            }
            keys.push(Master { id, key });
        }
        let current = current(environment, &keys)?;
        Ok(Masters(Arc::new(Ring { current, keys })))
    }

    pub fn empty() -> Masters {
        Masters::default()
    }

    /// The name of the master that seals.
    pub fn current_id(&self) -> Option<MasterId> {
        Some(self.current()?.id)
    }

    /// Keys for another purpose than sealing, by their master's id; the current one's first (RFC 5869).
    pub fn derive(&self, purpose: &[u8]) -> Vec<(String, Zeroizing<[u8; 32]>)> {
        let mut order: Vec<usize> = (0..self.0.keys.len()).collect();
        order.sort_by_key(|at| Some(*at) != self.0.current);
        let derived = order.into_iter().filter(|_| self.0.current.is_some()).map(|at| {
            let master = &self.0.keys[at];
            let mut key = Zeroizing::new([0u8; 32]);
            #[expect(
                clippy::expect_used,
                reason = "RFC 5869 §2.3 refuses only outputs beyond 255 blocks; this is one"
            )]
            Hkdf::<Sha256>::new(None, master.key.as_slice())
                .expand(purpose, key.as_mut())
                .expect("32 bytes are one block");
            (master.id.to_string(), key)
        });
        derived.collect()
    }

    /// The master that seals.
    pub(super) fn current(&self) -> Option<&Master> {
        self.0.keys.get(self.0.current?)
    }

    pub(super) fn find(&self, id: MasterId) -> Option<&Master> {
        self.0.keys.iter().find(|master| master.id == id)
    }
}

/// Which master seals. Never guessed between several: sealing under the wrong one is noticed when it is retired.
fn current(environment: &Environment, keys: &[Master]) -> Result<Option<usize>, Error> {
    match (environment.get(CURRENT), keys) {
        (Some(id), _) => {
            let found = keys.iter().position(|master| MasterId::parse(id) == Some(master.id));
            found.map(Some).ok_or_else(|| {
                Error::new(CURRENT, "names a master that is not set.", "Set MASTER_KEY_<id> for the id that it names.")
            })
        }
        (None, []) => Ok(None),
        (None, [only]) if only.id.as_bytes() == SINGLE_ID.as_bytes() => Ok(Some(0)),
        (None, [first, ..]) => Err(Error::new(
            CURRENT,
            "is not set.",
            format!("Name the id of the master that seals, e.g. `{}`.", first.id),
        )),
    }
}

/// The key behind a variable. Its text never becomes part of an error.
fn decode(variable: &str, text: &str) -> Result<Zeroizing<[u8; 32]>, Error> {
    // 64 hex digits are also the base64 of 48 bytes, so they are looked at first.
    let bytes = match variable == SINGLE && text.len() == 64 {
        true => unhex(text),
        false => BASE64.decode(text).ok().map(Zeroizing::new),
    };
    let wrong = |problem: &str| Error::new(variable, problem, MAKE_ONE);
    // What many a template asks for under this name; whatever it spells, it is not 32 bytes of randomness.
    if text.len() == 32 {
        return Err(wrong("is 32 characters, not 32 random bytes."));
    }
    let bytes = bytes.ok_or_else(|| wrong("is not base64."))?;
    let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| wrong("does not hold 32 bytes."))?;
    let key = Zeroizing::new(key);
    match weakness(&key) {
        Some(problem) => Err(wrong(problem)),
        None => Ok(key),
    }
}

fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    let mut digits = text.chars().map(|digit| digit.to_digit(16));
    while let Some(high) = digits.next() {
        bytes.push(u8::try_from(high? << 4 | digits.next()??).ok()?);
    }
    Some(bytes)
}

/// What shows that a person, not a random source, made these bytes.
fn weakness(key: &[u8; 32]) -> Option<&'static str> {
    let step = key[1].wrapping_sub(key[0]);
    if key.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step) {
        return Some("is a sequence, not random bytes.");
    }
    if key.iter().all(|byte| (b' '..=b'~').contains(byte)) {
        return Some("is text, not random bytes.");
    }
    let mut seen = Zeroizing::new([false; 256]);
    key.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    (seen.iter().filter(|seen| **seen).count() < DISTINCT).then_some("repeats itself too much to be random.")
}

impl MasterId {
    fn parse(text: &str) -> Option<MasterId> {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let mut id = [0; 4];
        id.get_mut(..text.len()).filter(|_| plain && !text.is_empty())?.copy_from_slice(text.as_bytes());
        Some(MasterId(id))
    }

    /// As a blob names it: any four bytes, which then match a master or do not.
    pub(super) fn stored(id: [u8; 4]) -> MasterId {
        MasterId(id)
    }

    /// The same out of a row, where a damaged blob may be too short to name a master.
    pub(super) fn read(bytes: &[u8]) -> MasterId {
        MasterId(std::array::from_fn(|place| bytes.get(place).copied().unwrap_or(0)))
    }

    pub(super) fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for MasterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = 4 - self.0.iter().rev().take_while(|byte| **byte == 0).count();
        let trimmed = &self.0[..length];
        write!(formatter, "{}", trimmed.escape_ascii())
    }
}

impl fmt::Debug for MasterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "MasterId({self})")
    }
}

impl fmt::Debug for Masters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Masters([REDACTED])")
    }
}

#[cfg(test)]
mod tests;
