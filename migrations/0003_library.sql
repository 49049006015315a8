-- The library: collections, bots, documents, and what search reads.
set local role docent_owner;

-- A collection fixes the embedding model of its documents: vectors of two models are never compared.
create table collection (
  tenant_id       uuid not null references tenant on delete cascade,
  id              uuid not null,
  name            text not null check (length(name) between 1 and 200),
  embedding_model text not null check (length(embedding_model) between 1 and 200),
  created_at      timestamptz not null default now(),
  primary key (tenant_id, id)
);
create unique index collection_name on collection (tenant_id, name);
call control.wall('collection');

create table bot (
  tenant_id    uuid not null references tenant on delete cascade,
  id           uuid not null,
  name         text not null check (length(name) between 1 and 200),
  instructions text not null default '' check (length(instructions) <= 20000),
  provider     text not null default 'extractive' check (provider ~ '^[a-z][a-z0-9-]{0,31}$'),
  model        text not null default '' check (length(model) <= 200),
  refusal      text not null default 'I could not find that in the documents.' check (length(refusal) between 1 and 2000),
  is_default   boolean not null default false,
  settings     jsonb not null default '{}',
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  primary key (tenant_id, id)
);
create unique index bot_default on bot (tenant_id) where is_default;
call control.wall('bot');

create table bot_collection (
  tenant_id     uuid not null,
  bot_id        uuid not null,
  collection_id uuid not null,
  primary key (tenant_id, bot_id, collection_id),
  foreign key (tenant_id, bot_id) references bot on delete cascade,
  foreign key (tenant_id, collection_id) references collection on delete cascade
);
call control.wall('bot_collection');

-- A document is what readers see (current_*) and what is being made of the bucket's newest bytes (building, built_etag).
-- `epoch` fences: a worker whose epoch is stale can write nothing that counts.
create table document (
  tenant_id        uuid not null references tenant on delete cascade,
  id               uuid not null,
  collection_id    uuid not null,
  filename         text not null check (length(filename) between 1 and 1000),
  title            text,
  content_type     text,
  declared_size    bigint not null check (declared_size >= 0),
  object_key       text not null check (length(object_key) <= 1024),
  status           text not null default 'uploading'
                   check (status in ('uploading', 'queued', 'parsing', 'embedding', 'ready', 'failed')),
  error_code       text,
  error_detail     text,
  error_hint       text,
  -- What the bucket holds; null until somebody looked.
  stored_size      bigint,
  current_revision integer,
  current_etag     text,
  -- What the current revision adds to its collection's statistics, so that a swap or a delete can take it back exactly.
  current_chunks   integer not null default 0,
  current_length   bigint not null default 0,
  -- The revision in the making: of which bytes, by which plan, and how far it got. A new worker goes on from there.
  building         integer not null default 1 check (building >= 1),
  built_etag       text,
  plan_hash        bytea,
  planned_chunks   integer not null default 0,
  stored_chunks    integer not null default 0,
  stored_length    bigint not null default 0,
  pages            integer,
  epoch            bigint not null default 0,
  lease_owner      uuid,
  lease_until      timestamptz,
  attempts         integer not null default 0,
  deleted_at       timestamptz,
  created_at       timestamptz not null default now(),
  updated_at       timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, collection_id) references collection,
  check (status <> 'ready' or (current_revision is not null and stored_chunks = planned_chunks)),
  check ((status = 'failed') = (error_code is not null))
);
create index document_list on document (tenant_id, created_at desc, id desc) where deleted_at is null;
create index document_open on document (lease_until) where status in ('queued', 'parsing', 'embedding') and deleted_at is null;
call control.wall('document');

-- Each chunk is a slice of the extracted text: [span_start, span_end) in bytes of its UTF-8.
create table chunk (
  tenant_id    uuid not null,
  document_id  uuid not null,
  revision     integer not null,
  ordinal      integer not null,
  text         text not null,
  page_first   integer,
  page_last    integer,
  span_start   bigint not null,
  span_end     bigint not null,
  heading_path text[] not null default '{}',
  tokens       integer not null,
  primary key (tenant_id, document_id, revision, ordinal),
  foreign key (tenant_id, document_id) references document on delete cascade
);
call control.wall('chunk');

-- Vectors of every model and dimension live side by side, one partition per model: the scan of one model never reads
-- another's, text stays off the vector scan, and a migration to a new model is a new partition. Models without a
-- partition of their own fall into the default one and are scanned exactly until the operator gives them one.
create table embedding (
  tenant_id   uuid not null,
  model       text not null,
  document_id uuid not null,
  revision    integer not null,
  ordinal     integer not null,
  vector      vector not null,
  -- Inside a partition the model is the same everywhere; a document's rows lie together, for its deletion.
  primary key (tenant_id, document_id, revision, ordinal, model),
  foreign key (tenant_id, document_id) references document on delete cascade
) partition by list (model);
create table embedding_hash_384 partition of embedding (check (vector_dims(vector) = 384)) for values in ('hash-384');
create table embedding_minilm_l6_v2 partition of embedding (check (vector_dims(vector) = 384)) for values in ('minilm-l6-v2');
create table embedding_openai_3_small partition of embedding (check (vector_dims(vector) = 1536))
  for values in ('openai/text-embedding-3-small');
create table embedding_other partition of embedding default;
call control.wall('embedding');
-- A partition that is queried by its own name would not pass through its parent's policy: close each of them too.
call control.wall('embedding_hash_384');
call control.wall('embedding_minilm_l6_v2');
call control.wall('embedding_openai_3_small');
call control.wall('embedding_other');

-- BM25 over plain rows: one per (term, chunk). `length` is the chunk's number of terms, repeated so that scoring a
-- term never leaves this index.
create table posting (
  tenant_id   uuid not null,
  term        text not null,
  document_id uuid not null,
  revision    integer not null,
  ordinal     integer not null,
  tf          integer not null check (tf > 0),
  length      integer not null check (length > 0),
  primary key (tenant_id, term, document_id, revision, ordinal) include (tf, length),
  foreign key (tenant_id, document_id) references document on delete cascade
);
create index posting_document on posting (tenant_id, document_id, revision);
call control.wall('posting');

-- Number and total length of a collection's live chunks, as deltas that are only ever appended: two swaps never wait
-- for each other's row. The sweep folds them.
create table collection_delta (
  tenant_id     uuid not null,
  collection_id uuid not null,
  id            uuid not null default gen_random_uuid(),
  chunks        bigint not null,
  length        bigint not null,
  created_at    timestamptz not null default now(),
  primary key (tenant_id, collection_id, id),
  foreign key (tenant_id, collection_id) references collection on delete cascade
);
call control.wall('collection_delta');

-- An edited file pays only for the chunks that changed. The key is the hash of what was embedded, headings included.
create table embedding_cache (
  tenant_id  uuid not null references tenant on delete cascade,
  model      text not null,
  input_hash bytea not null check (length(input_hash) = 32),
  vector     vector not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, model, input_hash)
);
call control.wall('embedding_cache');

-- A hint: "look at this key". What counts is what the bucket says when somebody looks.
create table ingest_event (
  tenant_id   uuid not null references tenant on delete cascade,
  id          uuid not null,
  object_key  text not null check (length(object_key) <= 1024),
  document_id uuid,
  source      text not null check (source in ('upload', 's3', 'r2', 'sweep')),
  attempts    integer not null default 0,
  due_at      timestamptz not null default now(),
  created_at  timestamptz not null default now(),
  primary key (tenant_id, id)
);
create index ingest_event_due on ingest_event (due_at);
-- One hint per key is enough: it says "look", and looking finds whatever is there. A newer hint takes the older one's
-- place under a new id, so that a worker who consumes what it saw does not consume what came meanwhile.
create unique index ingest_event_key on ingest_event (tenant_id, object_key);
call control.wall('ingest_event');
