-- What a document's keeper decides: versions of its bytes, its title, its place, where it comes from.
set local role docent_owner;

alter table document
  -- The newest version whose bytes have come; `object_key` is that version's.
  add column version integer not null default 1 check (version >= 1),
  -- The version that readers see.
  add column current_version integer,
  -- Title as the keeper gave it; `title` is what the bytes say.
  add column own_title text check (length(own_title) <= 1000),
  add column metadata jsonb not null default '{}' check (jsonb_typeof(metadata) = 'object'),
  -- Where it goes with the next revision: another embedding model means another revision, and until that is shown the
  -- old one stays where it is.
  add column moving_to uuid,
  -- An address that the bytes are pulled from, and what the origin called them when they were.
  add column source_url text check (length(source_url) <= 2048),
  add column source_etag text check (length(source_etag) <= 1000),
  add foreign key (tenant_id, moving_to) references collection;

-- The same name in the same collection is the same file, for whoever asks for that.
create index document_name on document (tenant_id, collection_id, filename) where deleted_at is null;

-- The bytes of a document, each in its own place, numbered from 1 in the order in which room was made for them. A
-- number above the document's `version` waits for its bytes; at or below it they came, or will never count.
create table document_version (
  tenant_id     uuid not null,
  document_id   uuid not null,
  version       integer not null check (version >= 1),
  object_key    text not null check (length(object_key) <= 1024),
  content_type  text,
  declared_size bigint not null check (declared_size >= 0),
  sha256        bytea check (length(sha256) = 32),
  -- What the bucket called the bytes when they were first read.
  etag          text,
  received_at   timestamptz,
  -- Readers of this version make all older ones superfluous.
  replaces      boolean not null default false,
  -- The version whose bytes these are, when they were brought back.
  restores      integer,
  created_at    timestamptz not null default now(),
  primary key (tenant_id, document_id, version),
  foreign key (tenant_id, document_id) references document on delete cascade
);
create index document_version_key on document_version (tenant_id, object_key);
call control.wall('document_version');

-- How far a sweep got that ran out of time: the next one goes on behind this document.
alter table tenant add column swept_to uuid;

-- Documents from before there were versions have one. As the operator, who sees every tenant.
set local role docent_operator;
update document set current_version = 1 where current_revision is not null;
insert into document_version (tenant_id, document_id, version, object_key, content_type, declared_size, etag, received_at, created_at)
select d.tenant_id, d.id, 1, d.object_key, d.content_type, d.declared_size, d.built_etag,
       case when d.stored_size is not null then d.updated_at end, d.created_at
from document d;
