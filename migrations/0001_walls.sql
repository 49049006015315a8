-- The walls: who may touch what, before there is anything to touch.
--
-- Four roles, none of which is a superuser and none of which bypasses row security:
--   docent_owner     owns every object; no login; migrations `set role` to it.
--   docent_app       what the functions log in as; owns nothing.
--   docent_operator  the command line and CI: sees every tenant by an explicit policy, never used in a function.
--   docent_control   owns the few definer functions; sees columns that say *that* work is due, never *what* it is.
-- They are made here, by SQL: roles made in a hosting console often bypass row security
-- (https://neon.com/docs/manage/roles).
do $$
declare
  wanted text;
begin
  foreach wanted in array array['docent_owner', 'docent_app', 'docent_operator', 'docent_control'] loop
    if not exists (select from pg_roles where rolname = wanted) then
      execute format('create role %I nosuperuser nocreatedb nocreaterole noinherit', wanted);
    end if;
  end loop;
  execute format('grant docent_owner, docent_operator, docent_control to %I', current_user);
  execute format('grant create, connect on database %I to docent_owner', current_database());
  execute format('grant connect on database %I to docent_app, docent_operator', current_database());
end $$;

-- No statement, lock or idle transaction of a function holds others up for long; a killed worker's locks end with it.
alter role docent_app set statement_timeout = '60s';
alter role docent_app set lock_timeout = '10s';
alter role docent_app set idle_in_transaction_session_timeout = '30s';

-- The one extension the schema depends on; uuid, sha256 and text functions are in core.
create extension if not exists vector;

revoke all on schema public from public;
grant usage, create on schema public to docent_owner;
grant usage on schema public to docent_app, docent_operator, docent_control;
create schema if not exists control authorization docent_owner;
grant usage on schema control to docent_app, docent_operator;
-- Definer functions are created by the owner and handed to docent_control, which needs this right to receive them.
grant usage, create on schema control to docent_control;
grant docent_control to docent_owner;

set local role docent_owner;

-- Closes a tenant table: row security forced (the owner is subject to it too), one policy for the tenant's own rows,
-- one for the operator, and the app's grants. `nullif` matters: after a `set local` ends, the setting is '' and not
-- null, and ''::uuid would raise instead of matching nothing.
create procedure control.wall(tenant_table regclass) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tenant_table);
  execute format('alter table %s force row level security', tenant_table);
  execute format(
    'create policy tenant on %s to docent_app'
    ' using (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)'
    ' with check (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', tenant_table);
  execute format('create policy operator on %s to docent_operator using (true) with check (true)', tenant_table);
  execute format('grant select, insert, update, delete on %s to docent_app, docent_operator', tenant_table);
end $$;
revoke all on procedure control.wall(regclass) from public;
