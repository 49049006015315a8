#!/usr/bin/env bash
# What release.sh, release-aws.sh and preview-database.sh ask of the platforms' command lines, with stand-ins that write down their calls.
# shellcheck disable=SC2016 # what the stand-ins do is expanded in them
set -euo pipefail

here=$(dirname "$(realpath "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin" "$work/tmp"
cp "$here/release.sh" "$here/release-aws.sh" "$here/preview-database.sh" "$work/"
export PATH="$work/bin:$PATH" CALLS=$work/calls PRODUCTION_URL=https://docent.example FIRST='' DRIFT='' SICK='' DENIED='' STACK=here SECRETS_ARN=arn TMPDIR=$work/tmp
failed=0

stand_in() { # PATH, what it does besides
  printf '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n%s\n' "$2" >"$1"
  chmod +x "$1"
}
stand_in "$work/bin/vercel" 'case $1 in
  deploy) echo https://docent-1.vercel.example ;;
  inspect) [ -n "$FIRST" ] && exit 1; echo "{\"id\":\"dpl_before\"}" ;;
esac'
stand_in "$work/bin/docent" '[ -z "$DRIFT" ]'
stand_in "$work/bin/neonctl" 'case "$*" in
  *branches\ get*) exit 1 ;;
  *--pooled*) echo "postgresql://owner:secret@ep-1-pooler.neon.example/neondb?sslmode=require" ;;
  *connection-string*) echo "postgresql://owner:secret@ep-1.neon.example/neondb?sslmode=require" ;;
esac'
stand_in "$work/bin/sam" 'case "$*" in *template-file*) [ "$(tail -1 "$3")" = "Parameters: {}" ] || echo "another template" >>"$CALLS" ;; esac'
stand_in "$work/bin/aws" 'case "$*" in
  *get-template*) [ -z "$FIRST" ] || { echo "Stack with id docent-here does not exist" >&2; exit 254; }
    [ -z "$DENIED" ] || { echo "AccessDenied" >&2; exit 254; }
    printf "%s" "\"Resources: {}\\nParameters: {}\"" ;;
  *Outputs*) echo https://docent.example ;;
  *Parameters*) printf "%s" "[{\"ParameterKey\":\"Stage\",\"ParameterValue\":\"here\"},{\"ParameterKey\":\"OidcIssuer\",\"ParameterValue\":\"https://a b\"},{\"ParameterKey\":\"AlarmEmail\",\"ParameterValue\":\"\"}]" ;;
esac'
stand_in "$work/smoke.sh" 'case " $SICK " in *" $1 "*) exit 1 ;; esac'

expect() { # NAME, exit code, calls; then the command
  local name=$1 code=$2 calls=$3 got=0
  shift 3
  : >"$CALLS"
  "$@" >"$work/out" 2>"$work/err" || got=$?
  if [ "$got" = "$code" ] && diff <(printf '%s' "${calls:+$calls$'\n'}") "$CALLS"; then echo "ok      $name"; else
    echo "FAILED  $name: exit $got" && cat "$work/err" && failed=$((failed + 1))
  fi
}
schema='docent migrate
docent migrate --check'
built="$schema
vercel pull --yes --environment=production
vercel build --yes --prod
vercel deploy --yes --prod --prebuilt --skip-domain
smoke.sh https://docent-1.vercel.example"
promoted="$built
vercel inspect https://docent.example --json
vercel promote https://docent-1.vercel.example --yes --timeout=5m
smoke.sh https://docent.example"

expect 'a good release gets the domain' 0 "$promoted" "$work/release.sh" production
[ "$(cat "$work/out")" = https://docent.example ] || { echo "FAILED  its address: $(cat "$work/out")"; failed=$((failed + 1)); }
expect 'a sick one never gets it' 1 "$built" env SICK=https://docent-1.vercel.example "$work/release.sh" production
expect 'one that is sick on the domain is taken back' 1 "$promoted
vercel rollback dpl_before --yes --timeout=5m
smoke.sh https://docent.example" env SICK=https://docent.example "$work/release.sh" production
expect 'the first one has nothing to go back to' 1 "$promoted" env FIRST=1 SICK=https://docent.example "$work/release.sh" production
expect 'nothing is deployed on a schema that failed' 1 'docent migrate' env DRIFT=1 "$work/release.sh" production
expect 'a preview has variables of its own' 0 "$schema
vercel pull --yes --environment=preview
vercel build --yes
vercel deploy --yes --prebuilt --env DATABASE_URL=one --env OTHER=two
smoke.sh https://docent-1.vercel.example" env DEPLOYMENT_ENV=$'DATABASE_URL=one\nOTHER=two' "$work/release.sh" preview
expect 'another environment is refused' 2 '' "$work/release.sh" moon
expect 'a pull request gets a branch' 0 'neonctl --project-id p --no-color branches get pr-7
neonctl --project-id p --no-color branches create --name pr-7 --parent sample --no-secrets
neonctl --project-id p --no-color connection-string pr-7
neonctl --project-id p --no-color connection-string pr-7 --pooled' env NEON_PROJECT_ID=p NEON_PARENT=sample "$work/preview-database.sh" create pr-7
grep -qxE 'DATABASE_URL=postgresql://docent_app:[0-9a-f]{48}@ep-1-pooler.neon.example/neondb\?sslmode=require' "$work/out" || { cat "$work/out"; failed=$((failed + 1)); }
expect 'and loses it' 0 'neonctl --project-id p --no-color branches delete pr-7' env NEON_PROJECT_ID=p "$work/preview-database.sh" delete pr-7
describe='aws cloudformation describe-stacks --stack-name docent-here --query Stacks[0]'
get='aws cloudformation get-template --stack-name docent-here --template-stage Original --query TemplateBody --output json'
with='--stack-name docent-here --resolve-s3 --capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset --parameter-overrides'
signin() { # what is not empty, as SED expressions
  printf '%s' 'TenantProvisioning="" AuthSessions="" AuthCookie="" AuthOrgClaim="" AuthRoleClaim="" AuthDefaultRole="" ClerkPublishableKey="" ClerkIssuer="" ClerkAuthorizedParties="" ClerkAudience="" OidcIssuer="" OidcAudience="" OidcAzp="" OidcOrgClaim="" OidcRoleClaim="" OidcAlgorithms="" OidcJwksUrl="" AuthSecret="no" ClerkJwtKey="no" OidcSecret="no"' | sed "${1-}"
}
put_up="$get
$describe.Parameters --output json
sam deploy $with Stage=\"here\" SecretsArn=\"arn\" $(signin)
$describe.Outputs[?OutputKey=='Url'].OutputValue --output text
smoke.sh https://docent.example"
expect 'a good release on AWS stays' 0 "$put_up" "$work/release-aws.sh"
# The folder's name is made anew every time.
stand_in "$work/bin/mktemp" 'mkdir -p "$TMPDIR/before" && echo "$TMPDIR/before"'
expect 'a sick one gives way to what was deployed before' 1 "mktemp -d
$put_up
sam deploy --template-file $work/tmp/before/template.yaml $with Stage=\"here\" OidcIssuer=\"https://a b\" AlarmEmail=\"\"
smoke.sh https://docent.example" env SICK=https://docent.example "$work/release-aws.sh"
expect 'the first one on AWS has nothing to go back to' 1 "mktemp -d
$get
sam deploy $with Stage=\"here\" SecretsArn=\"arn\" $(signin)
$describe.Outputs[?OutputKey=='Url'].OutputValue --output text
smoke.sh https://docent.example" env FIRST=1 SICK=https://docent.example "$work/release-aws.sh"
expect 'nothing is deployed where nothing could be put back' 1 "mktemp -d
$get" env DENIED=1 "$work/release-aws.sh"
expect 'who may sign in is told by parameters' 0 "mktemp -d
$get
$describe.Parameters --output json
sam deploy $with Stage=\"here\" SecretsArn=\"arn\" AllowedOrigin=\"https://a\" $(signin 's/AuthSessions=""/AuthSessions="database"/; s|OidcJwksUrl=""|OidcJwksUrl="https://k"|; /ClerkJwtKey/ s/Secret="no"/Secret="yes"/g')
$describe.Outputs[?OutputKey=='Url'].OutputValue --output text
smoke.sh https://docent.example" env ALLOWED_ORIGIN=https://a AUTH_SESSIONS=database OIDC_JWKS_URL=https://k SECRET_FIELDS='authSecret oidcSecret' "$work/release-aws.sh"
echo "$((14 - failed)) passed, $failed failed"
[ "$failed" = 0 ]
