-- One tenant's ten thousand hints keep nobody else waiting: what is due is given out tenant by tenant, the first of
-- each before the second of any. Where there are more tenants than places, chance decides, because any fixed order
-- would let the same ones win every time.
set local role docent_owner;

-- From one tenant that has hints to the next, and of each only the first: the cost follows the number of tenants who
-- wait and not that of their hints. Nothing asks by the time alone any more.
create index ingest_event_turn on ingest_event (tenant_id, due_at);
drop index ingest_event_due;

-- Whoever owns a function replaces it; rights and owner stay as they are.
set local role docent_control;

create or replace function control.due_hints(most integer)
returns table (tenant_id uuid, id uuid)
language sql volatile security definer set search_path = pg_catalog, public as $$
  with recursive waiting as (
    (select e.tenant_id from public.ingest_event e order by e.tenant_id limit 1)
    union all
    select (select e.tenant_id from public.ingest_event e where e.tenant_id > w.tenant_id order by e.tenant_id limit 1)
    from waiting w where w.tenant_id is not null
  ), turns as (
    select w.tenant_id, d.id, row_number() over (partition by w.tenant_id order by d.due_at) as turn
    from waiting w cross join lateral (
      select e.id, e.due_at from public.ingest_event e
      where e.tenant_id = w.tenant_id and e.due_at <= now() order by e.due_at limit most
    ) d
  )
  select t.tenant_id, t.id from turns t order by t.turn, random() limit most
$$;

-- Documents whose worker is gone are few, and those of one tenant are no more urgent than another's.
create or replace function control.stuck_documents(most integer)
returns table (tenant_id uuid, id uuid)
language sql volatile security definer set search_path = pg_catalog, public as $$
  with turns as (
    select d.tenant_id, d.id, row_number() over (partition by d.tenant_id order by d.updated_at) as turn
    from public.document d
    where d.status in ('queued', 'parsing', 'embedding') and d.deleted_at is null
      and coalesce(d.lease_until, d.updated_at + interval '1 minute') < now()
  )
  select t.tenant_id, t.id from turns t order by t.turn, random() limit most
$$;
