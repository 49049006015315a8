-- The only doors between tenants that a function may use. Each returns ids and nothing else; each runs as
-- docent_control, which sees the listed columns of the listed tables and no others.
set local role docent_owner;

create policy control on document for select to docent_control using (true);
grant select (tenant_id, id, status, lease_until, deleted_at, updated_at) on document to docent_control;
create policy control on ingest_event for select to docent_control using (true);
grant select (tenant_id, id, object_key, due_at) on ingest_event to docent_control;
create policy control on tenant for select to docent_control using (true);
grant select (tenant_id, disabled_at, swept_at) on tenant to docent_control;

-- Hints whose time has come.
create function control.due_hints(most integer)
returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public as $$
  select e.tenant_id, e.id from public.ingest_event e where e.due_at <= now() order by e.due_at limit most
$$;

-- Documents whose worker is gone: in flight, with a lease that ran out. One that was never leased has a hint of its
-- own; it counts as stuck only when that hint did not get it anywhere for a minute.
create function control.stuck_documents(most integer)
returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public as $$
  select d.tenant_id, d.id from public.document d
  where d.status in ('queued', 'parsing', 'embedding') and d.deleted_at is null
    and coalesce(d.lease_until, d.updated_at + interval '1 minute') < now()
  order by d.updated_at limit most
$$;

-- Tenants whose library was not compared with the bucket since `before`, those that wait longest first.
create function control.unswept_tenants(before timestamptz, most integer)
returns table (tenant_id uuid)
language sql stable security definer set search_path = pg_catalog, public as $$
  select t.tenant_id from public.tenant t
  where t.disabled_at is null and coalesce(t.swept_at, '-infinity') < before
  order by t.swept_at nulls first, t.tenant_id limit most
$$;

-- Rights first: the owner of today may no longer give them once a function is handed over.
revoke all on function control.due_hints(integer), control.stuck_documents(integer), control.unswept_tenants(timestamptz, integer) from public;
grant execute on function control.due_hints(integer), control.stuck_documents(integer), control.unswept_tenants(timestamptz, integer)
  to docent_app, docent_operator;

alter function control.due_hints(integer) owner to docent_control;
alter function control.stuck_documents(integer) owner to docent_control;
alter function control.unswept_tenants(timestamptz, integer) owner to docent_control;
