#!/usr/bin/env bash
# Installs psql, pg_dump and pg_restore of version 18 on a runner of GitHub: its own are older than Neon's server, and an
# older pg_dump refuses a newer server. From the PostgreSQL project's own packages (https://wiki.postgresql.org/wiki/Apt).
set -euo pipefail

sudo apt-get update -q
sudo apt-get install -q -y --no-install-recommends postgresql-common ca-certificates
sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
sudo apt-get install -q -y --no-install-recommends postgresql-client-18
pg_dump --version
