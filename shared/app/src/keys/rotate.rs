//! Rotation of the master key: one tenant's keys at a time, while everybody goes on reading and saving them.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::masters::{MasterId, Masters};
use super::{Refusal, Sealed, origin, seal, store, unreadable};
use crate::clock::Clock;
use crate::db::TenantTx;
use crate::error::Result;

/// What a rotation did to one tenant's keys; those under the current master already are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    pub rewrapped: usize,
    /// Saved anew or deleted by their tenant meanwhile: nothing of the old master is left in them.
    pub replaced: usize,
    /// Their tenant must save them again, or the operator must bring their master back.
    pub unreadable: Vec<Unreadable>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    pub provider: String,
    pub reason: Refusal,
}

/// Wraps the tenant's keys anew under the current master. Safe to repeat and to interrupt at any moment: a key is
/// exchanged whole or not at all, only for the one that was read, and opens under both masters until it is.
pub async fn rotate(masters: &Masters, clock: &Clock, tx: &TenantTx) -> Result<Rotation> {
    let current = masters.current_id().ok_or_else(|| unreadable(Refusal::NoMaster, ""))?;
    let mut rotation = Rotation::default();
    let mut exchanges = Vec::new();
    for sealed in store::behind(tx, current.as_bytes()).await? {
        match rewrap(masters, clock, tx, &sealed) {
            Ok(Some(blob)) => exchanges.push((sealed, blob)),
            // The statement asked for those of other masters alone.
            Ok(None) => rotation.replaced += 1,
            Err(reason) => rotation.unreadable.push(Unreadable { provider: sealed.provider, reason }),
        }
    }
    // All at once, in one order: two rotations that meet never wait for each other in a circle.
    let exchanged = exchanges.iter().map(|(old, new)| store::replace_blob(tx, old.id, &old.blob, new));
    for exchanged in try_join_all(exchanged).await? {
        *if exchanged { &mut rotation.rewrapped } else { &mut rotation.replaced } += 1;
    }
    Ok(rotation)
}

/// How many of the tenant's keys lie under each master.
pub async fn census(tx: &TenantTx) -> Result<BTreeMap<MasterId, u64>> {
    store::census(tx).await
}

fn rewrap(masters: &Masters, clock: &Clock, tx: &TenantTx, sealed: &Sealed) -> Result<Option<Vec<u8>>, Refusal> {
    let origin = origin(&super::parse(&sealed.base_url).map_err(|_| Refusal::Damaged)?);
    seal::rewrap(masters, &sealed.context(tx.tenant(), &origin), &sealed.blob, clock)
}
