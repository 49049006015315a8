//! Endpoints and their outbox in the database.

use tokio_postgres::Row;
use uuid::Uuid;

use super::{BACKOFF, Change, DISABLE_AFTER_DAYS, KEPT_DAYS, MOST_WEBHOOKS, Message, Webhook};
use crate::db::{Param, TenantTx};
use crate::error::Result;

const COLUMNS: &str =
    "w.id, w.url, w.events, w.failing_since, w.disabled_at, w.disabled_reason, w.created_at, w.updated_at";

fn read(row: &Row) -> Webhook {
    Webhook {
        id: row.get(0),
        url: row.get(1),
        events: row.get(2),
        failing_since: row.get(3),
        disabled_at: row.get(4),
        disabled_reason: row.get(5),
        created_at: row.get(6),
        updated_at: row.get(7),
    }
}

pub async fn all(tx: &TenantTx) -> Result<Vec<Webhook>> {
    let sql = format!("select {COLUMNS} from webhook w where w.tenant_id = $1 order by w.created_at, w.id limit $2");
    Ok(tx.query(&sql, &[&MOST_WEBHOOKS]).await?.iter().map(read).collect())
}

pub async fn find(tx: &TenantTx, id: Uuid) -> Result<Option<Webhook>> {
    let sql = format!("select {COLUMNS} from webhook w where w.tenant_id = $1 and w.id = $2");
    Ok(tx.query_opt(&sql, &[&id]).await?.as_ref().map(read))
}

/// False when the tenant already has as many as it may.
pub async fn insert(tx: &TenantTx, id: Uuid, url: &str, events: &Vec<String>, secret: &[u8]) -> Result<bool> {
    let sql = "insert into webhook (tenant_id, id, url, events, secret) select $1, $2, $3, $4, $5
               where (select count(*) from webhook where tenant_id = $1) < $6 returning 1";
    Ok(tx.execute(sql, &[&id, &url, events, &secret, &MOST_WEBHOOKS]).await? > 0)
}

/// Enabling forgets what was wrong; disabling by hand says so.
pub async fn update(tx: &TenantTx, id: Uuid, change: &Change) -> Result<bool> {
    let sql = "update webhook set url = coalesce($3, url), events = coalesce($4, events), updated_at = now(),
                 failing_since = case when $5 then null else failing_since end,
                 disabled_at = case when $5 then null when not $5 then coalesce(disabled_at, now()) else disabled_at end,
                 disabled_reason = case when $5 then null when not $5 then coalesce(disabled_reason, 'Disabled by hand.')
                                        else disabled_reason end
               where tenant_id = $1 and id = $2 returning 1";
    Ok(tx.execute(sql, &[&id, &change.url, &change.events, &change.enabled]).await? > 0)
}

pub async fn delete(tx: &TenantTx, id: Uuid) -> Result<bool> {
    Ok(tx.execute("delete from webhook where tenant_id = $1 and id = $2 returning 1", &[&id]).await? > 0)
}

/// Takes a message that is due, and puts the next try off first: whoever dies over it leaves it to that. A disabled
/// endpoint is told nothing, now or later.
pub async fn claim(tx: &TenantTx, id: Uuid, backoff: &[i32]) -> Result<Option<Message>> {
    let sql = "update webhook_delivery d set attempts = d.attempts + 1,
                 due_at = case when w.disabled_at is null
                   then coalesce(now() + make_interval(secs => ($3)[d.attempts + 1]), 'infinity') else 'infinity' end
               from webhook w
               where d.tenant_id = $1 and d.id = $2 and d.delivered_at is null and d.due_at <= now()
                 and w.tenant_id = $1 and w.id = d.webhook_id
               returning d.id, w.id, w.url, w.secret, d.payload, d.attempts, w.disabled_at is null";
    let row = tx.query_opt(sql, &[&id, &backoff.to_vec()]).await?.filter(|row| row.get(6));
    Ok(row.map(|row| Message {
        id: row.get(0),
        webhook: row.get(1),
        url: row.get(2),
        secret: row.get(3),
        payload: row.get(4),
        attempts: row.get(5),
    }))
}

pub async fn delivered(tx: &TenantTx, message: &Message, status: Option<i32>) -> Result<()> {
    let sql = "with told as (
                 update webhook set failing_since = null where tenant_id = $1 and id = $3 and failing_since is not null
               )
               update webhook_delivery set delivered_at = now(), status = $4 where tenant_id = $1 and id = $2";
    tx.execute(sql, &[&message.id, &message.webhook, &status]).await.map(|_| ())
}

/// Notes since when nothing gets through, and disables an endpoint that is gone or silent for days. What waits for a
/// disabled endpoint is given up.
pub async fn failed(tx: &TenantTx, message: &Message, status: Option<i32>, gone: bool) -> Result<()> {
    let sql = "with silent as (
                 update webhook set failing_since = coalesce(failing_since, now()),
                   disabled_at = case when $5 or failing_since < now() - make_interval(days => $6) then now() end,
                   disabled_reason = case when $5 then 'The endpoint answered 410 Gone.'
                     when failing_since < now() - make_interval(days => $6)
                     then 'Nothing got through for ' || $6::text || ' days; the last answer was ' || coalesce($4::text, 'none') || '.' end
                 where tenant_id = $1 and id = $3 and disabled_at is null
                 returning id, disabled_at
               )
               update webhook_delivery d set
                 status = case when d.id = $2 then $4 else d.status end,
                 due_at = case when silent.disabled_at is null then d.due_at else 'infinity' end
               from silent
               where d.tenant_id = $1 and d.webhook_id = silent.id and d.delivered_at is null
                 and (d.id = $2 or silent.disabled_at is not null)";
    let params: &[&dyn Param] = &[&message.id, &message.webhook, &status, &gone, &DISABLE_AFTER_DAYS];
    tx.execute(sql, params).await.map(|_| ())
}

pub async fn forget(tx: &TenantTx) -> Result<()> {
    // The longest message is under way for the sum of all pauses, which the days must not undercut.
    let seconds = f64::from(BACKOFF.iter().sum::<i32>()) + f64::from(KEPT_DAYS) * 86_400.0;
    let sql = "delete from webhook_delivery d where d.tenant_id = $1
                 and (coalesce(d.delivered_at, 'infinity') < now() - make_interval(days => $2)
                      or (d.due_at = 'infinity' and d.created_at < now() - make_interval(days => $2))
                      or d.created_at < now() - make_interval(secs => $3))";
    tx.execute(sql, &[&KEPT_DAYS, &seconds]).await.map(|_| ())
}

pub async fn secrets(tx: &TenantTx) -> Result<Vec<(Uuid, Vec<u8>)>> {
    let rows = tx.query("select w.id, w.secret from webhook w where w.tenant_id = $1", &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Only the blob that was read is replaced.
pub async fn rewrap(tx: &TenantTx, id: Uuid, old: &[u8], new: &[u8]) -> Result<()> {
    let sql = "update webhook set secret = $4 where tenant_id = $1 and id = $2 and secret = $3";
    tx.execute(sql, &[&id, &old, &new]).await.map(|_| ())
}
