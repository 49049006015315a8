#!/usr/bin/env bash
# Restores the newest backup into a scratch database of the same server, compares the rows and drops it again. The real
# database is not touched. Needs what `backup.sh` needs, and the right to create a database.
set -euo pipefail

: "${DIRECT_DATABASE_URL:?is not set. Give an administrator\'s URL that does not go through a pooler.}"
scratch=docent_drill_$$_$(date -u +%s)
address=${DIRECT_DATABASE_URL%%\?*}
query=${DIRECT_DATABASE_URL#"$address"}
admin() { psql -qX -v ON_ERROR_STOP=1 "$DIRECT_DATABASE_URL" -c "$1"; }

admin "create database $scratch template template0"
trap 'admin "drop database $scratch with (force)"' EXIT
"$(dirname "$0")/restore.sh" "${address%/*}/$scratch$query"
