//! The log of answers that can be read again while they are made.

use std::time::Duration;

use tokio_postgres::Row;
use uuid::Uuid;

use super::Thread;
use crate::db::TenantTx;
use crate::error::Result;

/// Where an answer is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub conversation: Uuid,
    pub message: Uuid,
}

/// Some frames on their way into the log: the first of an answer have the number 0.
#[derive(Clone, Debug)]
pub struct Batch {
    pub sequence: i32,
    pub frames: String,
}

/// What a producer hears when it says that it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    GoOn,
    /// Somebody who may asked it to end here.
    Stop,
    /// The answer is over: it counted as lost, or another took its place.
    Over,
}

/// Logs what is going to be sent and renews the producer's lease, or renews it alone when there is nothing to send.
/// Once more with the same number changes nothing.
pub async fn append(tx: &TenantTx, place: Place, batch: &Batch, lease: Duration) -> Result<Heard> {
    let sql = "with renewed as (
                 update message set lease_until = now() + make_interval(secs => $6)
                 where tenant_id = $1 and conversation_id = $2 and id = $3 and state = 'streaming' returning stop_asked
               ), logged as (
                 insert into stream_log (tenant_id, conversation_id, message_id, sequence, frames)
                 select $1, $2, $3, $4, $5 from renewed where $5 <> '' on conflict do nothing
               )
               select renewed.stop_asked from renewed";
    let (Place { conversation, message }, Batch { sequence, frames }) = (place, batch);
    let row = tx.query_opt(sql, &[&conversation, &message, sequence, frames, &lease.as_secs_f64()]).await?;
    Ok(match row.map(|row| row.get(0)) {
        Some(false) => Heard::GoOn,
        Some(true) => Heard::Stop,
        None => Heard::Over,
    })
}

/// Logs what ends a stream; goes before the statement that closes the answer, in its transaction.
pub async fn end(tx: &TenantTx, place: Place, batch: &Batch) -> Result<()> {
    let sql = "insert into stream_log (tenant_id, conversation_id, message_id, sequence, frames)
               select $1, m.conversation_id, m.id, $4, $5 from message m
               where m.tenant_id = $1 and m.conversation_id = $2 and m.id = $3 and m.state = 'streaming' on conflict do nothing";
    let (Place { conversation, message }, Batch { sequence, frames }) = (place, batch);
    tx.execute(sql, &[&conversation, &message, sequence, frames]).await.map(|_| ())
}

/// The answer of a conversation that is being made and logged, or whose producer died over it.
pub async fn live(tx: &TenantTx, thread: Thread<'_>) -> Result<Option<Place>> {
    let sql = "select m.conversation_id, m.id from conversation c
               join message m on m.tenant_id = $1 and m.conversation_id = c.id
               where c.tenant_id = $1 and c.owner = $3 and c.client_id = $2 and c.deleted_at is null
                 and m.role = 'assistant' and m.state = 'streaming' and m.logged
               order by m.id desc limit 1";
    let row = tx.query_opt(sql, &[&thread.client_id, &thread.owner]).await?;
    Ok(row.map(|row| Place { conversation: row.get(0), message: row.get(1) }))
}

/// What a reader sees of an answer at one moment.
pub struct Seen {
    /// All frames from the wanted number on, and the number that comes next.
    pub frames: String,
    pub next: i32,
    pub state: String,
    pub error_code: Option<String>,
    /// Its producer has not said for too long that it lives.
    pub lapsed: bool,
}

/// Nothing when there is no such answer any more. One statement, so that an answer that is over shows all its frames.
pub async fn read(tx: &TenantTx, place: Place, from: i32) -> Result<Option<Seen>> {
    let sql = "select m.state, m.error_code, coalesce(m.state = 'streaming' and m.lease_until < now(), false), l.frames
               from message m
               left join stream_log l on l.tenant_id = $1 and l.conversation_id = m.conversation_id and l.message_id = m.id
                 and l.sequence >= $4
               where m.tenant_id = $1 and m.conversation_id = $2 and m.id = $3 order by l.sequence";
    let rows = tx.query(sql, &[&place.conversation, &place.message, &from]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let frames: Vec<&str> = rows.iter().filter_map(|row: &Row| row.get(3)).collect();
    let next = from.saturating_add(i32::try_from(frames.len()).unwrap_or(i32::MAX));
    let (state, error_code, lapsed) = (first.get(0), first.get(1), first.get(2));
    Ok(Some(Seen { frames: frames.concat(), next, state, error_code, lapsed }))
}

/// Ends an answer whose producer is lost with what of its text is in the log.
pub async fn lose(tx: &TenantTx, place: Place, text: &str, code: &str) -> Result<()> {
    let sql = "update message set state = 'interrupted', error_code = $5, text = $4, lease_until = null
               where tenant_id = $1 and conversation_id = $2 and id = $3 and state = 'streaming' and logged
                 and lease_until < now() returning 1";
    tx.execute(sql, &[&place.conversation, &place.message, &text, &code]).await.map(|_| ())
}

/// Asks whoever makes an answer of this conversation to end it. False: nobody makes one; nothing where there is no such
/// conversation.
pub async fn stop(tx: &TenantTx, thread: Thread<'_>) -> Result<Option<bool>> {
    let sql = "with thread as (
                 select c.id from conversation c
                 where c.tenant_id = $1 and c.owner = $3 and c.client_id = $2 and c.deleted_at is null
               ), asked as (
                 update message m set stop_asked = true from thread
                 where m.tenant_id = $1 and m.conversation_id = thread.id and m.state = 'streaming' and m.logged
                 returning 1
               )
               select exists (select from asked) from thread";
    Ok(tx.query_opt(sql, &[&thread.client_id, &thread.owner]).await?.map(|row| row.get(0)))
}
