#!/usr/bin/env bash
# Restores a backup of `backup.sh` into an empty database and compares every table's number of rows with that of the
# backup: restore.sh DATABASE_URL [NAME]. Without a name, the newest one. Exit 0 only when all rows are there.
#
# Nothing may work on the database meanwhile: a worker's rows would be counted too. It must not hold tables yet, and its
# server must have Docent's roles: they belong to the server, not to the dump. On a new server, `docent migrate` against
# any other empty database makes them.
# Afterwards: `docent migrate` with the new URLs gives docent_app its password and the schema its newest form.
#
# Needs BACKUP_BUCKET and the AWS CLI's variables, as `backup.sh` does.
set -euo pipefail

target=${1:?is missing: the URL of an empty database, as an administrator.}
name=${2:-}
: "${BACKUP_BUCKET:?is not set. Name the bucket that keeps the backups.}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sql() { psql -qAtX -F $'\t' -v ON_ERROR_STOP=1 "$target" "$@"; }
refuse() { echo "restore: $*" >&2; exit 1; }

if [ -z "$name" ]; then
  name=$(aws s3 ls "s3://$BACKUP_BUCKET/backups/" | awk '{ print $4 }' |
    grep -E '^docent-[0-9]{8}T[0-9]{6}Z\.counts$' | sort | tail -n 1) || refuse "there is no backup in s3://$BACKUP_BUCKET/backups/."
  name=${name%.counts}
fi
tables=$(sql -c "select count(*) from pg_tables where schemaname in ('public', 'control', 'docent_meta')")
[ "$tables" = 0 ] || refuse "the database holds $tables tables already. Name an empty one; nothing is ever overwritten."
roles=$(sql -c "select count(*) from pg_roles where rolname in ('docent_owner', 'docent_app', 'docent_operator', 'docent_control')")
[ "$roles" = 4 ] || refuse "the server does not have Docent's roles. Run \`docent migrate\` against another empty database of it first."

for file in "$name.dump" "$name.counts"; do
  aws s3 cp --only-show-errors "s3://$BACKUP_BUCKET/backups/$file" "$work/$file"
done
found=$(sha256sum <"$work/$name.dump" | cut -d' ' -f1)
grep -qx "sha256	$found" "$work/$name.counts" || refuse "$name.dump is not the file that was backed up (SHA-256 $found)."

pg_restore --exit-on-error --single-transaction --dbname="$target" "$work/$name.dump"
sql <<'SQL'
select format('grant create, connect on database %I to docent_owner', current_database()),
       format('grant connect on database %I to docent_app, docent_operator', current_database())
\gexec
SQL

grep -v '^sha256' "$work/$name.counts" >"$work/expected"
cut -f1 "$work/expected" | while IFS=. read -r schema table; do
  sql -v schema="$schema" -v table="$table" <<'SQL'
set row_security = off;
select format('select %L, count(*) from %I.%I', :'schema' || '.' || :'table', :'schema', :'table')
\gexec
SQL
done >"$work/restored"
diff --unified "$work/expected" "$work/restored" || refuse "the rows above differ between the backup (-) and what was restored (+)."
column -t "$work/restored"
echo "restored $name: the same number of rows in $(wc -l <"$work/restored") tables"
