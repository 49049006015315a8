#!/usr/bin/env bash
# Puts a dump of the database into a bucket, with the number of rows of every table at the same moment, and takes away
# what is older than 30 days. `restore.sh` reads it back; `restore-drill.sh` shows that it can.
#
#   DIRECT_DATABASE_URL   an administrator's URL that does not go through a pooler
#   BACKUP_BUCKET         better not the documents' own: who may write there need not be able to delete here
#   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, and for R2 AWS_ENDPOINT_URL_S3: read by the AWS CLI
#
# Needs aws, and psql and pg_dump of the server's major version or a later one.
set -euo pipefail

readonly DAYS=30
: "${DIRECT_DATABASE_URL:?is not set. Give an administrator\'s URL that does not go through a pooler.}"
: "${BACKUP_BUCKET:?is not set. Name the bucket that keeps the backups.}"

name=docent-$(date -u +%Y%m%dT%H%M%SZ)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One transaction keeps the moment: the counts are read in it, and the dump is told to look at the same snapshot.
coproc session { psql -qAtX -F $'\t' -v ON_ERROR_STOP=1 "$DIRECT_DATABASE_URL" 2>"$work/errors"; }
exec 3<&"${session[0]}" 4>&"${session[1]}"
# Row security is off so that a role which cannot see every tenant gets an error, not a part of the rows.
cat >&4 <<'SQL'
begin isolation level repeatable read read only;
set local row_security = off;
select pg_export_snapshot();
select format('select %L, count(*) from %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' order by 1
\gexec
\echo counted
SQL
read -r -t 60 snapshot <&3 || { cat "$work/errors" >&2; exit 1; }
while read -r -t 3600 line <&3 && [ "$line" != counted ]; do echo "$line"; done >"$work/$name.counts"
[ "${line:-}" = counted ] || { cat "$work/errors" >&2; exit 1; }

pg_dump --format=custom --snapshot="$snapshot" --file="$work/$name.dump" "$DIRECT_DATABASE_URL"
echo commit\; >&4
exec 3<&- 4>&-

# The counts go last: a dump without them was not finished.
echo "sha256	$(sha256sum <"$work/$name.dump" | cut -d' ' -f1)" >>"$work/$name.counts"
for file in "$name.dump" "$name.counts"; do
  aws s3 cp --only-show-errors "$work/$file" "s3://$BACKUP_BUCKET/backups/$file"
done
echo "backed up $name: $(grep -vc '^sha256' "$work/$name.counts") tables, $(awk -F'\t' '$1 != "sha256" { rows += $2 } END { print rows }' "$work/$name.counts") rows, $(stat -c %s "$work/$name.dump") bytes"

oldest=docent-$(date -u -d "$DAYS days ago" +%Y%m%dT%H%M%SZ)
aws s3 ls "s3://$BACKUP_BUCKET/backups/" | awk '{ print $4 }' | while read -r file; do
  [[ $file =~ ^docent-[0-9]{8}T[0-9]{6}Z\.(dump|counts)$ && ${file%.*} < $oldest ]] || continue
  aws s3 rm --only-show-errors "s3://$BACKUP_BUCKET/backups/$file"
  echo "removed $file: older than $DAYS days"
done
