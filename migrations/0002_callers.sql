-- Tenants, their platform tokens, and the provider keys that they bring.
set local role docent_owner;

create table tenant (
  tenant_id   uuid primary key,
  name        text not null check (length(name) between 1 and 200),
  created_at  timestamptz not null default now(),
  disabled_at timestamptz,
  -- When the library was last compared with the bucket.
  swept_at    timestamptz
);
call control.wall('tenant');

-- A platform token is stored as its SHA-256 alone; `last4` is for people who must tell two apart.
create table token (
  tenant_id    uuid not null references tenant on delete cascade,
  id           uuid not null,
  name         text not null check (length(name) between 1 and 200),
  hash         bytea not null check (length(hash) = 32),
  last4        text not null check (length(last4) = 4),
  scopes       text[] not null,
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, id)
);
-- Unique inside the tenant only: a global unique key would tell one tenant about another's values.
create unique index token_hash on token (tenant_id, hash);
call control.wall('token');

-- One sealed key per provider. The seal's context binds tenant, provider, row and endpoint origin, so a blob that is
-- copied to another row, or a row whose endpoint was changed, does not open.
create table provider_key (
  tenant_id   uuid not null references tenant on delete cascade,
  id          uuid not null,
  provider    text not null check (provider ~ '^[a-z][a-z0-9-]{0,31}$'),
  base_url    text not null check (length(base_url) <= 2048),
  sealed      bytea not null,
  last4       text not null,
  fingerprint text not null,
  status      text not null default 'unchecked'
              check (status in ('unchecked', 'good', 'bad', 'restricted', 'out_of_credit', 'rate_limited', 'unreachable', 'not_an_api')),
  checked_at  timestamptz,
  created_at  timestamptz not null default now(),
  updated_at  timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, provider)
);
call control.wall('provider_key');
