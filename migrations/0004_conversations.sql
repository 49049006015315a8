-- Conversations, what was streamed, what it cost, and the counters that keep cost finite.
set local role docent_owner;

create table conversation (
  tenant_id  uuid not null references tenant on delete cascade,
  id         uuid not null,
  -- The client's own id for the conversation: unique inside the tenant, meaningless outside.
  client_id  text not null check (length(client_id) between 1 and 200),
  bot_id     uuid,
  title      text not null default '',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, bot_id) references bot on delete set null (bot_id)
);
create unique index conversation_client on conversation (tenant_id, client_id);
create index conversation_list on conversation (tenant_id, updated_at desc, id desc) where deleted_at is null;
call control.wall('conversation');

-- `streaming` with a lease in the past means that the producer died: readers show it as interrupted.
create table message (
  tenant_id       uuid not null,
  conversation_id uuid not null,
  id              uuid not null,
  role            text not null check (role in ('user', 'assistant')),
  text            text not null,
  citations       jsonb not null default '[]',
  usage           jsonb not null default '{}',
  state           text not null default 'complete'
                  check (state in ('complete', 'streaming', 'interrupted', 'error', 'refused')),
  error_code      text,
  lease_until     timestamptz,
  created_at      timestamptz not null default now(),
  primary key (tenant_id, conversation_id, id),
  foreign key (tenant_id, conversation_id) references conversation on delete cascade
);
call control.wall('message');

-- What a client was sent, in order; a second process replays it byte for byte.
create table stream_log (
  tenant_id       uuid not null,
  conversation_id uuid not null,
  message_id      uuid not null,
  sequence        integer not null,
  frames          text not null,
  created_at      timestamptz not null default now(),
  primary key (tenant_id, conversation_id, message_id, sequence),
  foreign key (tenant_id, conversation_id, message_id) references message on delete cascade
);
call control.wall('stream_log');

-- Spend is reserved before the first byte and settled at the end; an open reservation that outlives its request is
-- settled by the sweep.
create table usage_ledger (
  tenant_id     uuid not null references tenant on delete cascade,
  id            uuid not null,
  token_id      uuid,
  kind          text not null check (kind in ('chat', 'embedding')),
  provider      text not null,
  model         text not null,
  input_tokens  bigint not null default 0,
  output_tokens bigint not null default 0,
  -- Millionths of a US dollar: integers add up exactly.
  reserved_micros bigint not null default 0,
  settled_micros  bigint,
  paid_by       text not null default 'tenant' check (paid_by in ('tenant', 'operator', 'nobody')),
  created_at    timestamptz not null default now(),
  settled_at    timestamptz,
  primary key (tenant_id, id)
);
create index usage_day on usage_ledger (tenant_id, created_at);
call control.wall('usage_ledger');

-- GCRA: one row per limited thing, one timestamp per row ("theoretical arrival time").
create table rate_bucket (
  tenant_id uuid not null references tenant on delete cascade,
  bucket    text not null check (length(bucket) <= 200),
  arrival   timestamptz not null,
  primary key (tenant_id, bucket)
);
call control.wall('rate_bucket');

create table idempotency (
  tenant_id    uuid not null references tenant on delete cascade,
  key          text not null check (length(key) between 1 and 255),
  request_hash bytea not null check (length(request_hash) = 32),
  status       integer,
  response     text,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, key)
);
call control.wall('idempotency');
