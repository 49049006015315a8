-- Both legs and their fusion in one statement.
-- $1 tenant, $2 collections, $3 terms of the question (distinct), $4 its vector or null, $5 model, $6 how many,
-- $7 the name of the tenant's own index of that model. What stands in braces is put in by db/dense.rs.
-- $8 documents or null, $9 a predicate over their metadata or null, $10 and $11 their dates or null, $12 how many neighbours.
-- $13 what each of the terms counts, $14 what the dense leg counts (the lexical one counts 1).
-- $15 documents, $16 revisions, $17 ordinals and $18 cosines of what another store of vectors found; then $4 is null, and
-- no vector is read here. All empty where Postgres has the vectors.
with live as materialized (
  -- What readers may see: the current revision of documents that were not deleted.
  select d.id, d.current_revision as revision, d.current_chunks as chunks, d.current_length as length
  from document d
  where d.tenant_id = $1 and d.collection_id = any($2) and d.deleted_at is null and d.current_revision is not null
    and ($8 is null or d.id = any($8)) and ($9 is null or d.metadata @@ $9::jsonpath)
    and ($10 is null or d.created_at > $10) and ($11 is null or d.created_at < $11)
), size as (
  -- Of what the filter leaves, as the document frequencies are; without one the collections' counters say the same,
  -- and no document is read for it.
  select greatest(coalesce(sum(s.chunks), 0), 1)::float8 as chunks,
         greatest(coalesce(sum(s.length), 0)::float8 / greatest(coalesce(sum(s.chunks), 0), 1)::float8, 1) as mean
  from (
    select c.chunks, c.length from collection_delta c
    where c.tenant_id = $1 and c.collection_id = any($2) and num_nonnulls($8, $9, $10, $11) = 0
    union all
    select live.chunks, live.length from live where num_nonnulls($8, $9, $10, $11) > 0
  ) s
), found as materialized (
  select p.term, p.document_id, p.revision, p.postings
  from posting p
  join live on live.id = p.document_id and live.revision = p.revision
  where p.tenant_id = $1 and p.term = any($3)
), weight as materialized (
  select asked.term,
         asked.weight * ln(1 + (greatest(size.chunks, coalesce(seen.df, 0)) - coalesce(seen.df, 0) + 0.5) / (coalesce(seen.df, 0) + 0.5)) as idf,
         -- For the question of relevance a small library is taken as a page of a larger one: otherwise a word that
         -- stands in each of its three documents would weigh nothing, and more evidence would end in a refusal.
         asked.weight * ln(1 + (greatest(size.chunks, coalesce(seen.df, 0), 100) - coalesce(seen.df, 0) + 0.5) / (coalesce(seen.df, 0) + 0.5)) as share
  from unnest($3, $13) as asked (term, weight)
  cross join size
  -- The document frequency is counted from the very blocks that are scored: no statistic can be stale.
  left join (select term, sum(cardinality(postings))::float8 as df from found group by term) seen on seen.term = asked.term
), scored as (
  -- BM25 with k1 = 1.2 and b = 0.75 (Robertson and Zaragoza 2009, https://doi.org/10.1561/1500000019). How the numbers
  -- of a block are packed: migrations/0007_postings.sql.
  select f.document_id, f.revision, one.ordinal,
         sum(w.idf * one.tf * 2.2 / (one.tf + 1.2 * (0.25 + 0.75 * one.length / size.mean))) as bm25,
         sum(w.share) / (select sum(share) from weight) as coverage
  from found f
  join weight w on w.term = f.term
  cross join size
  cross join lateral (
    select (packed >> 32)::int4 as ordinal, ((packed >> 16) & 65535)::float8 as tf, (packed & 65535)::float8 as length
    from unnest(f.postings) as packed
  ) as one
  group by f.document_id, f.revision, one.ordinal
  order by bm25 desc, f.document_id, one.ordinal
  limit 200
), alone as (
  -- A chunk with more of the question's words goes before one that repeats a few of them.
  select s.*, s.bm25 * power(s.coverage, 0.3) as merit from scored s
), lexical as (
  -- A cut parts what belongs together: the better neighbour's merit counts a little.
  select n.document_id, n.revision, n.ordinal, n.bm25, n.coverage,
         n.merit + 0.15 * greatest(case when n.before = n.ordinal - 1 then n.merit_before else 0 end,
                                   case when n.after = n.ordinal + 1 then n.merit_after else 0 end) as merit
  from (
    select a.*, lag(a.ordinal) over beside as before, lag(a.merit) over beside as merit_before,
           lead(a.ordinal) over beside as after, lead(a.merit) over beside as merit_after
    from alone a
    window beside as (partition by a.document_id, a.revision order by a.ordinal)
  ) n
  order by merit desc, n.document_id, n.ordinal
  limit 50
), scope as materialized (
  -- How many chunks readers may see here, whether the tenant's own index of the model is there to be asked, and
  -- whether asking it is cheaper than reading them all: what the index gives and the filter takes away again is paid
  -- for as well, so a small part of a large library is read whole. Measured: see db/dense.rs.
  select seen.chunks,
         seen.chunks > {crossover} and seen.chunks * seen.chunks > {discarded} * library.chunks
         and exists (select from pg_index i where i.indexrelid = to_regclass($7) and i.indisvalid) as indexed
  from (select coalesce(sum(live.chunks), 0)::float8 as chunks from live) seen
  cross join (select coalesce(sum(s.chunks), 0)::float8 as chunks from collection_delta s where s.tenant_id = $1) library
), near as materialized (
  select n.document_id, n.revision, n.ordinal, n.distance
  from (
    select v.document_id, v.revision, v.ordinal,
           (case when vector_dims(v.vector) = {dimensions} then v.vector end) <=> $4 as distance
    from embedding v
    where (select indexed from scope) and v.tenant_id = $1 and v.model = $5 and $4 is not null
      -- In a `case`, so that it stays a filter of the index's rows: a join would lose their order.
      and case when (v.document_id, v.revision) in (select live.id, live.revision from live) then true end
    -- Word for word what the index is made of (db/reindex.rs); its predicate follows from the tenant and the model,
    -- because both are constants by the time that the statement is planned.
    order by (case when vector_dims(v.vector) = {dimensions} then v.vector end)::{compared} <=> $4::{compared}
    limit 50
  ) n
  where n.distance is not null
), given as materialized (
  -- The other store knows neither what was deleted or replaced since, nor for certain whose a point is.
  select g.document_id, g.revision, g.ordinal, g.cosine
  from unnest($15, $16, $17, $18) as g (document_id, revision, ordinal, cosine)
  join live on live.id = g.document_id and live.revision = g.revision and g.ordinal < live.chunks
  order by g.cosine desc, g.document_id, g.ordinal
  limit 50
), dense as (
  select near.document_id, near.revision, near.ordinal, 1 - near.distance as cosine
  from near
  where (select count(*) from near) >= least(50, (select chunks from scope))
  union all
  (
    -- The exact pass: for what is too small for an index, what has none yet, and whenever the index gave fewer rows
    -- than there are. Otherwise it costs nothing: its condition is looked at once, before anything is read.
    select e.document_id, e.revision, e.ordinal, 1 - e.distance
    from (
      -- A model whose dimension changed at its provider must not break the search of what is left.
      select v.document_id, v.revision, v.ordinal, case when vector_dims(v.vector) = vector_dims($4) then v.vector <=> $4 end as distance
      from live
      join embedding v on v.tenant_id = $1 and v.document_id = live.id and v.revision = live.revision
      where v.model = $5 and $4 is not null
        -- Without an index whatever is there is read: a wrong counter may cost time, but not the leg.
        and (not (select indexed from scope) or (select count(*) from near) < least(50, (select chunks from scope)))
    ) e
    where e.distance is not null
    order by e.distance, e.document_id, e.ordinal
    limit 50
  )
  union all
  select given.document_id, given.revision, given.ordinal, given.cosine from given
), fused as (
  -- Reciprocal rank fusion (Cormack et al. 2009, https://doi.org/10.1145/1571941.1572114), the dense leg weighted by
  -- model and language: fusion.rs says how, and why the constant is not the usual 60.
  select document_id, revision, ordinal, max(bm25) as bm25, max(coverage) as coverage, max(cosine) as cosine,
         min(place) filter (where bm25 is not null) as bm25_rank, min(place) filter (where cosine is not null) as cosine_rank,
         sum(weight / (20 + place))::float8 as score
  from (
    select document_id, revision, ordinal, bm25, coverage, null::float8 as cosine, 1::float8 as weight,
           row_number() over (order by merit desc, document_id, ordinal) as place
    from lexical
    union all
    select document_id, revision, ordinal, null, null, cosine, $14,
           row_number() over (order by cosine desc, document_id, ordinal)
    from dense
  ) as legs
  group by document_id, revision, ordinal
  order by score desc, document_id, ordinal
  limit $6
)
select c.document_id, c.revision, c.ordinal, c.text, c.page_first, c.page_last, c.span_start, c.span_end, c.heading_path,
       d.filename, coalesce(d.own_title, d.title), d.content_type, fused.score, fused.bm25, fused.coverage, fused.cosine,
       fused.bm25_rank, fused.cosine_rank,
       array(select n.text from chunk n where n.tenant_id = $1 and n.document_id = c.document_id and n.revision = c.revision
             and n.ordinal between c.ordinal - $12 and c.ordinal - 1 order by n.ordinal),
       array(select n.text from chunk n where n.tenant_id = $1 and n.document_id = c.document_id and n.revision = c.revision
             and n.ordinal between c.ordinal + 1 and c.ordinal + $12 order by n.ordinal),
       (select count(*) from given)
from fused
join chunk c on c.tenant_id = $1 and c.document_id = fused.document_id and c.revision = fused.revision and c.ordinal = fused.ordinal
join document d on d.tenant_id = $1 and d.id = c.document_id
order by fused.score desc, c.document_id, c.ordinal
