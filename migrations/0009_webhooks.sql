-- Outbound webhooks: endpoints that are told what became of documents.
set local role docent_owner;

create table webhook (
  tenant_id       uuid not null references tenant on delete cascade,
  id              uuid not null,
  url             text not null check (length(url) between 1 and 2048),
  events          text[] not null check (
                    cardinality(events) >= 1
                    and events <@ array['document.ready', 'document.failed', 'document.deleted']),
  -- What messages are signed with, sealed like a provider's key.
  secret          bytea not null,
  -- Since when nothing got through.
  failing_since   timestamptz,
  disabled_at     timestamptz,
  disabled_reason text check (length(disabled_reason) <= 300),
  created_at      timestamptz not null default now(),
  updated_at      timestamptz not null default now(),
  primary key (tenant_id, id)
);
call control.wall('webhook');

-- The outbox: one row for each message to each endpoint, written with the change that it tells of.
create table webhook_delivery (
  tenant_id    uuid not null,
  id           uuid not null,
  webhook_id   uuid not null,
  document_id  uuid not null,
  payload      jsonb not null,
  attempts     integer not null default 0,
  -- The status of the last answer; null when there was none.
  status       integer,
  -- 'infinity' when it was given up.
  due_at       timestamptz not null default now(),
  delivered_at timestamptz,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, webhook_id) references webhook on delete cascade
);
create index webhook_delivery_due on webhook_delivery (due_at) where delivered_at is null;
create index webhook_delivery_webhook on webhook_delivery (tenant_id, webhook_id);
call control.wall('webhook_delivery');

-- A trigger, so that no statement that ends a document's way can forget to tell, and none tells of what was rolled back.
-- It runs with the rights and under the policies of whoever changes the document.
create function note_document_event() returns trigger
language plpgsql set search_path = pg_catalog, public as $$
declare
  kind text := case when new.deleted_at is not null then 'document.deleted' else 'document.' || new.status end;
begin
  insert into public.webhook_delivery (tenant_id, id, webhook_id, document_id, payload)
  select w.tenant_id, gen_random_uuid(), w.id, new.id, jsonb_build_object(
    'type', kind,
    'timestamp', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
    'data', jsonb_build_object(
      'documentId', new.id, 'filename', new.filename, 'collectionId', new.collection_id, 'metadata', new.metadata,
      'version', new.version, 'chunks', new.current_chunks, 'error',
      case when kind = 'document.failed'
           then jsonb_build_object('code', new.error_code, 'message', new.error_detail, 'hint', new.error_hint) end))
  from public.webhook w
  where w.tenant_id = new.tenant_id and w.disabled_at is null and kind = any(w.events);
  return null;
end $$;

create trigger document_event after update on document for each row when (
  (new.deleted_at is not null and old.deleted_at is null)
  or (new.deleted_at is null and new.status = 'failed' and old.status <> 'failed')
  or (new.deleted_at is null and new.status = 'ready' and new.current_revision is distinct from old.current_revision)
) execute function note_document_event();

create policy control on webhook_delivery for select to docent_control using (true);
grant select (tenant_id, id, due_at, delivered_at) on webhook_delivery to docent_control;

-- Messages whose time has come.
create function control.due_deliveries(most integer)
returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public as $$
  select d.tenant_id, d.id from public.webhook_delivery d
  where d.delivered_at is null and d.due_at <= now() order by d.due_at limit most
$$;
revoke all on function control.due_deliveries(integer) from public;
grant execute on function control.due_deliveries(integer) to docent_app, docent_operator;
alter function control.due_deliveries(integer) owner to docent_control;
