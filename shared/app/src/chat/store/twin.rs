//! What became of the same request when it was sent before.

use serde_json::Value;

use super::Thread;
use super::log::Place;
use crate::db::TenantTx;
use crate::error::Result;

/// The answer to an earlier request that said the same.
pub struct Twin {
    pub place: Place,
    pub state: String,
    /// Somebody is at it.
    pub live: bool,
    pub logged: bool,
    pub text: String,
    pub citations: Value,
    pub usage: Value,
}

/// One that another takes the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced {
    pub place: Place,
    /// It came to its end, and is good until the other one begins.
    pub whole: bool,
}

pub async fn find(tx: &TenantTx, thread: Thread<'_>, request: Option<&[u8]>) -> Result<Option<Twin>> {
    let sql =
        "select m.conversation_id, m.id, m.state, coalesce(m.state = 'streaming' and m.lease_until > now(), false),
                 m.logged, m.text, m.citations, m.usage
               from conversation c
               join message m on m.tenant_id = $1 and m.conversation_id = c.id
               where c.tenant_id = $1 and c.owner = $3 and c.client_id = $2 and m.request = $4";
    let row = tx.query_opt(sql, &[&thread.client_id, &thread.owner, &request]).await?;
    Ok(row.map(|row| Twin {
        place: Place { conversation: row.get(0), message: row.get(1) },
        state: row.get(2),
        live: row.get(3),
        logged: row.get(4),
        text: row.get(5),
        citations: row.get(6),
        usage: row.get(7),
    }))
}

/// Makes room for another answer to the same request: one that came to nothing goes, unless somebody is at it; a whole one
/// stays until [`super::replace`], and answers this request no more.
pub async fn forget(tx: &TenantTx, place: Option<Place>) -> Result<()> {
    let sql = "with kept as (
                 update message set request = null
                 where tenant_id = $1 and conversation_id = $2 and id = $3 and state in ('complete', 'refused') returning 1
               )
               delete from message where tenant_id = $1 and conversation_id = $2 and id = $3
                 and state not in ('complete', 'refused')
                 and (state <> 'streaming' or coalesce(lease_until < now(), true)) returning 1";
    let (conversation, answer) = place.map(|place| (place.conversation, place.message)).unzip();
    tx.execute(sql, &[&conversation, &answer]).await.map(|_| ())
}
