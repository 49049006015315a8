//! The ledger in the database.

use super::Entry;
use crate::db::TenantTx;
use crate::error::Result;

pub async fn insert(tx: &TenantTx, entry: Entry<'_>) -> Result<()> {
    // Settled at once: what is noted here was spent already, so nothing is left for the sweep to close.
    let sql = "insert into usage_ledger (tenant_id, id, token_id, kind, provider, model, input_tokens, output_tokens,
                 paid_by, settled_micros, settled_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, now()) on conflict do nothing";
    let Entry { id, token, kind, provider, model, input_tokens, output_tokens, paid_by } = entry;
    let (kind, paid_by) = (kind.as_str(), paid_by.as_str());
    tx.execute(sql, &[&id, &token, &kind, &provider, &model, &input_tokens, &output_tokens, &paid_by]).await?;
    Ok(())
}

/// One day's spending of one kind at one model.
pub struct Sum {
    /// In UTC, as `2026-11-30`.
    pub day: String,
    pub kind: String,
    pub provider: String,
    pub model: String,
    pub requests: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

/// How many days, today included, the sums reach back.
pub const DAYS: i32 = 30;
/// More lines than this come only from a tenant that changes its models by the minute; the newest are given.
const SUMS_LIMIT: i64 = 5000;

pub async fn sums(tx: &TenantTx) -> Result<Vec<Sum>> {
    // Sums are cut at the largest bigint instead of failing: counts come from providers, which may send anything.
    let sql = "select to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD') as day, u.kind, u.provider, u.model,
                 count(*), least(sum(u.input_tokens), 9223372036854775807)::bigint,
                 least(sum(u.output_tokens), 9223372036854775807)::bigint
               from usage_ledger u
               where u.tenant_id = $1
                 and u.created_at >= (date_trunc('day', now() at time zone 'UTC') - make_interval(days => $2 - 1)) at time zone 'UTC'
               group by 1, u.kind, u.provider, u.model
               order by day desc, u.kind, u.provider, u.model limit $3";
    let rows = tx.query(sql, &[&DAYS, &SUMS_LIMIT]).await?;
    let sums = rows.iter().map(|row| Sum {
        day: row.get(0),
        kind: row.get(1),
        provider: row.get(2),
        model: row.get(3),
        requests: row.get(4),
        input_tokens: row.get(5),
        output_tokens: row.get(6),
    });
    Ok(sums.collect())
}
