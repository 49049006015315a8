-- The database of a simulation: its time stands still but for a microsecond for each transaction, which keeps them in
-- order, and chance gives every tenant the same. Whatever says now() or random() says these.
create schema simulated;
create table simulated.clock as select pg_catalog.now() as started, pg_current_xact_id()::text::bigint as first;

create function simulated.now() returns timestamptz language sql stable as $$
  select started + (pg_current_xact_id()::text::bigint - first) * interval '1 microsecond' from simulated.clock
$$;

create function simulated.random() returns double precision language sql immutable as 'select 0.5::double precision';

grant usage on schema simulated to public;
grant select on simulated.clock to public;

do $$
declare
  target text;
begin
  execute format('alter role docent_app in database %I set search_path = simulated, pg_catalog, public', current_database());
  for target in
    select p.oid::regprocedure::text from pg_proc p
    where p.pronamespace in ('public'::regnamespace, 'control'::regnamespace) and p.proconfig is not null
  loop
    execute format('alter function %s set search_path = simulated, pg_catalog, public, control', target);
  end loop;
  for target in
    select format('alter table %s alter column %I set default simulated.now()', d.adrelid::regclass, a.attname)
    from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where pg_get_expr(d.adbin, d.adrelid) = 'now()'
  loop
    execute target;
  end loop;
end
$$;
