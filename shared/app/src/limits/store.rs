//! Buckets and remembered answers in Postgres. The database's `now()` is the one clock that all instances share.

use std::time::Duration;

use futures_util::future::{join, join3};

use super::idempotency::{Attempt, Kept, REMEMBERED, TWIN_PATIENCE};
use super::{Debit, Policy};
use crate::db::TenantTx;
use crate::error::{Error, Result};

/// The debit of a caller, as CTEs to stand behind a CTE `held` that has one row, with a column `bucket` (text: the
/// narrow bucket, such as `token:<id>`), exactly when the credential is valid. An invalid one debits nothing.
///
/// Parameters: `$1` the tenant; `$2`, `$3` the narrow policy's [`Policy::pace`]; `$4`, `$5` the tenant's. The
/// statement's own begin at `$6`.
///
/// Yields the CTE `standing` with one row (none when `held` has none): `verdict` int4, `remaining` int8,
/// `wait_millis` int8, as [`Debit`] has them.
///
/// A bucket holds the time at which it is full again. The row is locked until the transaction ends, so whoever debits
/// commits in the same trip; a request that is rolled back was not counted. The narrow bucket comes first: a caller
/// beyond its own limit takes nothing from its tenant's.
pub const DEBIT: &str = "
  narrow as (
    insert into rate_bucket as b (tenant_id, bucket, arrival)
    select $1, held.bucket, now() + $2 * interval '1 microsecond' from held
    on conflict (tenant_id, bucket) do update
      set arrival = greatest(b.arrival, now()) + $2 * interval '1 microsecond'
      where greatest(b.arrival, now()) + $2 * interval '1 microsecond' <= now() + $3 * interval '1 microsecond'
    returning b.arrival
  ), wide as (
    insert into rate_bucket as b (tenant_id, bucket, arrival)
    select $1, 'tenant', now() + $4 * interval '1 microsecond' from narrow
    on conflict (tenant_id, bucket) do update
      set arrival = greatest(b.arrival, now()) + $4 * interval '1 microsecond'
      where greatest(b.arrival, now()) + $4 * interval '1 microsecond' <= now() + $5 * interval '1 microsecond'
    returning b.arrival
  ), clocked as (
    -- A refused bucket's arrival is read as of the statement's begin: exact but for those that came in between.
    select case when narrow.arrival is null then 1 when wide.arrival is null then 2 else 0 end as verdict,
           (extract(epoch from narrow.arrival - now()) * 1000000)::int8 as ahead,
           case when narrow.arrival is null
             then (select (extract(epoch from b.arrival - now()) * 1000000)::int8 + $2 - $3 from rate_bucket b
                   where b.tenant_id = $1 and b.bucket = held.bucket)
             else (select (extract(epoch from b.arrival - now()) * 1000000)::int8 + $4 - $5 from rate_bucket b
                   where b.tenant_id = $1 and b.bucket = 'tenant')
           end as early
    from held left join narrow on true left join wide on true
  ), standing as (
    select clocked.verdict,
           greatest(coalesce(($3 - clocked.ahead) / $2, 0), 0)::int8 as remaining,
           (case when clocked.verdict = 0 then clocked.ahead else greatest(coalesce(clocked.early, 0), 1000) end
             + 999) / 1000 as wait_millis
    from clocked
  )";

/// The same debit, of a caller that is already known.
pub async fn debit(tx: &TenantTx, bucket: &str, narrow: Policy, tenant: Policy) -> Result<Debit> {
    let sql = format!(
        "with held as (select $6 as bucket), {DEBIT}
         select standing.verdict, standing.remaining, standing.wait_millis from standing"
    );
    let ([step, span], [tenant_step, tenant_span]) = (narrow.pace(), tenant.pace());
    let row = tx.query_opt(&sql, &[&step, &span, &tenant_step, &tenant_span, &bucket]).await?;
    let row = row.ok_or_else(|| Error::internal("a debit gave no row"))?;
    Ok(Debit { verdict: row.get(0), remaining: row.get(1), wait_millis: row.get(2) })
}

/// Takes something of its own size out of a bucket: `cost` and `span` as [`Policy::pace`] has them, in microseconds, and
/// no cost is larger than its span. Gives how long to wait when there is not as much left; then nothing was taken.
pub async fn take(tx: &TenantTx, bucket: &str, cost: i64, span: i64) -> Result<Option<Duration>> {
    let sql = "with taken as (
                 insert into rate_bucket as b (tenant_id, bucket, arrival)
                 values ($1, $2, now() + $3 * interval '1 microsecond')
                 on conflict (tenant_id, bucket) do update
                   set arrival = greatest(b.arrival, now()) + $3 * interval '1 microsecond'
                   where greatest(b.arrival, now()) + $3 * interval '1 microsecond' <= now() + $4 * interval '1 microsecond'
                 returning 1)
               select case when exists (select from taken) then null else greatest(1000, $3 - $4 + coalesce(
                 (select (extract(epoch from b.arrival - now()) * 1000000)::int8 from rate_bucket b
                  where b.tenant_id = $1 and b.bucket = $2), 0)) end";
    let row = tx.query_opt(sql, &[&bucket, &cost.min(span), &span]).await?;
    let wait: Option<i64> = row.and_then(|row| row.get(0));
    Ok(wait.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or_default())))
}

/// Keeps something of this cost out of a bucket for a while, whoever asks.
pub async fn hold(tx: &TenantTx, bucket: &str, [cost, span]: [i64; 2], wait: Duration) -> Result<()> {
    let sql = "insert into rate_bucket as b (tenant_id, bucket, arrival)
               values ($1, $2, now() + $3 * interval '1 microsecond')
               on conflict (tenant_id, bucket) do update set arrival = greatest(b.arrival, excluded.arrival)";
    let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 2).saturating_add(span - cost.min(span));
    tx.execute(sql, &[&bucket, &micros]).await.map(|_| ())
}

/// Claims a key, waiting for a running twin; gives what an earlier request left. One trip.
pub async fn claim(tx: &TenantTx, attempt: &Attempt) -> Result<Option<Kept>> {
    let patience = format!("set local lock_timeout = {}", TWIN_PATIENCE.as_millis());
    let remembered = REMEMBERED.as_secs_f64();
    let hash = attempt.hash.to_vec();
    // Whoever comes second waits here until the first one's transaction has ended.
    let insert = "insert into idempotency as i (tenant_id, key, request_hash) values ($1, $2, $3)
                  on conflict (tenant_id, key) do update
                    set request_hash = excluded.request_hash, status = null, response = null, created_at = now()
                    where i.created_at < now() - make_interval(secs => $4)
                  returning 1";
    // A statement of its own: it sees what the first one committed meanwhile.
    let select = "select i.request_hash, i.response from idempotency i where i.tenant_id = $1 and i.key = $2";
    let (patient, claimed, kept) = join3(
        tx.execute(&patience, &[]),
        tx.execute(insert, &[&attempt.key, &hash, &remembered]),
        tx.query_opt(select, &[&attempt.key]),
    )
    .await;
    patient?;
    if claimed? > 0 {
        return Ok(None);
    }
    let row = kept?.ok_or_else(|| Error::internal("a claimed key is not there"))?;
    let answer: Option<String> = row.get(1);
    let answer = answer.map(|answer| serde_json::from_str(&answer)).transpose().map_err(Error::internal)?;
    Ok(Some(Kept { hash: row.get(0), answer }))
}

/// The answer for those that come again; whatever creates answers 201.
pub async fn keep(tx: &TenantTx, key: &str, answer: &serde_json::Value) -> Result<()> {
    let sql = "update idempotency set status = 201, response = $3 where tenant_id = $1 and key = $2";
    tx.execute(sql, &[&key, &answer.to_string()]).await.map(|_| ())
}

/// Drops what says nothing any more: answers that are no longer remembered, buckets that are full.
pub async fn forget(tx: &TenantTx) -> Result<()> {
    let keys = "delete from idempotency i where i.tenant_id = $1 and i.created_at < now() - make_interval(secs => $2)
                returning 1";
    // Those that are being debited are left alone: waiting for them in another order than theirs could deadlock.
    let buckets = "delete from rate_bucket b where b.tenant_id = $1 and b.bucket in (
                     select f.bucket from rate_bucket f where f.tenant_id = $1 and f.arrival < now()
                     for update skip locked)
                   returning 1";
    let (keys, buckets) = join(tx.execute(keys, &[&REMEMBERED.as_secs_f64()]), tx.execute(buckets, &[])).await;
    keys.and(buckets).map(|_| ())
}
