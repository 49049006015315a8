#!/usr/bin/env bash
# Deploys what `sam build` made, asks it, and puts back what was deployed before when it does not answer as it should: the
# stack's own template of then, with its code as it lies in the bucket, and its parameters. The schema was brought up to
# date before, and stays: it only ever expands (see migrations/README.md).
#
#   STACK, SECRETS_ARN                    the stack's name (its stage is the same) and the secret of template.yaml
#   ALLOWED_ORIGIN, ALARM_EMAIL, SECRETS_VERSION   parameters of template.yaml; unset, they stay as they are
#   CLERK_ISSUER, OIDC_ISSUER, AUTH_...   those of sessions, under their variables' names; unset, nobody signs in so
#   SECRET_FIELDS                         which fields of sessions the secret has: authSecret, clerkJwtKey, oidcSecret
#
# Needs sam and cargo-lambda, aws, jq, and AWS credentials of a role that may deploy the stack.
set -euo pipefail

: "${STACK:?is not set. Name the stack, in lower case; it is the stage too.}"
: "${SECRETS_ARN:?is not set. Give the ARN of the secret that template.yaml describes.}"
here=$(dirname "$(realpath "$0")")
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT

parameters=("Stage=$STACK" "SecretsArn=$SECRETS_ARN")
parameter() { # the variable's name
  local key='' word
  for word in ${1//_/ }; do
    word=${word,,}
    key+=${word^}
  done
  parameters+=("$key=${!1-}")
}
for name in ALLOWED_ORIGIN ALARM_EMAIL SECRETS_VERSION; do [ -z "${!name-}" ] || parameter "$name"; done
# A parameter that is left out keeps its value, and whoever could sign in would go on signing in.
for name in TENANT_PROVISIONING AUTH_SESSIONS AUTH_COOKIE AUTH_ORG_CLAIM AUTH_ROLE_CLAIM AUTH_DEFAULT_ROLE \
  CLERK_PUBLISHABLE_KEY CLERK_ISSUER CLERK_AUTHORIZED_PARTIES CLERK_AUDIENCE \
  OIDC_ISSUER OIDC_AUDIENCE OIDC_AZP OIDC_ORG_CLAIM OIDC_ROLE_CLAIM OIDC_ALGORITHMS OIDC_JWKS_URL; do
  parameter "$name"
done
for field in authSecret clerkJwtKey oidcSecret; do
  case " ${SECRET_FIELDS-} " in *" $field "*) value=yes ;; *) value=no ;; esac
  parameters+=("${field^}=$value")
done

# A change set that fails is rolled back by CloudFormation itself.
put_up() { # parameters; more of sam's options before a --
  local options=() quoted=() pair value
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  # sam takes a value that is empty or has blanks in quotation marks alone.
  for pair in "$@"; do
    value=${pair#*=}
    quoted+=("${pair%%=*}=\"${value//\"/\\\"}\"")
  done
  sam deploy "${options[@]}" --stack-name "docent-$STACK" --resolve-s3 --capabilities CAPABILITY_IAM \
    --no-confirm-changeset --no-fail-on-empty-changeset --parameter-overrides "${quoted[@]}" >&2
}
of_stack() { aws cloudformation describe-stacks --stack-name "docent-$STACK" --query "Stacks[0].$1" --output "$2"; }

# Nothing is there at the first release, and then there is nothing to go back to.
if aws cloudformation get-template --stack-name "docent-$STACK" --template-stage Original --query TemplateBody \
  --output json >"$before/body.json" 2>"$before/error"; then
  jq -r 'if type == "string" then . else tojson end' "$before/body.json" >"$before/template.yaml"
  of_stack Parameters json >"$before/parameters.json"
elif ! grep -q 'does not exist' "$before/error"; then
  cat "$before/error" >&2
  exit 1
fi

put_up -- "${parameters[@]}"
url=$(of_stack "Outputs[?OutputKey=='Url'].OutputValue" text)
if ! SMOKE_NO_SWEEP=1 "$here/smoke.sh" "$url" >&2; then
  if [ ! -s "$before/template.yaml" ]; then
    echo "release: $url does not answer as it should, and nothing was deployed before." >&2
    exit 1
  fi
  echo "release: $url does not answer as it should; what was deployed before is put back." >&2
  mapfile -d '' -t former < <(jq -j '.[]? | .ParameterKey + "=" + .ParameterValue + "\u0000"' "$before/parameters.json")
  put_up --template-file "$before/template.yaml" -- "${former[@]}"
  SMOKE_NO_SWEEP=1 "$here/smoke.sh" "$url" >&2 || echo 'release: not after the rollback either: see deploy/runbook.md.' >&2
  exit 1
fi
echo "$url"
