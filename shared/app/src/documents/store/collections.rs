//! Collections in the database.

use uuid::Uuid;

use crate::db::TenantTx;
use crate::documents::collections::{Collection, MOST_COLLECTIONS};
use crate::error::Result;

pub async fn list(tx: &TenantTx) -> Result<Vec<Collection>> {
    let sql = "select c.id, c.name, c.embedding_model, c.created_at,
                 (select count(*) from document d where d.tenant_id = $1 and d.collection_id = c.id and d.deleted_at is null)
               from collection c where c.tenant_id = $1 order by c.created_at, c.id limit $2";
    let rows = tx.query(sql, &[&MOST_COLLECTIONS]).await?;
    Ok(rows
        .iter()
        .map(|row| Collection {
            id: row.get(0),
            name: row.get(1),
            embedding_model: row.get(2),
            created_at: row.get(3),
            documents: row.get(4),
        })
        .collect())
}

pub async fn insert(tx: &TenantTx, id: Uuid, name: &str, model: &str) -> Result<()> {
    let sql = "insert into collection (tenant_id, id, name, embedding_model) values ($1, $2, $3, $4)";
    tx.execute(sql, &[&id, &name, &model]).await.map(|_| ())
}
