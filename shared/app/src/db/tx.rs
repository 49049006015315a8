//! The only door to tenant tables: a transaction that carries its tenant in the type, in the setting that row
//! security reads, and as the first parameter of every statement.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use deadpool_postgres::Object;
use futures_util::future::join;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::{Door, Param, VectorTypes, failed};
use crate::auth::TenantId;
use crate::error::{Error, Result};
use crate::telemetry::Trips;

/// A transaction in which only one tenant exists. `$1` of every statement is the tenant; callers bind from `$2`.
///
/// Nothing is sent until the first statement, which takes `begin` and the tenant's setting along in the same trip.
/// Dropped before its commit was answered, it takes the connection with it: a connection whose query was abandoned
/// is closed, never reused (<https://openai.com/index/march-20-chatgpt-outage>).
pub struct TenantTx {
    /// Given back to the pool when the commit was answered, however long the transaction's variable lives.
    client: Mutex<Option<Arc<Object>>>,
    tenant: TenantId,
    vectors: VectorTypes,
    door: Door,
    begun: AtomicBool,
    closed: AtomicBool,
    /// The commit follows the statements in the same trip: nobody may wait between them.
    one_trip: AtomicBool,
    trips: Trips,
}

impl TenantTx {
    pub(super) fn new(client: Object, tenant: TenantId, vectors: VectorTypes, door: Door) -> TenantTx {
        let [begun, closed, one_trip] = [const { AtomicBool::new(false) }; 3];
        TenantTx {
            client: Mutex::new(Some(Arc::new(client))),
            tenant,
            vectors,
            door,
            begun,
            closed,
            one_trip,
            trips: Trips::default(),
        }
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub async fn query(&self, sql: &str, params: &[&dyn Param]) -> Result<Vec<Row>> {
        if !self.one_trip.load(Ordering::Relaxed) {
            self.door.statement(sql).await;
        }
        let client = self.client()?;
        let _waiting = self.trips.wait();
        let sql = self.door.rewrite(sql);
        let tenant = self.tenant.uuid();
        let mut typed: Vec<(&(dyn ToSql + Sync), Type)> = vec![(&tenant, Type::UUID)];
        typed.extend(params.iter().map(|param| (*param as &(dyn ToSql + Sync), param.sql_type(&self.vectors))));
        if self.begun.swap(true, Ordering::Relaxed) {
            return self.send(&client, &sql, &typed).await;
        }
        // Polled in order, so both are on the wire before either is answered. A uuid needs no quoting.
        let begin = self.door.opening(format!("begin; select set_config('app.tenant_id', '{tenant}', true)"));
        let (begun, rows) = join(client.batch_execute(&begin), self.send(&client, &sql, &typed)).await;
        begun.map_err(failed)?;
        rows
    }

    async fn send(&self, client: &Object, sql: &str, params: &[(&(dyn ToSql + Sync), Type)]) -> Result<Vec<Row>> {
        let Some(before) = self.door.before(sql) else {
            return client.query_typed(sql, params).await.map_err(failed);
        };
        let (done, rows) = join(client.batch_execute(&before), client.query_typed(sql, params)).await;
        done.map_err(failed)?;
        rows.map_err(failed)
    }

    pub async fn query_opt(&self, sql: &str, params: &[&dyn Param]) -> Result<Option<Row>> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs a statement whose rows do not matter; gives how many there were (use `returning` to count changes).
    pub async fn execute(&self, sql: &str, params: &[&dyn Param]) -> Result<usize> {
        Ok(self.query(sql, params).await?.len())
    }

    /// Runs `work` and sends the commit right behind its statements, in the same trip. Only for work that sends all
    /// it has at once: a statement that comes after the commit is refused.
    pub async fn finish<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.one_trip.store(true, Ordering::Relaxed);
        let (worked, committed) = join(work, self.commit()).await;
        let value = worked?;
        committed.map(|()| value)
    }

    pub async fn commit(&self) -> Result<()> {
        self.end("commit").await
    }

    /// Undoes everything and keeps the connection, which dropping the transaction would close.
    pub async fn rollback(&self) -> Result<()> {
        self.end("rollback").await
    }

    async fn end(&self, how: &str) -> Result<()> {
        let client = self.client()?;
        self.closed.store(true, Ordering::Relaxed);
        if self.begun.load(Ordering::Relaxed) {
            let _waiting = self.trips.wait();
            client.batch_execute(&self.door.ending(how)).await.map_err(failed)?;
        }
        drop(client);
        self.take();
        self.door.committed().await;
        Ok(())
    }

    fn client(&self) -> Result<Arc<Object>> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let open = client.filter(|_| !self.closed.load(Ordering::Relaxed));
        open.ok_or_else(|| Error::internal("a statement was sent after its transaction's commit"))
    }

    fn take(&self) -> Option<Arc<Object>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for TenantTx {
    fn drop(&mut self) {
        // Still here: the commit was never answered. Untouched, it goes back to the pool; begun, it is closed.
        if let Some(client) = self.take().and_then(Arc::into_inner)
            && self.begun.load(Ordering::Relaxed)
        {
            drop(Object::take(client));
        }
    }
}
