//! Caps and how far they are used up.

use futures_util::future::try_join3;
use jiff::Timestamp;

use crate::db::{Param, TenantTx};
use crate::error::Result;
use crate::usage::{Cap, Purse};

/// Counters that are shown for a day: those that are nearest to being used up matter, not every visitor's.
const PURSES: i64 = 100;

pub async fn any(tx: &TenantTx) -> Result<bool> {
    let sql = "select 1 from spend_cap c where c.tenant_id = $1 and c.paid_by = 'tenant' limit 1";
    Ok(tx.execute(sql, &[]).await? > 0)
}

pub async fn list(tx: &TenantTx) -> Result<Vec<Cap>> {
    let sql = "select c.subject, c.daily_micros from spend_cap c where c.tenant_id = $1 and c.paid_by = 'tenant' order by c.subject";
    let rows = tx.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| Cap { subject: row.get(0), daily_micros: row.get(1) }).collect())
}

/// Puts these caps in the place of all that the tenant had. The operator's are out of its reach.
pub async fn replace(tx: &TenantTx, caps: &[Cap], at: Timestamp) -> Result<()> {
    let subjects: Vec<String> = caps.iter().map(|cap| cap.subject.clone()).collect();
    let amounts: Vec<i64> = caps.iter().map(|cap| cap.daily_micros).collect();
    let gone = "delete from spend_cap c where c.tenant_id = $1 and c.paid_by = 'tenant' and c.subject <> all($2)";
    let kept = "insert into spend_cap (tenant_id, subject, paid_by, daily_micros, updated_at)
                select $1, s.subject, 'tenant', s.daily_micros, $4 from unnest($2, $3) as s (subject, daily_micros)
                on conflict (tenant_id, subject, paid_by) do update set daily_micros = excluded.daily_micros, updated_at = excluded.updated_at";
    // A counter that nothing binds is not kept up; one that is bound again begins anew with the ledger's sum.
    let idle = "delete from spend_day d where d.tenant_id = $1 and (d.day, d.paid_by, d.subject) in (
                  select i.day, i.paid_by, i.subject from spend_day i
                  where i.tenant_id = $1 and i.paid_by = 'tenant' and i.day >= ($3 at time zone 'UTC')::date
                    and i.subject <> all($2) and split_part(i.subject, ':', 1) <> all($2)
                  order by i.day, i.paid_by, i.subject for update)";
    let (kept_params, idle_params): (&[&dyn Param], &[&dyn Param]) = (&[&subjects, &amounts, &at], &[&subjects, &at]);
    try_join3(tx.execute(gone, &[&subjects]), tx.execute(kept, kept_params), tx.execute(idle, idle_params)).await?;
    Ok(())
}

/// What is spent and reserved today, fullest first.
pub async fn purses(tx: &TenantTx, at: Timestamp) -> Result<Vec<Purse>> {
    let sql = "select d.subject, d.paid_by, d.spent_micros, d.reserved_micros, (
                 select c.daily_micros from spend_cap c
                 where c.tenant_id = $1 and c.paid_by = d.paid_by and c.subject in (d.subject, split_part(d.subject, ':', 1))
                 order by (c.subject <> d.subject)::int4 limit 1)
               from spend_day d where d.tenant_id = $1 and d.day = ($2 at time zone 'UTC')::date
               order by d.spent_micros + d.reserved_micros desc, d.subject limit $3";
    let rows = tx.query(sql, &[&at, &PURSES]).await?;
    let read = rows.iter().map(|row| Purse {
        subject: row.get(0),
        paid_by: row.get(1),
        spent_micros: row.get(2),
        reserved_micros: row.get(3),
        cap_micros: row.get(4),
    });
    Ok(read.collect())
}
