//! Conversations and messages in the database.

pub mod log;
pub mod twin;

use std::time::Duration;

use docent_llm::{Role, Turn};
use serde_json::Value;
use tokio_postgres::Row;
use uuid::Uuid;

use super::gaps::Refused;
use crate::db::TenantTx;
use crate::error::Result;
use log::Place;

/// How many earlier messages are read, of which the bot's `historyLength` are used: which bot it is becomes known in the
/// same trip.
pub const HISTORY: i64 = crate::bots::MOST_HISTORY as i64;

/// How much of each, in characters.
pub const HISTORY_CHARS: i32 = 8_000;

/// A conversation as its client names it: the id means something to its owner alone.
#[derive(Clone, Copy)]
pub struct Thread<'a> {
    pub owner: &'a str,
    pub client_id: &'a str,
}

/// What may have been asked before.
#[derive(Clone, Copy)]
pub struct Again<'a> {
    /// Another answer to the last question is wanted.
    pub regenerate: bool,
    /// The question's message, as its client names it, and its text.
    pub message: Option<&'a str>,
    pub text: &'a str,
}

/// The finished messages of a conversation, oldest first.
/// When the last answer is to be replaced, it and its question are left out: the question is asked again.
/// So are a question that is asked once more and all that came after it.
pub async fn history(tx: &TenantTx, thread: Thread<'_>, again: Again<'_>) -> Result<Vec<Turn>> {
    let sql = "select role, text from (
                 select m.role, left(m.text, $4) as text, m.id
                 from conversation c
                 join message m on m.tenant_id = $1 and m.conversation_id = c.id
                 where c.tenant_id = $1 and c.owner = $6 and c.client_id = $2 and c.deleted_at is null and m.state in ('complete', 'refused') and m.text <> ''
                   and not ($5 and m.id >= coalesce((
                     select max(u.id::text)::uuid from message u
                     where u.tenant_id = $1 and u.conversation_id = c.id and u.role = 'user'), m.id))
                   and not exists (
                     select from message a
                     where a.tenant_id = $1 and a.conversation_id = c.id and a.role = 'user' and a.client_id = $7 and a.text = $8
                       and a.id <= m.id)
                 order by m.id desc limit $3
               ) latest order by id";
    let Again { regenerate, message, text } = again;
    let params: &[&dyn crate::db::Param] =
        &[&thread.client_id, &HISTORY, &HISTORY_CHARS, &regenerate, &thread.owner, &message, &text];
    let rows = tx.query(sql, params).await?;
    let turn = |row: &Row| Turn {
        role: if row.get::<_, &str>(0) == "user" { Role::User } else { Role::Assistant },
        text: row.get(1),
    };
    Ok(rows.iter().map(turn).collect())
}

/// A question that is about to be answered.
pub struct Opening<'a> {
    pub conversation: Uuid,
    pub thread: Thread<'a>,
    pub bot: Uuid,
    pub title: &'a str,
    pub user_message: Uuid,
    pub answer: Uuid,
    pub question: &'a str,
    pub regenerate: bool,
    /// What is sent of it goes through the log, and its producer says there that it lives.
    pub logged: bool,
    /// After this its producer counts as lost.
    pub lease: Duration,
    /// The question's message, as its client names it, and what makes the request the same one again.
    pub client_id: Option<&'a str>,
    pub request: Option<&'a [u8]>,
    /// The question stands there already, and an answer to it that came to nothing was taken away.
    pub again: bool,
}

/// Stores the question and an answer that is still being streamed, in one statement; the question of a regenerated answer
/// stands there already. Nothing when the same request is being answered meanwhile. The lease begins when what stood
/// before this statement in its transaction is done, however long that took.
pub async fn open(tx: &TenantTx, opening: &Opening<'_>) -> Result<Option<Uuid>> {
    let sql = "with thread as (
                 insert into conversation (tenant_id, id, client_id, bot_id, title, owner) values ($1, $2, $3, $4, $5, $11)
                 on conflict (tenant_id, owner, client_id) do update set updated_at = now(), deleted_at = null
                 returning id
               ), answer as (
                 insert into message (tenant_id, conversation_id, id, role, text, state, lease_until, logged, request)
                 select $1, thread.id, $7, 'assistant', '', 'streaming', clock_timestamp() + make_interval(secs => $10), $12, $13 from thread
                 on conflict do nothing returning conversation_id
               ), asked as (
                 insert into message (tenant_id, conversation_id, id, role, text, client_id)
                 select $1, answer.conversation_id, $6, 'user', $8, $14 from answer
                 where not $15 and not ($9 and exists (
                   select from conversation c join message u on u.tenant_id = $1 and u.conversation_id = c.id
                   where c.tenant_id = $1 and c.owner = $11 and c.client_id = $3 and u.role = 'user'))
               )
               select conversation_id from answer";
    let Opening { conversation, thread, bot, title, user_message, answer, question, .. } = opening;
    let Opening { regenerate, logged, lease, client_id, request, again, .. } = opening;
    let lease = lease.as_secs_f64();
    let params: &[&dyn crate::db::Param] = &[
        conversation,
        &thread.client_id,
        bot,
        title,
        user_message,
        answer,
        question,
        regenerate,
        &lease,
        &thread.owner,
        logged,
        request,
        client_id,
        again,
    ];
    Ok(tx.query_opt(sql, params).await?.map(|row| row.get(0)))
}

/// Takes away every earlier answer to the question that this one answers.
pub async fn replace(tx: &TenantTx, place: Place) -> Result<()> {
    let sql = "delete from message m
               where m.tenant_id = $1 and m.conversation_id = $2 and m.role = 'assistant' and m.id < $3 and m.id > (
                 select u.id from message u
                 where u.tenant_id = $1 and u.conversation_id = $2 and u.role = 'user' and u.id < $3
                 order by u.id desc limit 1)
               returning 1";
    tx.execute(sql, &[&place.conversation, &place.message]).await.map(|_| ())
}

/// What became of an answer.
pub struct Closing<'a> {
    pub conversation: Uuid,
    pub answer: Uuid,
    pub text: &'a str,
    pub citations: Value,
    pub usage: Value,
    pub state: &'static str,
    pub error_code: Option<&'static str>,
}

/// False: somebody else ended it, or it is not there any more.
pub async fn close(tx: &TenantTx, closing: &Closing<'_>) -> Result<bool> {
    let sql =
        "update message set text = $4, citations = $5, usage = $6, state = $7, error_code = $8, lease_until = null
               where tenant_id = $1 and conversation_id = $2 and id = $3 and state = 'streaming' returning 1";
    let Closing { conversation, answer, text, citations, usage, state, error_code } = closing;
    tx.execute(sql, &[conversation, answer, text, citations, usage, state, error_code]).await.map(|closed| closed > 0)
}

/// How much of a question tells what was missing, in characters.
const QUESTION_CHARS: i32 = 500;

/// Questions that a bot had no answer to since then, the newest first.
pub async fn refused(tx: &TenantTx, bot: Uuid, since: jiff::Timestamp, most: i64) -> Result<Vec<Refused>> {
    let sql = "select left(asked.text, $5), m.created_at from message m
               join conversation c on c.tenant_id = $1 and c.id = m.conversation_id
               cross join lateral (
                 select u.text from message u
                 where u.tenant_id = $1 and u.conversation_id = m.conversation_id and u.role = 'user' and u.id < m.id
                 order by u.id desc limit 1
               ) asked
               where m.tenant_id = $1 and m.state = 'refused' and m.created_at >= $3 and c.bot_id = $2 and c.deleted_at is null
               order by m.created_at desc, m.id desc limit $4";
    let rows = tx.query(sql, &[&bot, &since, &most, &QUESTION_CHARS]).await?;
    Ok(rows.iter().map(|row| Refused { question: row.get(0), at: row.get(1) }).collect())
}
