//! What was spent: one ledger row per answer or embedding, summed up by day.

mod routes;
mod store;

use uuid::Uuid;

pub use routes::router;

use crate::db::TenantTx;
use crate::error::Result;

/// One spending.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its own id makes a repeated note of the same spending count once.
    pub id: Uuid,
    /// The platform token that asked; none when a document's event did.
    pub token: Option<Uuid>,
    pub kind: Kind,
    pub provider: &'a str,
    pub model: &'a str,
    pub input_tokens: i64,
    pub output_tokens: i64,
    pub paid_by: PaidBy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Chat,
    Embedding,
}

/// Whose account at the provider paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidBy {
    Tenant,
    Operator,
    /// Work that no provider did, such as extractive answers and models of this process.
    Nobody,
}

/// Notes a spending, also that of an answer which broke off.
pub async fn record(tx: &TenantTx, entry: Entry<'_>) -> Result<()> {
    store::insert(tx, entry).await
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Chat => "chat",
            Kind::Embedding => "embedding",
        }
    }
}

impl PaidBy {
    pub fn as_str(self) -> &'static str {
        match self {
            PaidBy::Tenant => "tenant",
            PaidBy::Operator => "operator",
            PaidBy::Nobody => "nobody",
        }
    }
}
