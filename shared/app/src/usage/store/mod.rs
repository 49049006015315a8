//! The ledger and its counters in the database. Locks are taken in one order everywhere: counters by their key, then
//! ledger rows; so spenders wait for one another and never in a circle.

pub mod caps;
pub mod sums;

use futures_util::future::{try_join, try_join3};
use jiff::Timestamp;
use uuid::Uuid;

use super::caps::counters;
use super::{Spending, Used};
use crate::db::{Param, TenantTx};
use crate::error::Result;

/// Open reservations that one sweep settles for one tenant; the next one goes on.
const STALE_PAGE: i64 = 500;

/// A cap that binds a spending.
pub struct Standing {
    pub subject: String,
    /// Whether the amount fits in beside what is spent and reserved.
    pub fits: bool,
}

/// Makes the counters, locks them, and books the amount on all of them or on none. Three statements, because each
/// must see what the one before it waited for; one trip, because none needs an answer to be sent.
pub async fn reserve(tx: &TenantTx, spending: &Spending) -> Result<Vec<Standing>> {
    let (subjects, general) = counters(spending);
    let paid_by = spending.paid_by.as_str();
    let made = make(tx, spending, &subjects, &general);
    let sql = "select d.subject from spend_day d
               where d.tenant_id = $1 and d.day = ($2 at time zone 'UTC')::date and d.paid_by = $3 and d.subject = any($4)
               order by d.subject for update";
    let params: &[&dyn Param] = &[&spending.at, &paid_by, &subjects];
    let (_, _, standing) = try_join3(made, tx.query(sql, params), book(tx, spending, &subjects, &general)).await?;
    Ok(standing)
}

/// The cap of each counter: the one that names it, else the one for all of its kind, else the operator's.
/// `$2` at, `$3` paid by, `$4` counters, `$5` their kinds, `$6` the operator's cap.
const CAPS: &str = "cap as (
    select distinct on (f.subject) f.subject, f.daily_micros, f.updated_at
    from (
      select w.subject, c.daily_micros, c.updated_at, (c.subject <> w.subject)::int4 as rank
      from unnest($4, $5) as w (subject, general)
      join spend_cap c on c.tenant_id = $1 and c.paid_by = $3 and c.subject in (w.subject, w.general)
      union all select 'tenant', $6, '-infinity', 2 where $6 is not null and 'tenant' = any($4)
    ) f order by f.subject, f.rank
  )";

/// A counter begins at zero, or with what was spent already on the day on which its cap was made.
async fn make(tx: &TenantTx, spending: &Spending, subjects: &Vec<String>, general: &Vec<String>) -> Result<()> {
    let sql = format!(
        "with today as (select date_trunc('day', $2 at time zone 'UTC') at time zone 'UTC' as began), {CAPS}
         insert into spend_day (tenant_id, day, subject, paid_by, spent_micros, reserved_micros)
         select $1, ($2 at time zone 'UTC')::date, cap.subject, $3, coalesce(past.spent, 0), coalesce(past.held, 0)
         from today, cap left join lateral (
           select sum(coalesce(u.settled_micros, case when cap.subject = any(u.subjects) then 0 else u.reserved_micros end))::int8 as spent,
             sum(u.reserved_micros) filter (where u.settled_at is null and cap.subject = any(u.subjects))::int8 as held
           from usage_ledger u
           where u.tenant_id = $1 and u.created_at >= today.began and u.day = ($2 at time zone 'UTC')::date and u.paid_by = $3
             and (cap.subject = 'tenant' or cap.subject = 'token:' || u.token_id or cap.subject = 'visitor:' || u.visitor)
             and cap.updated_at >= today.began
         ) past on true
         where not exists (select from spend_day d where d.tenant_id = $1 and d.day = ($2 at time zone 'UTC')::date
           and d.paid_by = $3 and d.subject = cap.subject)
         order by cap.subject on conflict do nothing"
    );
    let paid_by = spending.paid_by.as_str();
    let params: &[&dyn Param] = &[&spending.at, &paid_by, subjects, general, &spending.operator_cap];
    tx.execute(&sql, params).await.map(|_| ())
}

async fn book(
    tx: &TenantTx,
    spending: &Spending,
    subjects: &Vec<String>,
    general: &Vec<String>,
) -> Result<Vec<Standing>> {
    let sql = format!(
        "with {CAPS}, standing as (
           select d.subject, d.spent_micros + d.reserved_micros + $7 <= cap.daily_micros as fits
           from cap join spend_day d on d.tenant_id = $1 and d.day = ($2 at time zone 'UTC')::date
             and d.paid_by = $3 and d.subject = cap.subject
         ), verdict as (
           select coalesce(bool_and(standing.fits), true) as fits, coalesce(array_agg(standing.subject), '{{}}') as subjects
           from standing
         ), booked as (
           update spend_day d set reserved_micros = d.reserved_micros + $7 from verdict v
           where d.tenant_id = $1 and d.day = ($2 at time zone 'UTC')::date and d.paid_by = $3
             and v.fits and d.subject = any(v.subjects)
           returning 1
         ), opened as (
           insert into usage_ledger (tenant_id, id, token_id, visitor, kind, provider, model, paid_by, price_version,
             reserved_micros, day, subjects, created_at)
           select $1, $8, $9, $10, $11, $12, $13, $3, $14, $7, ($2 at time zone 'UTC')::date, v.subjects, $2
           from verdict v where v.fits
           returning 1
         )
         select standing.subject, standing.fits from standing order by standing.fits, standing.subject"
    );
    let Spending { id, at, by, kind, provider, model, paid_by, prices, micros, operator_cap, .. } = spending;
    let (kind, paid_by) = (kind.as_str(), paid_by.as_str());
    let params: &[&dyn Param] = &[
        at,
        &paid_by,
        subjects,
        general,
        operator_cap,
        micros,
        id,
        &by.token,
        &by.visitor,
        &kind,
        provider,
        model,
        prices,
    ];
    let rows = tx.query(&sql, params).await?;
    Ok(rows.iter().map(|row| Standing { subject: row.get(0), fits: row.get(1) }).collect())
}

/// Locks the counters that these spendings were booked on.
pub async fn lock(tx: &TenantTx, ids: &Vec<Uuid>) -> Result<()> {
    let sql = "select d.subject from spend_day d
               join usage_ledger u on u.tenant_id = $1 and u.day = d.day and u.paid_by = d.paid_by and d.subject = any(u.subjects)
               where d.tenant_id = $1 and u.id = any($2) order by d.day, d.paid_by, d.subject for update of d";
    tx.execute(sql, &[ids]).await.map(|_| ())
}

/// Moves what the rows in `closed` held into what they cost, on each of their counters.
/// A counter that was made anew meanwhile may not know of a hold, so it never falls below zero.
const MOVE: &str = "owed as (
    select c.day, c.paid_by, s.subject, sum(c.held)::int8 as held, sum(c.micros)::int8 as micros
    from closed c, unnest(c.subjects) as s (subject) group by c.day, c.paid_by, s.subject
  ), moved as (
    update spend_day d set reserved_micros = greatest(d.reserved_micros - owed.held, 0),
      spent_micros = d.spent_micros + owed.micros
    from owed where d.tenant_id = $1 and d.day = owed.day and d.paid_by = owed.paid_by and d.subject = owed.subject
    returning 1
  )
  select 1 from closed";

/// False: it is not open any more.
pub async fn settle(tx: &TenantTx, spending: &Spending, used: Used, micros: i64) -> Result<bool> {
    let sql = format!(
        "with closed as (
           update usage_ledger u set input_tokens = $3, output_tokens = $4, settled_micros = $5, estimated = $6, settled_at = now(),
             provider = $7, model = $8
           where u.tenant_id = $1 and u.id = $2 and u.settled_at is null
           returning u.day, u.paid_by, u.subjects, u.reserved_micros as held, u.settled_micros as micros
         ), {MOVE}"
    );
    let (input, output) = (count(used.input_tokens), count(used.output_tokens));
    let estimated = used.estimated || spending.price.estimated;
    // Who was reserved for need not be who answered.
    let Spending { id, provider, model, .. } = spending;
    let params: &[&dyn Param] = &[id, &input, &output, &micros, &estimated, provider, model];
    let ids = vec![spending.id];
    Ok(try_join(lock(tx, &ids), tx.execute(&sql, params)).await?.1 > 0)
}

pub async fn release(tx: &TenantTx, id: Uuid) -> Result<()> {
    let sql = format!(
        "with closed as (
           delete from usage_ledger u where u.tenant_id = $1 and u.id = $2 and u.settled_at is null
           returning u.day, u.paid_by, u.subjects, u.reserved_micros as held, 0::int8 as micros
         ), {MOVE}"
    );
    let ids = vec![id];
    try_join(lock(tx, &ids), tx.execute(&sql, &[&id])).await.map(|_| ())
}

pub async fn stale(tx: &TenantTx, before: Timestamp) -> Result<Vec<Uuid>> {
    let sql = "select u.id from usage_ledger u where u.tenant_id = $1 and u.settled_at is null and u.created_at < $2
               order by u.created_at limit $3";
    Ok(tx.query(sql, &[&before, &STALE_PAGE]).await?.iter().map(|row| row.get(0)).collect())
}

pub async fn settle_full(tx: &TenantTx, ids: &Vec<Uuid>, at: Timestamp) -> Result<usize> {
    let sql = format!(
        "with closed as (
           update usage_ledger u set settled_micros = u.reserved_micros, estimated = true, settled_at = $3
           where u.tenant_id = $1 and u.id = any($2) and u.settled_at is null
           returning u.day, u.paid_by, u.subjects, u.reserved_micros as held, u.settled_micros as micros
         ), {MOVE}"
    );
    tx.execute(&sql, &[ids, &at]).await
}

/// A call that was never reserved, noted once however often it is repeated.
pub async fn record(tx: &TenantTx, spending: &Spending, used: Used, micros: i64) -> Result<()> {
    let sql = "insert into usage_ledger (tenant_id, id, token_id, visitor, kind, provider, model, paid_by, price_version,
                 input_tokens, output_tokens, settled_micros, estimated, day, created_at, settled_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, ($14 at time zone 'UTC')::date, $14, now())
               on conflict do nothing";
    let Spending { id, at, by, kind, provider, model, paid_by, prices, price, .. } = spending;
    let (kind, paid_by) = (kind.as_str(), paid_by.as_str());
    let (input, output) = (count(used.input_tokens), count(used.output_tokens));
    let estimated = used.estimated || price.estimated;
    let params: &[&dyn Param] = &[
        id,
        &by.token,
        &by.visitor,
        &kind,
        provider,
        model,
        &paid_by,
        prices,
        &input,
        &output,
        &micros,
        &estimated,
        at,
    ];
    tx.execute(sql, params).await.map(|_| ())
}

fn count(tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX)
}
