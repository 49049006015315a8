#!/usr/bin/env bash
# Deploys what is checked out to Vercel: release.sh preview|staging|production. Prints the address as its last line.
#
# Production is deployed beside what runs, asked, given the domain, asked again, and taken back when it does not answer.
# The schema comes first, and only ever expands (see migrations/README.md): what runs keeps working meanwhile and after
# a rollback, which changes no schema.
#
#   VERCEL_TOKEN, VERCEL_ORG_ID, VERCEL_PROJECT_ID   read by Vercel's command line
#   DIRECT_DATABASE_URL, DATABASE_URL                the environment's, for `docent migrate`
#   PRODUCTION_URL                                   production only: the address that users have
#   DEPLOYMENT_ENV                                   optional: variables of this deployment alone, NAME=value by lines
#
# Needs docent, vercel and jq, and cargo-zigbuild with ziglang for a binary that an older C library can load.
set -euo pipefail

environment=${1:?is missing: preview, staging or production}
here=$(dirname "$(realpath "$0")")
target=preview
mode=(--yes)
case $environment in
  preview | staging) ;;
  production)
    : "${PRODUCTION_URL:?is not set. Give the address that users have.}"
    target=production
    mode+=(--prod)
    ;;
  *)
    echo "release: $environment is neither preview, staging nor production." >&2
    exit 2
    ;;
esac

docent migrate >&2
docent migrate --check >&2
vercel pull --yes --environment="$target" >&2
vercel build "${mode[@]}" >&2

deployment=("${mode[@]}" --prebuilt)
[ "$environment" != production ] || deployment+=(--skip-domain)
while IFS= read -r line; do
  [ -z "$line" ] || deployment+=(--env "$line")
done <<<"${DEPLOYMENT_ENV:-}"
url=$(vercel deploy "${deployment[@]}")
"$here/smoke.sh" "$url" >&2

if [ "$environment" = production ]; then
  # Nothing has the domain at the first release, and then there is nothing to go back to.
  previous=$(vercel inspect "$PRODUCTION_URL" --json 2>/dev/null | jq -r '.id // empty') || previous=
  vercel promote "$url" --yes --timeout=5m >&2
  if ! "$here/smoke.sh" "$PRODUCTION_URL" >&2; then
    echo "release: production does not answer as it should; ${previous:-nothing} gets the domain back." >&2
    [ -n "$previous" ] || exit 1
    vercel rollback "$previous" --yes --timeout=5m >&2
    "$here/smoke.sh" "$PRODUCTION_URL" >&2 || echo 'release: not after the rollback either: see deploy/runbook.md.' >&2
    exit 1
  fi
  url=$PRODUCTION_URL
fi
echo "$url"
