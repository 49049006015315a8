//! Tenants that are made on first sight, where the operator lets strangers in.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::session::Person;
use super::{TenantId, store};
use crate::App;
use crate::error::Result;

/// More tenants than one instance meets; then it starts to remember anew.
const REMEMBERED: usize = 10_000;

/// Whether strangers are let in, and who is no stranger any more. Cheap to clone.
#[derive(Clone, Default)]
pub struct Newcomers {
    welcome: bool,
    seen: Arc<Mutex<HashSet<TenantId>>>,
}

impl Newcomers {
    pub fn new(welcome: bool) -> Newcomers {
        Newcomers { welcome, seen: Arc::default() }
    }

    /// Makes the person's tenant unless it is there. Safe to repeat, and beside a twin; costs a trip once per tenant
    /// and instance.
    pub(super) async fn admit(&self, app: &App, tenant: TenantId, person: &Person) -> Result<()> {
        if !self.welcome || self.seen().contains(&tenant) {
            return Ok(());
        }
        let tx = app.db.tenant(tenant).await?;
        if tx.finish(store::tenant(&tx)).await?.is_none() {
            let name: String = person.group().chars().filter(|c| !c.is_control()).take(200).collect();
            let ids = [app.clock.uuid(), app.clock.uuid()];
            let tx = app.db.tenant(tenant).await?;
            store::create_tenant(&tx, &name, Some(person), &app.limits.embedding_model, ids).await?;
            tx.commit().await?;
        }
        let mut seen = self.seen();
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        seen.insert(tenant);
        Ok(())
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, HashSet<TenantId>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
