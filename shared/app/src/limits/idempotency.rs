//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): what was created once is not created twice. Claim,
//! creation and answer are one transaction, so a request that died leaves nothing behind.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::store;
use crate::db::TenantTx;
use crate::error::{Error, Kind, Result};

/// How long a key is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a request waits for its running twin before it is refused.
pub const TWIN_PATIENCE: Duration = Duration::from_secs(2);

pub const LONGEST_KEY: usize = 255;

/// A request that may be sent again: its key, and what it asks for.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(super) key: String,
    pub(super) hash: [u8; 32],
}

impl Attempt {
    /// `address` is the method and path: a key belongs to one of them.
    pub fn new(key: &[u8], address: &str, body: &[u8]) -> Result<Attempt> {
        let key = std::str::from_utf8(key).unwrap_or_default();
        if !(1..=LONGEST_KEY).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::invalid(format!(
                "`Idempotency-Key` holds 1 to {LONGEST_KEY} visible ASCII characters."
            ))
            .hint("Send a random UUID, the same one with each retry."));
        }
        let hash = Sha256::new().chain_update(address).chain_update([0]).chain_update(body).finalize().into();
        Ok(Attempt { key: key.to_owned(), hash })
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Once<T, K = Value> {
    Made(T),
    /// An earlier request made it; this is what was kept of it.
    Replayed(K),
}

impl<T: DeserializeOwned> Once<T> {
    /// What was made, and whether that was earlier.
    pub fn read(self) -> Result<(T, bool)> {
        match self {
            Once::Made(made) => Ok((made, false)),
            Once::Replayed(kept) => Ok((serde_json::from_value(kept).map_err(Error::internal)?, true)),
        }
    }
}

impl<T> Once<T> {
    /// Adds what is shown to the maker alone.
    pub fn map<U>(self, shown: impl FnOnce(T) -> U) -> Once<U> {
        match self {
            Once::Made(made) => Once::Made(shown(made)),
            Once::Replayed(kept) => Once::Replayed(kept),
        }
    }
}

/// What an earlier request left.
pub(super) struct Kept {
    pub hash: Vec<u8>,
    pub answer: Option<Value>,
}

/// Does the work unless an earlier request with the same key did it, and commits. What the work gives is kept for the
/// next one, so it must hold no secret. After a refusal nothing is kept.
pub async fn once<T: Serialize>(
    tx: &TenantTx,
    attempt: Option<&Attempt>,
    work: impl Future<Output = Result<T>>,
) -> Result<Once<T>> {
    let claimed = match attempt {
        Some(attempt) => claim(tx, attempt).await,
        None => Ok(None),
    };
    let made = match (claimed, attempt) {
        (Ok(Some(kept)), Some(attempt)) => {
            tx.commit().await?;
            return replay(kept, attempt).map(Once::Replayed);
        }
        (Ok(_), _) => work.await,
        (Err(error), _) => Err(error),
    };
    match (&made, attempt) {
        (Ok(made), Some(attempt)) => {
            let answer = serde_json::to_value(made).map_err(Error::internal)?;
            tx.finish(store::keep(tx, &attempt.key, &answer)).await?;
        }
        (Ok(_), None) => tx.commit().await?,
        // Takes the claim back and keeps the connection. Where that fails, dropping the transaction closes it.
        (Err(_), _) => drop(tx.rollback().await),
    }
    made.map(Once::Made)
}

async fn claim(tx: &TenantTx, attempt: &Attempt) -> Result<Option<Kept>> {
    store::claim(tx, attempt).await.map_err(|error| match error.kind {
        Kind::Busy => Error::new(Kind::IdempotencyInProgress, "A request with this Idempotency-Key is still running.")
            .retry_after(TWIN_PATIENCE.as_secs())
            .because(error),
        _ => error,
    })
}

fn replay(kept: Kept, attempt: &Attempt) -> Result<Value> {
    if kept.hash != attempt.hash {
        return Err(Error::new(Kind::IdempotencyMismatch, "This Idempotency-Key was used for another request."));
    }
    kept.answer.ok_or_else(|| Error::internal("a claim without an answer was committed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        let long = "k".repeat(LONGEST_KEY);
        for good in ["a", "8e03978e-40d5-43dd-bc93-6894a57f9324", "\"quoted\"", &long] {
            assert_eq!(Attempt::new(good.as_bytes(), "", b"").unwrap().key, good);
        }
        for bad in ["", " ", "a b", "a\tb", "a\u{7f}", "é", &format!("{long}k")] {
            let error = Attempt::new(bad.as_bytes(), "", b"").unwrap_err();
            assert_eq!(error.code(), "invalid_request", "{bad:?}");
        }
        assert!(Attempt::new(&[0xff], "", b"").is_err());
    }

    #[test]
    fn another_body_or_address_is_another_request() {
        let hash = |address, body: &[u8]| Attempt::new(b"k", address, body).unwrap().hash;
        assert_eq!(hash("POST /api/bots", b"{}"), hash("POST /api/bots", b"{}"));
        assert_ne!(hash("POST /api/bots", b"{}"), hash("POST /api/bots", b"{ }"));
        assert_ne!(hash("POST /api/bots", b"{}"), hash("POST /api/tokens", b"{}"));
        assert_ne!(hash("a", b"bc"), hash("ab", b"c"));
    }
}
