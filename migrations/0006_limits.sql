-- Callers beyond secret tokens, and what keeps them finite: publishable tokens, visitors, sessions, caps on spend.
set local role docent_owner;

-- Who a tenant is to the identity provider that its people sign in with; nothing for those that the operator made.
alter table tenant add column issuer text check (length(issuer) <= 500);
alter table tenant add column external_id text check (length(external_id) <= 500);

-- A publishable token stands in a web page: it mints visitors and can do nothing else, from its exact origins alone.
alter table token add column kind text not null default 'secret' check (kind in ('secret', 'publishable'));
alter table token add column origins text[] not null default '{}';
-- The bot that its visitors talk to; none means the tenant's default bot.
alter table token add column bot_id uuid;
alter table token add foreign key (tenant_id, bot_id) references bot (tenant_id, id) on delete cascade;
-- Which master key the secret is derived from that the tenant's own server signs its visitors with.
alter table token add column master_id text;
alter table token add check (kind = 'publishable' or (origins = '{}' and bot_id is null and master_id is null));

-- A conversation belongs to whoever began it: '' is the tenant's own servers, others name a visitor or a person.
-- Two visitors may choose the same id without ever meeting.
alter table conversation add column owner text not null default '' check (length(owner) <= 300);
drop index conversation_client;
create unique index conversation_client on conversation (tenant_id, owner, client_id);
drop index conversation_list;
create index conversation_list on conversation (tenant_id, owner, updated_at desc, id desc) where deleted_at is null;

-- What may be spent in a day (UTC), in millionths of a US dollar. `subject` is 'tenant', 'token' (each token),
-- 'visitor' (each visitor), or one token by name.
create table spend_cap (
  tenant_id    uuid not null references tenant on delete cascade,
  subject      text not null check (subject in ('tenant', 'token', 'visitor') or subject ~ '^token:[0-9a-f-]{36}$'),
  paid_by      text not null check (paid_by in ('tenant', 'operator')),
  daily_micros bigint not null check (daily_micros >= 0),
  updated_at   timestamptz not null default now(),
  primary key (tenant_id, subject, paid_by)
);
call control.wall('spend_cap');

-- What one subject spent and still holds reserved on one day. One row is locked for the length of one statement, so
-- that the sum and its cap are compared without a race.
create table spend_day (
  tenant_id       uuid not null references tenant on delete cascade,
  day             date not null,
  subject         text not null check (length(subject) <= 300),
  paid_by         text not null check (paid_by in ('tenant', 'operator')),
  spent_micros    bigint not null default 0 check (spent_micros >= 0),
  reserved_micros bigint not null default 0 check (reserved_micros >= 0),
  primary key (tenant_id, day, subject, paid_by)
);
call control.wall('spend_day');

-- The counters that a reservation was booked on, so that it can be settled or given back where it was taken.
alter table usage_ledger add column day date;
alter table usage_ledger add column subjects text[] not null default '{}';
alter table usage_ledger add column visitor text check (length(visitor) <= 300);
-- Which price table the cost was reckoned by, and whether tokens or price are an estimate.
alter table usage_ledger add column price_version text not null default '';
alter table usage_ledger add column estimated boolean not null default false;
create index usage_open on usage_ledger (tenant_id, created_at) where settled_at is null;

-- What came from an address without a valid credential: no tenant can be named yet, and no address is kept readable.
create table control.address_bucket (
  address bytea primary key check (length(address) = 16),
  arrival timestamptz not null
);
grant select, insert, update, delete on control.address_bucket to docent_control;

-- Admits one more request of an address, or says in how many milliseconds to come back (0: admitted). GCRA, see
-- rate_bucket.
create function control.admit(who bytea, most integer, seconds integer)
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, control as $$
declare
  step interval := make_interval(secs => seconds::double precision / most);
  span interval := make_interval(secs => seconds);
  seen timestamptz;
begin
  insert into control.address_bucket as b (address, arrival) values (who, now() + step)
    on conflict (address) do update set arrival = greatest(b.arrival, now()) + step
    where greatest(b.arrival, now()) + step <= now() + span
    returning b.arrival into seen;
  if found then return 0; end if;
  select b.arrival into seen from control.address_bucket b where b.address = who;
  return greatest(1, ceil(extract(epoch from seen + step - span - now()) * 1000)::integer);
end $$;

-- Forgets addresses that have nothing outstanding.
create function control.forget_addresses()
returns integer
language sql volatile security definer set search_path = pg_catalog, control as $$
  with gone as (delete from control.address_bucket where arrival < now() returning 1) select count(*)::integer from gone
$$;

-- The person behind an Auth.js database session (https://authjs.dev/getting-started/database), or nothing. The table
-- is the front end's: the operator lets docent_control read it. Three of its adapters, three names.
create function control.session_subject(session text)
returns text
language plpgsql stable security definer set search_path = pg_catalog, public as $$
declare
  place text;
  subject text;
begin
  foreach place in array array['sessions', '"Session"', 'session'] loop
    if to_regclass('public.' || place) is not null
       and has_table_privilege('docent_control', to_regclass('public.' || place), 'select') then
      execute format('select "userId"::text from public.%s where "sessionToken" = $1 and expires > now()', place)
        into subject using session;
      return subject;
    end if;
  end loop;
  return null;
end $$;

revoke all on function control.admit(bytea, integer, integer), control.forget_addresses(), control.session_subject(text) from public;
grant execute on function control.admit(bytea, integer, integer), control.forget_addresses(), control.session_subject(text)
  to docent_app, docent_operator;
alter function control.admit(bytea, integer, integer) owner to docent_control;
alter function control.forget_addresses() owner to docent_control;
alter function control.session_subject(text) owner to docent_control;
