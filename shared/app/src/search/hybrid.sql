-- Both legs and their fusion in one statement.
-- $1 tenant, $2 collections, $3 terms of the question (distinct), $4 its vector or null, $5 model, $6 how many.
-- $7 documents or null, $8 a predicate over their metadata or null, $9 and $10 their dates or null, $11 how many neighbours.
with live as materialized (
  -- What readers may see: the current revision of documents that were not deleted.
  select d.id, d.current_revision as revision
  from document d
  where d.tenant_id = $1 and d.collection_id = any($2) and d.deleted_at is null and d.current_revision is not null
    and ($7 is null or d.id = any($7)) and ($8 is null or d.metadata @@ $8::jsonpath)
    and ($9 is null or d.created_at > $9) and ($10 is null or d.created_at < $10)
), size as (
  select greatest(coalesce(sum(s.chunks), 0), 1)::float8 as chunks,
         greatest(coalesce(sum(s.length), 0)::float8 / greatest(coalesce(sum(s.chunks), 0), 1)::float8, 1) as mean
  from collection_delta s
  where s.tenant_id = $1 and s.collection_id = any($2)
), found as materialized (
  select p.term, p.document_id, p.revision, p.postings
  from posting p
  join live on live.id = p.document_id and live.revision = p.revision
  where p.tenant_id = $1 and p.term = any($3)
), weight as materialized (
  select asked.term,
         ln(1 + (greatest(size.chunks, coalesce(seen.df, 0)) - coalesce(seen.df, 0) + 0.5) / (coalesce(seen.df, 0) + 0.5)) as idf,
         -- For the question of relevance a small library is taken as a page of a larger one: otherwise a word that
         -- stands in each of its three documents would weigh nothing, and more evidence would end in a refusal.
         ln(1 + (greatest(size.chunks, coalesce(seen.df, 0), 100) - coalesce(seen.df, 0) + 0.5) / (coalesce(seen.df, 0) + 0.5)) as share
  from unnest($3) as asked (term)
  cross join size
  -- The document frequency is counted from the very blocks that are scored: no statistic can be stale.
  left join (select term, sum(cardinality(postings))::float8 as df from found group by term) seen on seen.term = asked.term
), lexical as (
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
  limit 50
), dense as (
  select e.document_id, e.revision, e.ordinal, 1 - e.distance as cosine
  from (
    -- A model whose dimension changed at its provider must not break the search of what is left.
    select v.document_id, v.revision, v.ordinal, case when vector_dims(v.vector) = vector_dims($4) then v.vector <=> $4 end as distance
    from embedding v
    where v.tenant_id = $1 and v.model = $5 and $4 is not null
  ) e
  join live on live.id = e.document_id and live.revision = e.revision
  where e.distance is not null
  order by e.distance, e.document_id, e.ordinal
  limit 50
), fused as (
  -- Reciprocal rank fusion with k = 60 (Cormack et al. 2009, https://doi.org/10.1145/1571941.1572114).
  select document_id, revision, ordinal, max(bm25) as bm25, max(coverage) as coverage, max(cosine) as cosine,
         min(place) filter (where bm25 is not null) as bm25_rank, min(place) filter (where cosine is not null) as cosine_rank,
         sum(1.0 / (60 + place))::float8 as score
  from (
    select document_id, revision, ordinal, bm25, coverage, null::float8 as cosine,
           row_number() over (order by bm25 desc, document_id, ordinal) as place
    from lexical
    union all
    select document_id, revision, ordinal, null, null, cosine,
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
             and n.ordinal between c.ordinal - $11 and c.ordinal - 1 order by n.ordinal),
       array(select n.text from chunk n where n.tenant_id = $1 and n.document_id = c.document_id and n.revision = c.revision
             and n.ordinal between c.ordinal + 1 and c.ordinal + $11 order by n.ordinal)
from fused
join chunk c on c.tenant_id = $1 and c.document_id = fused.document_id and c.revision = fused.revision and c.ordinal = fused.ordinal
join document d on d.tenant_id = $1 and d.id = c.document_id
order by fused.score desc, c.document_id, c.ordinal
