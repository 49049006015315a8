//! Stored conversations in the database. Each statement names the owner: nobody else's are there at all.

use tokio_postgres::Row;
use uuid::Uuid;

use super::find::{MOST_MATCHES, SEARCHED_CHARS, SEARCHED_CONVERSATIONS, SEARCHED_MESSAGES, Words};
use super::{Conversation, Feedback, Message, PAGE_BYTES, RATED_ANSWER_CHARS, RATED_QUESTION_CHARS};
use crate::chat::store::Thread;
use crate::db::{Param, TenantTx};
use crate::error::Result;
use crate::http::list::Cursor;

const COLUMNS: &str = "c.id, c.client_id, c.title, c.created_at, c.updated_at";

fn conversation(row: &Row) -> Conversation {
    Conversation {
        id: row.get(0),
        client_id: row.get(1),
        title: row.get(2),
        created_at: row.get(3),
        updated_at: row.get(4),
    }
}

/// Those in which something was asked last come first.
pub async fn list(tx: &TenantTx, owner: &str, after: Option<Cursor>, limit: i64) -> Result<Vec<Conversation>> {
    let sql = format!(
        "select {COLUMNS} from conversation c
         where c.tenant_id = $1 and c.owner = $2 and c.deleted_at is null and ($3 is null or (c.updated_at, c.id) < ($3, $4))
         order by c.updated_at desc, c.id desc limit $5"
    );
    let (at, id) = (after.map(|after| after.at), after.map(|after| after.id));
    Ok(tx.query(&sql, &[&owner, &at, &id, &limit]).await?.iter().map(conversation).collect())
}

pub async fn find(tx: &TenantTx, thread: Thread<'_>) -> Result<Option<Conversation>> {
    let sql = format!(
        "select {COLUMNS} from conversation c
         where c.tenant_id = $1 and c.owner = $2 and c.client_id = $3 and c.deleted_at is null"
    );
    Ok(tx.query_opt(&sql, &[&thread.owner, &thread.client_id]).await?.as_ref().map(conversation))
}

/// Which messages of a conversation.
#[derive(Clone, Copy)]
pub enum Pages {
    /// From the newest on, each page in the order of time; the next one holds what was said before.
    Back,
    /// From the oldest on.
    Forth,
}

/// A page of messages in the order of time, and whether there are more beyond it.
pub async fn messages(
    tx: &TenantTx,
    thread: Thread<'_>,
    pages: Pages,
    beyond: Option<Uuid>,
    limit: i64,
) -> Result<(Vec<Message>, bool)> {
    let (order, further) = match pages {
        Pages::Back => ("desc", "<"),
        Pages::Forth => ("asc", ">"),
    };
    // One row more than wanted is counted and not given; so is what is too large for this page.
    let sql = format!(
        "select * from (
           select page.*, count(*) over () as available, row_number() over (order by page.id {order}) as place,
             sum(octet_length(page.text) + octet_length(page.citations::text)) over (order by page.id {order}) as bytes
           from (
             select m.id, m.role, m.text, m.citations, m.usage, m.error_code, m.created_at,
               case when m.state = 'streaming' and m.lease_until < now() then 'interrupted' else m.state end as state,
               f.rating, f.comment
             from conversation c
             join message m on m.tenant_id = $1 and m.conversation_id = c.id
             left join feedback f on f.tenant_id = $1 and f.conversation_id = c.id and f.message_id = m.id
             where c.tenant_id = $1 and c.owner = $2 and c.client_id = $3 and c.deleted_at is null
               and ($4 is null or m.id {further} $4)
             order by m.id {order} limit $5 + 1
           ) page
         ) measured
         where place = 1 or (place <= $5 and bytes <= $6) order by id"
    );
    let rows = tx.query(&sql, &[&thread.owner, &thread.client_id, &beyond, &limit, &PAGE_BYTES]).await?;
    let more = rows.first().is_some_and(|row| row.get::<_, i64>("available") > rows.len() as i64);
    let read = |row: &Row| Message {
        id: row.get(0),
        role: row.get(1),
        text: row.get(2),
        citations: row.get(3),
        usage: row.get(4),
        error_code: row.get(5),
        created_at: row.get(6),
        state: row.get(7),
        rating: row.get(8),
        comment: row.get(9),
    };
    Ok((rows.iter().map(read).collect(), more))
}

/// A name says nothing about when something was asked last, so the place in the list stays.
pub async fn rename(tx: &TenantTx, thread: Thread<'_>, title: &str) -> Result<Option<Conversation>> {
    let sql = format!(
        "update conversation c set title = $4
         where c.tenant_id = $1 and c.owner = $2 and c.client_id = $3 and c.deleted_at is null returning {COLUMNS}"
    );
    Ok(tx.query_opt(&sql, &[&thread.owner, &thread.client_id, &title]).await?.as_ref().map(conversation))
}

/// Its owner's name for it is free again at once: whoever asks under that name begins anew, and nothing finds the old one.
/// An answer that is being made for it is asked to stop.
pub async fn delete(tx: &TenantTx, thread: Thread<'_>, grave: Uuid) -> Result<bool> {
    let sql = "with buried as (
                 update conversation set deleted_at = now(), client_id = 'deleted/' || $4
                 where tenant_id = $1 and owner = $2 and client_id = $3 and deleted_at is null returning id
               ), stopped as (
                 update message m set stop_asked = true from buried
                 where m.tenant_id = $1 and m.conversation_id = buried.id and m.state = 'streaming' and m.logged
               )
               select 1 from buried";
    Ok(tx.query_opt(sql, &[&thread.owner, &thread.client_id, &grave.to_string()]).await?.is_some())
}

/// A conversation that was looked into, and a message with all the words, if it has one.
pub struct Match {
    pub conversation: Conversation,
    pub message: Option<Matched>,
}

pub struct Matched {
    pub id: Uuid,
    pub role: String,
    pub text: String,
    pub created_at: jiff::Timestamp,
}

/// Every conversation that was looked into, in the order of the list, once for each message that was found in it.
pub async fn search(tx: &TenantTx, owner: &str, words: &Words, after: Option<Cursor>) -> Result<Vec<Match>> {
    let sql = format!(
        "select {COLUMNS}, hit.id, hit.role, hit.text, hit.created_at
         from (
           select o.id, o.client_id, o.title, o.created_at, o.updated_at from conversation o
           where o.tenant_id = $1 and o.owner = $2 and o.deleted_at is null and ($3 is null or (o.updated_at, o.id) < ($3, $4))
           order by o.updated_at desc, o.id desc limit $5
         ) c
         left join lateral (
           select newest.id, newest.role, newest.text, newest.created_at from (
             select m.id, m.role, left(m.text, $7) as text, m.created_at from message m
             where m.tenant_id = $1 and m.conversation_id = c.id order by m.id desc limit $6
           ) newest
           where newest.text ~ all ($8) order by newest.id desc limit $9
         ) hit on true
         order by c.updated_at desc, c.id desc, hit.id desc"
    );
    let (at, id) = (after.map(|after| after.at), after.map(|after| after.id));
    let patterns = words.patterns();
    let params: &[&dyn Param] =
        &[&owner, &at, &id, &SEARCHED_CONVERSATIONS, &SEARCHED_MESSAGES, &SEARCHED_CHARS, &patterns, &MOST_MATCHES];
    let read = |row: &Row| Match {
        conversation: conversation(row),
        message: row.get::<_, Option<Uuid>>(5).map(|id| Matched {
            id,
            role: row.get(6),
            text: row.get(7),
            created_at: row.get(8),
        }),
    };
    Ok(tx.query(&sql, params).await?.iter().map(read).collect())
}

/// An answer, and what somebody thinks of it.
pub struct Rating<'a> {
    pub thread: Thread<'a>,
    pub message: Uuid,
    pub rating: &'static str,
    pub comment: &'a str,
}

/// Whether the answer is whole, and so was rated; nothing where there is no such answer.
pub async fn rate(tx: &TenantTx, rating: &Rating<'_>) -> Result<Option<bool>> {
    let sql = "with answer as (
                 select m.conversation_id, m.id, m.text,
                   m.state <> 'streaming' or coalesce(m.lease_until < now(), true) as whole
                 from conversation c
                 join message m on m.tenant_id = $1 and m.conversation_id = c.id
                 where c.tenant_id = $1 and c.owner = $2 and c.client_id = $3 and c.deleted_at is null
                   and m.id = $4 and m.role = 'assistant'
               ), rated as (
                 insert into feedback (tenant_id, conversation_id, message_id, rating, comment, question, answer)
                 select $1, answer.conversation_id, answer.id, $5, $6, coalesce((
                     select left(u.text, $7) from message u
                     where u.tenant_id = $1 and u.conversation_id = answer.conversation_id and u.role = 'user' and u.id < answer.id
                     order by u.id desc limit 1), ''), left(answer.text, $8)
                 from answer where answer.whole
                 on conflict (tenant_id, conversation_id, message_id) do update
                 set rating = excluded.rating, comment = excluded.comment, updated_at = now()
               )
               select answer.whole from answer";
    let Rating { thread, message, rating, comment } = rating;
    let params: &[&dyn Param] =
        &[&thread.owner, &thread.client_id, message, rating, comment, &RATED_QUESTION_CHARS, &RATED_ANSWER_CHARS];
    Ok(tx.query_opt(sql, params).await?.map(|row| row.get(0)))
}

/// False when there was none.
pub async fn unrate(tx: &TenantTx, thread: Thread<'_>, message: Uuid) -> Result<bool> {
    let sql = "delete from feedback f using conversation c
               where f.tenant_id = $1 and c.tenant_id = $1 and c.owner = $2 and c.client_id = $3 and c.deleted_at is null
                 and f.conversation_id = c.id and f.message_id = $4 returning 1";
    Ok(tx.execute(sql, &[&thread.owner, &thread.client_id, &message]).await? > 0)
}

/// What people think of a bot's answers, the newest first, in conversations that are not deleted.
pub async fn ratings(
    tx: &TenantTx,
    bot: Uuid,
    rating: Option<&'static str>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Feedback>> {
    let sql = "select f.message_id, f.rating, f.comment, f.question, f.answer, f.created_at, f.updated_at
               from feedback f
               join conversation c on c.tenant_id = $1 and c.id = f.conversation_id
               where f.tenant_id = $1 and c.bot_id = $2 and c.deleted_at is null and ($3 is null or f.rating = $3)
                 and ($4 is null or (f.updated_at, f.message_id) < ($4, $5))
               order by f.updated_at desc, f.message_id desc limit $6";
    let (at, id) = (after.map(|after| after.at), after.map(|after| after.id));
    let read = |row: &Row| Feedback {
        message: row.get(0),
        rating: row.get(1),
        comment: row.get(2),
        question: row.get(3),
        answer: row.get(4),
        created_at: row.get(5),
        updated_at: row.get(6),
    };
    Ok(tx.query(sql, &[&bot, &rating, &at, &id, &limit]).await?.iter().map(read).collect())
}
