//! Room for bytes: a document's first, and the versions after it.

use uuid::Uuid;

use crate::db::{Param, TenantTx};
use crate::documents::Status;
use crate::documents::upload::{Declared, Known, NewDocument, OnDuplicate, Room};
use crate::documents::versions::Version;
use crate::error::Result;

/// The named collection, or the tenant's first.
pub async fn collection(tx: &TenantTx, named: Option<Uuid>) -> Result<Option<Uuid>> {
    let sql = "select c.id from collection c where c.tenant_id = $1 and ($2 is null or c.id = $2)
               order by c.created_at, c.id limit 1";
    Ok(tx.query_opt(sql, &[&named]).await?.map(|row| row.get(0)))
}

/// Until the end of the transaction nobody else looks for this name. Two names that share a hash only wait for each other.
pub async fn lock_name(tx: &TenantTx, collection: Uuid, filename: &str) -> Result<()> {
    let sql = "select 1 from pg_advisory_xact_lock(hashtextextended($1::text || $2::text || $3, 0))";
    tx.execute(sql, &[&collection, &filename]).await.map(|_| ())
}

/// The newest living document of that name.
pub async fn known(tx: &TenantTx, collection: Uuid, filename: &str) -> Result<Option<(Uuid, Known)>> {
    let sql = "select d.id, d.status, d.version, v.sha256, l.version, l.declared_size, l.sha256, l.content_type
               from document d
               join document_version v on v.tenant_id = $1 and v.document_id = d.id and v.version = d.version
               join document_version l on l.tenant_id = $1 and l.document_id = d.id
                 and l.version = (select max(m.version) from document_version m where m.tenant_id = $1 and m.document_id = d.id)
               where d.tenant_id = $1 and d.collection_id = $2 and d.filename = $3 and d.deleted_at is null
               order by d.created_at desc, d.id desc limit 1";
    let row = tx.query_opt(sql, &[&collection, &filename]).await?;
    Ok(row.map(|row| {
        let last = Declared { version: row.get(4), size: row.get(5), sha256: row.get(6), content_type: row.get(7) };
        let status = Status::read(row.get(1));
        (row.get(0), Known { status, version: row.get(2), sha256: row.get(3), last })
    }))
}

/// Puts a document into a collection; false when there is none. A hint that came before its row (a restored database,
/// a replayed queue) is due at once.
pub async fn insert(tx: &TenantTx, id: Uuid, key: &str, collection: Option<Uuid>, new: &NewDocument) -> Result<bool> {
    let sql = "with placed as (
                 insert into document (tenant_id, id, collection_id, filename, content_type, declared_size, object_key, metadata)
                 select $1, $2, c.id, $3, $4, $5, $6, coalesce($7, '{}')
                 from collection c where c.tenant_id = $1 and ($8 is null or c.id = $8)
                 order by c.created_at, c.id limit 1
                 returning id
               ), numbered as (
                 insert into document_version (tenant_id, document_id, version, object_key, content_type, declared_size, sha256)
                 select $1, placed.id, 1, $6, $4, $5, $9 from placed
               ), attached as (
                 update ingest_event set document_id = placed.id, due_at = now(), attempts = 0
                 from placed where ingest_event.tenant_id = $1 and ingest_event.object_key = $6
               )
               select 1 from placed";
    let (size, sha256) = (new.size as i64, new.sha256.map(|hash| hash.to_vec()));
    let params: &[&dyn Param] =
        &[&id, &new.filename, &new.content_type, &size, &key, &new.metadata, &collection, &sha256];
    Ok(tx.execute(sql, params).await? > 0)
}

/// Room for one more version.
pub async fn add(tx: &TenantTx, id: Uuid, version: i32, key: &str, new: &NewDocument) -> Result<()> {
    let sql = "with numbered as (
                 insert into document_version (tenant_id, document_id, version, object_key, content_type, declared_size, sha256, replaces)
                 values ($1, $2, $3, $4, $5, $6, $7, $8)
               ), noted as (
                 update document set metadata = coalesce($9, metadata), updated_at = now() where tenant_id = $1 and id = $2
               )
               update ingest_event set document_id = $2, due_at = now(), attempts = 0 where tenant_id = $1 and object_key = $4";
    let (size, sha256) = (new.size as i64, new.sha256.map(|hash| hash.to_vec()));
    let replaces = new.on_duplicate == OnDuplicate::Replace;
    let params: &[&dyn Param] = &[&id, &version, &key, &new.content_type, &size, &sha256, &replaces, &new.metadata];
    tx.execute(sql, params).await.map(|_| ())
}

/// The same room for the same bytes, as if it had been made now.
pub async fn renew(tx: &TenantTx, id: Uuid, version: i32, new: &NewDocument) -> Result<()> {
    let sql = "update document_version set created_at = now(), replaces = $4
               where tenant_id = $1 and document_id = $2 and version = $3";
    tx.execute(sql, &[&id, &version, &(new.on_duplicate == OnDuplicate::Replace)]).await.map(|_| ())
}

/// The newest room that waits for its bytes: `None` when there is no such document, `Some(None)` when none waits.
pub async fn room(tx: &TenantTx, id: Uuid) -> Result<Option<Option<Room>>> {
    let sql = "select v.object_key, v.declared_size, v.sha256, v.content_type from document d
               left join document_version v on v.tenant_id = $1 and v.document_id = d.id and v.version >= d.version
                 and v.received_at is null
               where d.tenant_id = $1 and d.id = $2 and d.deleted_at is null and d.source_url is null
               order by v.version desc limit 1";
    Ok(tx.query_opt(sql, &[&id]).await?.map(|row| {
        let key: Option<String> = row.get(0);
        key.map(|key| Room { key, size: row.get(1), sha256: row.get(2), content_type: row.get(3) })
    }))
}

/// Versions that wait for their bytes, newest first.
pub async fn pending(tx: &TenantTx, id: Uuid) -> Result<Vec<(i32, String)>> {
    let sql = "select v.version, v.object_key from document_version v
               join document d on d.tenant_id = $1 and d.id = v.document_id
               where v.tenant_id = $1 and v.document_id = $2 and v.version > d.version and d.deleted_at is null
               order by v.version desc";
    Ok(tx.query(sql, &[&id]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Makes a version the newest and queues it. Whoever builds an older one is fenced off; what readers see stays.
pub async fn arrive(tx: &TenantTx, id: Uuid, version: i32, hint: Uuid) -> Result<bool> {
    let sql = "with come as (
                 select v.version, v.object_key, v.content_type, v.declared_size from document_version v
                 where v.tenant_id = $1 and v.document_id = $2 and v.version = $3
               ), moved as (
                 update document d set version = come.version, object_key = come.object_key,
                   content_type = coalesce(come.content_type, d.content_type), declared_size = come.declared_size,
                   stored_size = null, status = 'queued', error_code = null, error_detail = null, error_hint = null,
                   attempts = 0, epoch = d.epoch + 1, lease_owner = null, lease_until = null, updated_at = now()
                 from come where d.tenant_id = $1 and d.id = $2 and d.deleted_at is null and d.version < come.version
                 returning d.id, d.object_key
               ), received as (
                 update document_version v set received_at = coalesce(v.received_at, now()) from moved
                 where v.tenant_id = $1 and v.document_id = moved.id and v.version = $3
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $4, moved.object_key, moved.id, 'upload' from moved
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               )
               select 1 from moved";
    Ok(tx.execute(sql, &[&id, &version, &hint]).await? > 0)
}

pub async fn list(tx: &TenantTx, id: Uuid) -> Result<Vec<Version>> {
    let sql = "select v.version, v.declared_size, v.content_type, v.sha256, v.received_at, v.created_at, v.restores,
                 coalesce(v.version = d.current_version, false), v.object_key
               from document_version v join document d on d.tenant_id = $1 and d.id = v.document_id
               where v.tenant_id = $1 and v.document_id = $2 and d.deleted_at is null order by v.version desc";
    let rows = tx.query(sql, &[&id]).await?;
    Ok(rows
        .iter()
        .map(|row| Version {
            number: row.get(0),
            size: row.get(1),
            content_type: row.get(2),
            sha256: row.get(3),
            received_at: row.get(4),
            created_at: row.get(5),
            restores: row.get(6),
            current: row.get(7),
            key: row.get(8),
        })
        .collect())
}

/// A new version over an older one's bytes, which are not moved: both rows name the same object.
pub async fn restore(tx: &TenantTx, id: Uuid, version: i32, hint: Uuid) -> Result<Option<i32>> {
    let sql = "with old as (
                 select v.document_id, v.object_key, v.content_type, v.declared_size, v.sha256, v.etag
                 from document_version v
                 where v.tenant_id = $1 and v.document_id = $2 and v.version = $3 and v.received_at is not null
               ), made as (
                 insert into document_version (tenant_id, document_id, version, object_key, content_type, declared_size, sha256,
                   etag, received_at, restores)
                 select $1, old.document_id,
                   (select max(m.version) + 1 from document_version m where m.tenant_id = $1 and m.document_id = $2),
                   old.object_key, old.content_type, old.declared_size, old.sha256, old.etag, now(), $3
                 from old returning version, object_key, content_type, declared_size
               ), moved as (
                 update document d set version = made.version, object_key = made.object_key,
                   content_type = coalesce(made.content_type, d.content_type), declared_size = made.declared_size,
                   stored_size = null, status = 'queued', error_code = null, error_detail = null, error_hint = null,
                   attempts = 0, epoch = d.epoch + 1, lease_owner = null, lease_until = null, updated_at = now()
                 from made where d.tenant_id = $1 and d.id = $2 and d.deleted_at is null
                 returning d.id, d.object_key
               ), hinted as (
                 insert into ingest_event (tenant_id, id, object_key, document_id, source)
                 select $1, $4, moved.object_key, moved.id, 'upload' from moved
                 on conflict (tenant_id, object_key) do update
                 set id = excluded.id, source = excluded.source, due_at = now(), attempts = 0
               )
               select made.version from made, moved";
    Ok(tx.query_opt(sql, &[&id, &version, &hint]).await?.map(|row| row.get(0)))
}
