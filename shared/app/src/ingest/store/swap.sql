-- Shows a whole revision to readers and moves its collection's statistics along, in one statement.
-- $1 tenant, $2 document, $3 epoch, $4 etag, $5 and $6 chunks and length of the revision that readers saw until now,
-- $7 the model that it was embedded with.
with held as (
  select h.id, h.collection_id, coalesce(h.moving_to, h.collection_id) as home
  from document h where h.tenant_id = $1 and h.id = $2 and h.epoch = $3 for update
), home as (
  -- A collection may have switched to another model since the lease was taken. Held until the end, so that a switch
  -- either sees this revision or is seen by it; swaps share it and do not wait for each other.
  select c.id from collection c join held on held.home = c.id
  where c.tenant_id = $1 and c.embedding_model = $7 for share of c
), swapped as (
  update document d
  set status = 'ready', current_revision = d.building, current_etag = $4, current_chunks = d.stored_chunks,
      current_length = d.stored_length, lease_owner = null, lease_until = null, attempts = 0, updated_at = now(),
      current_version = d.version, collection_id = coalesce(d.moving_to, d.collection_id), moving_to = null
  from held join home on home.id = held.home
  where d.tenant_id = $1 and d.id = held.id and d.epoch = $3 and d.deleted_at is null
    and d.built_etag = $4 and d.stored_chunks = d.planned_chunks
    and d.planned_chunks = (select count(*) from chunk c where c.tenant_id = $1 and c.document_id = $2 and c.revision = d.building)
  returning d.collection_id, held.collection_id as was, d.current_chunks, d.current_length
), counted as (
  insert into collection_delta (tenant_id, collection_id, chunks, length)
  select $1, share.collection_id, share.chunks, share.length from (
    select swapped.collection_id,
           swapped.current_chunks - case when swapped.was = swapped.collection_id then $5 else 0 end as chunks,
           swapped.current_length - case when swapped.was = swapped.collection_id then $6 else 0 end as length
    from swapped
    union all
    -- Into another collection: its own loses what it had.
    select swapped.was, -$5, -$6 from swapped where swapped.was <> swapped.collection_id and $5 > 0) share
)
select 1 from swapped
