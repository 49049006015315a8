//! What the catalog must say about the walls: every way in which it can say otherwise is a line of the lint.

use tokio_postgres::Client;

use crate::statements::TABLES;

/// The policy's expression as the catalog prints it.
pub const OWN: &str = "(tenant_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)";

/// Each query gives one line for each fault.
const RULES: &[(&str, &str)] = &[
    (
        "row security is not forced on",
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and not (c.relrowsecurity and c.relforcerowsecurity)",
    ),
    (
        "a key lacks tenant_id:",
        "select c.relname::text || '.' || k.conname::text from pg_constraint k join pg_class c on c.oid = k.conrelid
         where c.relnamespace = 'public'::regnamespace and k.contype in ('p', 'f') and not exists (
           select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = any(k.conkey))",
    ),
    (
        "a unique index spans tenants:",
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indrelid
         where c.relnamespace = 'public'::regnamespace and i.indisunique and not exists (
           select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = any(i.indkey::int2[]))",
    ),
    (
        "a policy is missing on",
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
           and (select count(*) from pg_policy p where p.polrelid = c.oid and p.polname in ('tenant', 'operator')) <> 2",
    ),
    (
        "a view or a foreign table looks past row security:",
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('v', 'm', 'f')",
    ),
    (
        "not docent_owner's:",
        "select c.relname::text from pg_class c where c.relnamespace = 'public'::regnamespace
           and c.relkind in ('r', 'p', 'S') and c.relowner <> 'docent_owner'::regrole",
    ),
    (
        "a right too many:",
        "select c.relname::text || ': ' || r.privilege_type || ' for ' || case r.grantee when 0 then 'public' else r.grantee::regrole::text end
         from pg_class c, aclexplode(c.relacl) r
         where c.relnamespace = 'public'::regnamespace and r.grantee <> 'docent_owner'::regrole
           and (r.is_grantable or r.grantee not in ('docent_app'::regrole, 'docent_operator'::regrole)
                or r.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE'))",
    ),
    (
        "a column's right too many:",
        "select c.relname::text || '.' || a.attname::text from pg_attribute a join pg_class c on c.oid = a.attrelid, aclexplode(a.attacl) r
         where c.relnamespace = 'public'::regnamespace
           and not (r.grantee = 'docent_control'::regrole and r.privilege_type = 'SELECT' and not r.is_grantable
                    and c.relname in ('document', 'ingest_event', 'model_migration', 'tenant', 'webhook_delivery')
                    and a.attname in ('tenant_id', 'id', 'status', 'lease_until', 'deleted_at', 'updated_at', 'object_key', 'due_at',
                                      'disabled_at', 'swept_at', 'delivered_at', 'state'))",
    ),
    (
        "a role that is too strong:",
        "select r.rolname::text from pg_roles r where r.rolname like 'docent\\_%'
           and (r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolinherit
                or (r.rolcanlogin and r.rolname <> 'docent_app'))",
    ),
    (
        "docent_app is a member of",
        "select g.rolname::text from pg_roles g where g.rolname <> 'docent_app' and pg_has_role('docent_app', g.oid, 'member')",
    ),
    (
        "docent_app may create in",
        "select n.nspname::text from pg_namespace n where n.nspname not like 'pg\\_%'
           and has_schema_privilege('docent_app', n.oid, 'create')",
    ),
    (
        "a definer function that is not docent_control's, or finds its tables by the caller's path:",
        "select p.oid::regprocedure::text from pg_proc p
         where p.prosecdef and p.pronamespace in ('public'::regnamespace, 'control'::regnamespace)
           and (p.proowner <> 'docent_control'::regrole or not coalesce(p.proconfig::text like '%search_path=pg_catalog%', false))",
    ),
    (
        "a function of control that somebody else may call:",
        "select p.oid::regprocedure::text from pg_proc p left join lateral aclexplode(p.proacl) r on true
         where p.pronamespace = 'control'::regnamespace
           and (p.proacl is null or r.grantee not in ('docent_owner'::regrole, 'docent_control'::regrole, 'docent_app'::regrole, 'docent_operator'::regrole))",
    ),
];

/// Everything that is wrong with the walls of a database; nothing, as it should be.
pub async fn catalog_lint(admin: &Client) -> Vec<String> {
    let mut faults = Vec::new();
    for (rule, sql) in RULES {
        for row in admin.query(*sql, &[]).await.unwrap() {
            faults.push(format!("{rule} {}", row.get::<_, String>(0)));
        }
    }
    faults.extend(policies(admin).await);
    let mut roots = top_tables(admin).await;
    roots.retain(|table| !TABLES.contains(&table.as_str()));
    faults.extend(roots.into_iter().map(|table| format!("the statements' lint does not know the table {table}")));
    faults
}

/// Every policy word for word: whom it is for, what it shows, what it lets in.
async fn policies(admin: &Client) -> Vec<String> {
    let sql = "select c.relname::text, p.polname::text || ' to ' || array(select case when r = 0 then 'public' else r::regrole::text end from unnest(p.polroles) r)::text
                 || ' for ' || p.polcmd::text || case when p.polpermissive then '' else ' restrictive' end,
                 coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
               from pg_policy p join pg_class c on c.oid = p.polrelid order by 1, 2";
    let mut faults = Vec::new();
    for row in admin.query(sql, &[]).await.unwrap() {
        let (table, policy, shows, lets_in): (String, String, String, String) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let right = match policy.as_str() {
            "tenant to {docent_app} for *" => shows == OWN && lets_in == OWN,
            "operator to {docent_operator} for *" => shows == "true" && lets_in == "true",
            "control to {docent_control} for r" => {
                shows == "true"
                    && lets_in.is_empty()
                    && ["document", "ingest_event", "model_migration", "tenant", "webhook_delivery"]
                        .contains(&table.as_str())
            }
            _ => false,
        };
        if !right {
            faults.push(format!("the policy of {table}: {policy} using {shows} with check {lets_in}"));
        }
    }
    faults
}

/// Every table of tenants, partitions among them.
pub async fn tables(admin: &Client) -> Vec<String> {
    let sql = "select c.relname::text from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') order by 1";
    admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

async fn top_tables(admin: &Client) -> Vec<String> {
    let sql = "select c.relname::text from pg_class c
               where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1";
    admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}
