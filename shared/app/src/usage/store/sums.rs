//! What the last days cost.

use jiff::Timestamp;

use crate::db::TenantTx;
use crate::error::Result;

/// One day's spending of one kind at one model on one account.
pub struct Sum {
    /// In UTC, as `2026-11-30`.
    pub day: String,
    pub kind: String,
    pub provider: String,
    pub model: String,
    pub paid_by: String,
    pub requests: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub micros: i64,
    /// Tokens or price of at least one request are estimates.
    pub estimated: bool,
}

/// How many days, today included, the sums reach back.
pub const DAYS: i32 = 30;
/// More lines than this come only from a tenant that changes its models by the minute; the newest are given.
const SUMS_LIMIT: i64 = 5000;

pub async fn sums(tx: &TenantTx, at: Timestamp) -> Result<Vec<Sum>> {
    // Sums are cut at the largest bigint instead of failing: counts come from providers, which may send anything.
    // What is still open has cost nothing yet.
    let sql = "select to_char(u.created_at at time zone 'UTC', 'YYYY-MM-DD') as day, u.kind, u.provider, u.model, u.paid_by,
                 count(*), least(sum(u.input_tokens), 9223372036854775807)::bigint,
                 least(sum(u.output_tokens), 9223372036854775807)::bigint,
                 least(sum(u.settled_micros), 9223372036854775807)::bigint, bool_or(u.estimated)
               from usage_ledger u
               where u.tenant_id = $1 and u.settled_at is not null
                 and u.created_at >= (date_trunc('day', $2 at time zone 'UTC') - make_interval(days => $3 - 1)) at time zone 'UTC'
               group by 1, u.kind, u.provider, u.model, u.paid_by
               order by day desc, u.kind, u.provider, u.model, u.paid_by limit $4";
    let rows = tx.query(sql, &[&at, &DAYS, &SUMS_LIMIT]).await?;
    let sums = rows.iter().map(|row| Sum {
        day: row.get(0),
        kind: row.get(1),
        provider: row.get(2),
        model: row.get(3),
        paid_by: row.get(4),
        requests: row.get(5),
        input_tokens: row.get(6),
        output_tokens: row.get(7),
        micros: row.get(8),
        estimated: row.get(9),
    });
    Ok(sums.collect())
}
