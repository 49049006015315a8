-- A tenant's library on its way from one embedding model to another, beside readers who go on with the first: vectors
-- of both lie side by side, and a switch is one transaction.
set local role docent_owner;

-- At most one for each tenant. While it is `filling`, the newer model's vectors are made, for what comes meanwhile too;
-- `switched`, readers use the newer model and the older one's vectors wait for a roll-back; `finishing`, what nobody
-- reads any more is deleted, and then the row.
create table model_migration (
  tenant_id    uuid primary key references tenant on delete cascade,
  from_model   text not null check (length(from_model) between 1 and 200),
  to_model     text not null check (length(to_model) between 1 and 200 and to_model <> from_model),
  state        text not null default 'filling' check (state in ('filling', 'switched', 'finishing')),
  -- What a switch changed, and a roll-back changes back.
  collections  uuid[] not null default '{}',
  -- Documents that came after a switch lack the older model's vectors when it is rolled back.
  rolled_back  boolean not null default false,
  -- Chunks that have vectors, of how many when the last pass over the library began; and when a pass found nothing to do.
  done         bigint not null default 0,
  total        bigint not null default 0,
  filled_at    timestamptz,
  -- How far the pass under way is, and whether it found nothing to do so far.
  reached      uuid not null default '00000000-0000-0000-0000-000000000000',
  clean        boolean not null default true,
  -- Nobody takes it up before `lease_until`: somebody is at it, or it waits for its next try.
  lease_owner  uuid,
  lease_until  timestamptz not null default now(),
  attempts     integer not null default 0,
  error_code   text,
  error_detail text,
  error_hint   text,
  created_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now()
);
call control.wall('model_migration');

create policy control on model_migration for select to docent_control using (true);
grant select (tenant_id, state, lease_until) on model_migration to docent_control;

-- Tenants whose migration somebody should take up.
create function control.due_migrations(most integer)
returns table (tenant_id uuid)
language sql stable security definer set search_path = pg_catalog, public as $$
  select m.tenant_id from public.model_migration m
  where m.state <> 'switched' and m.lease_until <= now() order by m.lease_until limit most
$$;
revoke all on function control.due_migrations(integer) from public;
grant execute on function control.due_migrations(integer) to docent_app, docent_operator;
alter function control.due_migrations(integer) owner to docent_control;
