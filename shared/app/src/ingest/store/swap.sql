-- Shows a whole revision to readers and moves its collection's statistics along, in one statement.
-- $1 tenant, $2 document, $3 epoch, $4 etag, $5 and $6 chunks and length of the revision that readers saw until now.
with swapped as (
  update document d
  set status = 'ready', current_revision = d.building, current_etag = $4, current_chunks = d.stored_chunks,
      current_length = d.stored_length, lease_owner = null, lease_until = null, attempts = 0, updated_at = now()
  where d.tenant_id = $1 and d.id = $2 and d.epoch = $3 and d.deleted_at is null
    and d.built_etag = $4 and d.stored_chunks = d.planned_chunks
    and d.planned_chunks = (select count(*) from chunk c where c.tenant_id = $1 and c.document_id = $2 and c.revision = d.building)
  returning d.collection_id, d.current_chunks, d.current_length
), counted as (
  insert into collection_delta (tenant_id, collection_id, chunks, length)
  select $1, swapped.collection_id, swapped.current_chunks - $5, swapped.current_length - $6 from swapped
)
select 1 from swapped
