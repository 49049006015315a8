-- Takes the next epoch of a document that nobody holds.
-- $1 tenant, $2 document, $3 the epoch that was read, $4 owner, $5 seconds, $6 etag, $7 size.
-- `begun` is true when the revision in the making is of the same bytes: then it goes on where it stopped.
with held as (
  select h.id, h.version, coalesce(h.built_etag = $6 and h.building is distinct from h.current_revision, false) as begun
  from document h
  where h.tenant_id = $1 and h.id = $2 and h.epoch = $3 and h.deleted_at is null and coalesce(h.lease_until, '-infinity') < now()
  for update
), received as (
  -- The version whose bytes these are.
  update document_version v set etag = $6, received_at = coalesce(v.received_at, now())
  from held where v.tenant_id = $1 and v.document_id = held.id and v.version = held.version
)
update document d
set epoch = d.epoch + 1, lease_owner = $4, lease_until = now() + make_interval(secs => $5), status = 'parsing',
    error_code = null, error_detail = null, error_hint = null, stored_size = $7, built_etag = $6,
    building = case when held.begun then d.building
                    when d.built_etag is null and d.current_revision is null then d.building
                    else greatest(d.building, d.current_revision) + 1 end,
    plan_hash = case when held.begun then d.plan_hash end,
    planned_chunks = case when held.begun then d.planned_chunks else 0 end,
    stored_chunks = case when held.begun then d.stored_chunks else 0 end,
    stored_length = case when held.begun then d.stored_length else 0 end,
    attempts = case when d.built_etag = $6 then d.attempts + 1 else 1 end,
    updated_at = now()
from held
where d.tenant_id = $1 and d.id = held.id
returning d.epoch, d.building, d.attempts, d.filename, d.content_type,
          (select c.embedding_model from collection c where c.tenant_id = $1 and c.id = coalesce(d.moving_to, d.collection_id)),
          d.current_chunks, d.current_length
