-- Makes every document be read from the bucket and embedded again: psql "$DIRECT_DATABASE_URL" -v ON_ERROR_STOP=1 -f deploy/rebuild-vectors.sql
-- Readers keep what is there until each document is done. What is replaced is taken away by a later sweep.
begin;
-- Otherwise the vectors of unchanged passages would come from here.
delete from embedding_cache;
-- Looks as if its worker had gone, which is what the next worker or sweep takes up.
update document
set status = 'queued', built_etag = null, current_etag = null, lease_until = null, attempts = 0, updated_at = now() - interval '2 minutes'
where status = 'ready' and deleted_at is null;
commit;
