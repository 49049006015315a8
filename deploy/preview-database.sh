#!/usr/bin/env bash
# A database of its own for a pull request, as a branch in Neon: preview-database.sh create|delete NAME
# `create` prints NAME=value lines for `docent migrate` and for the deployment; they hold passwords.
#
#   NEON_API_KEY, NEON_PROJECT_ID   read here and by neonctl
#   NEON_PARENT                     the branch that it begins as: one with sample data, never production's
#   GITHUB_ACTIONS                  set by GitHub: passwords are then masked in its logs
#
# Needs neonctl and openssl.
set -euo pipefail

verb=${1:?is missing: create or delete}
name=${2:?is missing: the name of the branch}
: "${NEON_PROJECT_ID:?is not set.}"
parent=${NEON_PARENT:-}
neon() { neonctl --project-id "$NEON_PROJECT_ID" --no-color "$@"; }

case $verb in
  create)
    # Pushed again, a pull request keeps the branch that it has, and the data in it.
    neon branches get "$name" >/dev/null 2>&1 || neon branches create --name "$name" --parent "${parent:?NEON_PARENT is not set. Name a branch with sample data.}" --no-secrets >&2
    direct=$(neon connection-string "$name")
    pooled=$(neon connection-string "$name" --pooled)
    # The functions' role is made by SQL, so Neon does not know its password; `docent migrate` sets it to this one.
    password=$(openssl rand -hex 24)
    if [ -n "${GITHUB_ACTIONS:-}" ]; then
      printf '::add-mask::%s\n' "$password" "$direct" >&2
    fi
    printf 'DIRECT_DATABASE_URL=%s\nDATABASE_URL=postgresql://docent_app:%s@%s\n' "$direct" "$password" "${pooled#*@}"
    ;;
  delete) neon branches delete "$name" ;;
  *)
    echo "preview-database: $verb is neither create nor delete." >&2
    exit 2
    ;;
esac
