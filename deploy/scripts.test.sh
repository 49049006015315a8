#!/usr/bin/env bash
# Smoke test, backup, drill, loss and restore against a real system on this machine: scripts.test.sh PATH-OF-DOCENT
set -euo pipefail

docent=$(realpath "${1:?is missing: the path of the docent binary}")
here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
chmod 755 "$work" # the database's processes run as somebody else when this runs as root
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
system=
trap 'kill "$system" 2>/dev/null; wait "$system" 2>/dev/null; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; tail -n 20 "$work/log" >&2; exit 1; }

start() {
  # With an administrator's URL in its environment it would use that database instead of its own.
  env -u DIRECT_DATABASE_URL -u DATABASE_URL "$docent" up --data "$work/data" --embedder hash --port "$port" >"$work/log" 2>&1 &
  system=$!
  for _ in $(seq 1 240); do
    grep -q 'Docent is up' "$work/log" && return
    kill -0 "$system" 2>/dev/null || fail 'docent up ended'
    sleep 0.5
  done
  fail 'docent up did not start'
}
secret() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/data/secrets.json" "$1"; }
# Postgres and the bucket choose their ports anew at every start.
connect() {
  local server=$work/data/postgres/cluster/postmaster.pid
  # The server's own psql, pg_dump and pg_restore: those of the system may be older, and then refuse.
  PATH=$(dirname "$(readlink "/proc/$(head -n 1 "$server")/exe")"):$PATH
  DOCENT_TOKEN=$(secret demo_token)
  DIRECT_DATABASE_URL=postgres://postgres:$(tr -d '\n' <"$work/data/postgres/password")@127.0.0.1:$(sed -n 4p "$server")/postgres
  AWS_ACCESS_KEY_ID=$(secret access_key)
  AWS_SECRET_ACCESS_KEY=$(secret secret_key)
  AWS_ENDPOINT_URL_S3=$(curl -s --dump-header - --output /dev/null "$DOCENT_URL/" | grep -o 'connect-src[^;]*' | grep -o 'http://[0-9.:]*')
  export PATH DOCENT_TOKEN DIRECT_DATABASE_URL AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL_S3
}

export DOCENT_URL=http://127.0.0.1:$port
start
connect
export BACKUP_BUCKET=docent AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
unset AWS_PROFILE AWS_SESSION_TOKEN

answer() { "$docent" ask 'How long are backups kept?' --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["citations"][0]["quote"])'; }
counts() { psql -qAtX "$DIRECT_DATABASE_URL" -c "select (select count(*) from public.document), (select count(*) from public.chunk), (select count(*) from public.posting)"; }

echo '--- smoke'
printf 'Backups of the archive are kept for thirty days.\n\nThe harbour opens at six.\n' >"$work/archive.md"
"$docent" ingest "$work/archive.md" >"$work/ingest" 2>&1 || fail "$(cat "$work/ingest")"
before=$(answer)
SMOKE_TRIES=3 "$here/smoke.sh" "$DOCENT_URL"
SMOKE_TRIES=1 "$here/smoke.sh" http://127.0.0.1:1 >"$work/smoke" 2>&1 && fail 'the smoke test passed where nothing listens'
[ "$(grep -c '^FAILED' "$work/smoke")" -ge 10 ] || fail "the smoke test did not name what failed: $(cat "$work/smoke")"

echo '--- backup'
# The system goes on while its tables are lost and come back; a hint that it consumes then would be a missing row.
for _ in $(seq 1 120); do
  hints=$(psql -qAtX "$DIRECT_DATABASE_URL" -c 'select count(*) from public.ingest_event')
  if [ "$hints" = 0 ]; then break; fi
  sleep 0.5
done
aws s3 cp --only-show-errors "$work/archive.md" s3://docent/backups/docent-20200101T000000Z.dump
aws s3 cp --only-show-errors "$work/archive.md" s3://docent/backups/somebody-elses-20200101.txt
"$here/backup.sh" | tee "$work/backup"
grep -q '^removed docent-20200101T000000Z.dump' "$work/backup" || fail 'an old backup was kept'
aws s3 ls s3://docent/backups/ | grep -q somebody-elses || fail 'a file that is no backup was removed'
DIRECT_DATABASE_URL=postgres://docent_app:$(secret app_password)@${DIRECT_DATABASE_URL#*@} \
  "$here/backup.sh" >"$work/weak" 2>&1 && fail 'a role that cannot see every row made a backup'
grep -qE 'row-level security|permission denied' "$work/weak" || fail "$(cat "$work/weak")"

echo '--- drill'
"$here/restore-drill.sh" | tail -n 1
[ -z "$(psql -qAtX "$DIRECT_DATABASE_URL" -c "select datname from pg_database where datname like 'docent_drill%'")" ] || fail 'the scratch database was left'
"$here/restore.sh" "$DIRECT_DATABASE_URL" >"$work/refused" 2>&1 && fail 'a database with tables was overwritten'
grep -q 'holds [0-9]* tables already' "$work/refused" || fail "$(cat "$work/refused")"

echo '--- loss'
had=$(counts)
psql -qX -v ON_ERROR_STOP=1 "$DIRECT_DATABASE_URL" -c 'drop schema public, control, docent_meta cascade; create schema public' 2>/dev/null
answer >/dev/null 2>&1 && fail 'there is still an answer'
status=$(curl -s -o /dev/null -w '%{http_code}' -H "authorization: Bearer $DOCENT_TOKEN" "$DOCENT_URL/api/documents")
[ "$status" -ge 500 ] || fail "documents are still listed ($status)"

echo '--- restore'
"$here/restore.sh" "$DIRECT_DATABASE_URL"
[ "$(counts)" = "$had" ] || fail "rows before: $had, after: $(counts)"
"$docent" migrate --check
# A process keeps the numbers of types that it has seen, and a restored database has others.
kill "$system"
wait "$system" || true
start
connect
after=$(answer)
[ "$after" = "$before" ] || fail "answer before: $before; after: $after"
printf 'the same answer as before the loss: %s\n' "$after"

echo '--- vectors from the bucket alone'
vectors() { psql -qAtX "$DIRECT_DATABASE_URL" -c 'select count(*) from public.embedding'; }
had=$(vectors)
psql -qX -v ON_ERROR_STOP=1 "$DIRECT_DATABASE_URL" -c 'delete from public.embedding'
[ "$(vectors)" = 0 ] || fail 'the vectors were not lost'
psql -qX -v ON_ERROR_STOP=1 -f "$here/rebuild-vectors.sql" "$DIRECT_DATABASE_URL"
for _ in $(seq 1 120); do
  waiting=$(psql -qAtX "$DIRECT_DATABASE_URL" -c "select count(*) from public.document where status <> 'ready'")
  if [ "$waiting" = 0 ]; then break; fi
  sleep 0.5
done
[ "$waiting" = 0 ] || fail "$waiting documents are not ready"
[ "$(vectors)" = "$had" ] || fail "vectors before: $had, after: $(vectors)"
[ "$(answer)" = "$before" ] || fail "the answer is another one: $(answer)"
printf '%s vectors made again, the same answer\n' "$had"

echo '--- a backup that was changed on its way'
newest=$(aws s3 ls s3://docent/backups/ | awk '{ print $4 }' | grep -E 'docent-.*dump$' | tail -n 1)
head -c 1000 /dev/zero | aws s3 cp --only-show-errors - "s3://docent/backups/$newest"
"$here/restore-drill.sh" >"$work/tampered" 2>&1 && fail 'a changed dump was restored'
grep -q 'is not the file that was backed up' "$work/tampered" || fail "$(cat "$work/tampered")"
echo 'refused'
echo '1 passed, 0 failed'
