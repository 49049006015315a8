-- A tenant's own index over its vectors: what the functions' role needs to ask one, and the planner to choose it.
-- `docent reindex` makes the indexes; until then, and for small tenants always, every vector is read.
set local role docent_owner;

-- The planner takes the index of a tenant only when it knows how much of a partition is that tenant's.
alter table embedding_hash_384 alter column tenant_id set statistics 1000;
alter table embedding_minilm_l6_v2 alter column tenant_id set statistics 1000;
alter table embedding_openai_3_small alter column tenant_id set statistics 1000;
alter table embedding_other alter column tenant_id set statistics 1000;
reset role;

-- An index gives its rows in their order and goes on for as long as the filter takes them away again, and it looks at
-- 200 candidates before it gives the first one. Settings of the role, because they hold behind any pooler and cost no
-- statement; were they missing, fewer rows would come, and the statement would read them all.
-- Only with pgvector loaded does the server know these names, and lets others than a superuser set them.
select '[1]'::vector;
alter role docent_app set hnsw.iterative_scan = 'strict_order';
alter role docent_app set hnsw.ef_search = 200;
