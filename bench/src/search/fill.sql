-- Libraries of tenants as `{tenancy}` lists them (number, chunks), made by the server itself: documents, chunks, vectors
-- of 384 dimensions, and postings. Run by an administrator, to whom neither row security nor foreign keys apply here.
--
-- Vectors are no noise: each is the sum of one of 500 topics, one of its 20 sub-topics and two of 30,000 details, so
-- that there are near ones and far ones at every scale. A chunk has twelve terms: two of 50 that stand in 4 % of all
-- chunks each, four of 2,000 that stand in 0.2 %, six of 100,000 that are rare.
set session_replication_role = replica;
select setseed(0.42);

create temp table part as
select i, l2_normalize((select array_agg(random_normal()) from generate_series(1, 384) where i is not null)::real[]::vector) as v
from generate_series(0, 40499) i;
create unique index on part (i);
analyze part;

create temp table tenancy as
select ('00000000-0000-4000-8000-' || lpad(to_hex(t.number), 12, '0'))::uuid as id, t.chunks,
       case when t.chunks >= 100000 then 1000 else 100 end as document
from ({tenancy}) t (number, chunks);
insert into tenant (tenant_id, name) select id, 'Bench' from tenancy;
insert into collection (tenant_id, id, name, embedding_model) select id, id, 'Bench', 'minilm-l6-v2' from tenancy;
insert into collection_delta (tenant_id, collection_id, chunks, length) select id, id, chunks, chunks * 12 from tenancy;

insert into document (tenant_id, id, collection_id, filename, declared_size, object_key, status, current_revision,
                      current_chunks, current_length, planned_chunks, stored_chunks)
select t.id, ('00000000-0000-4000-9000-' || lpad(to_hex(d), 12, '0'))::uuid, t.id, 'document ' || d, 1, 'none', 'ready', 1,
       n.chunks, n.chunks * 12, n.chunks, n.chunks
from tenancy t, generate_series(0, (t.chunks - 1) / t.document) d,
     lateral (select least(t.document, t.chunks - d * t.document) as chunks) n;

insert into chunk (tenant_id, document_id, revision, ordinal, text, span_start, span_end, tokens)
select d.tenant_id, d.id, 1, o, repeat('A sentence of this chunk, which says what it says. ', 16), o * 816, (o + 1) * 816, 200
from document d, generate_series(0, d.current_chunks - 1) o;

insert into embedding (tenant_id, model, document_id, revision, ordinal, vector)
select c.tenant_id, 'minilm-l6-v2', c.document_id, 1, c.ordinal,
       l2_normalize(topic.v + sub.v * array_fill(0.7::real, array[384])::vector
                    + (one.v + other.v) * array_fill(0.6::real, array[384])::vector)
from (select tenant_id, document_id, ordinal, floor(random() * 500)::int as topic, floor(random() * 20)::int as sub,
             10500 + floor(random() * 30000)::int as one, 10500 + floor(random() * 30000)::int as other
      from chunk) c
join part topic on topic.i = c.topic join part sub on sub.i = 500 + c.topic * 20 + c.sub
join part one on one.i = c.one join part other on other.i = c.other;

insert into posting (tenant_id, term, document_id, revision, first_ordinal, postings)
select tenant_id, term, document_id, 1, min(ordinal), array_agg((ordinal::bigint << 32) | (1 << 16) | 12 order by ordinal)
from (select distinct c.tenant_id, c.document_id, c.ordinal,
             case when slot < 2 then 'often' || floor(random() * 50)::int
                  when slot < 6 then 'sometimes' || floor(random() * 2000)::int
                  else 'seldom' || floor(random() * 100000)::int end as term
      from chunk c, generate_series(0, 11) slot) said
group by tenant_id, term, document_id;

reset session_replication_role;
analyze;
