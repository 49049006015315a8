#!/usr/bin/env bash
# Deploys what `sam build` made, asks it, and deploys the commit before when it does not answer as it should. The schema
# was brought up to date before, and stays: it only ever expands (see migrations/README.md).
#
#   STACK, SECRETS_ARN                    the stack's name (its stage is the same) and the secret of template.yaml
#   ALLOWED_ORIGIN, ALARM_EMAIL, SECRETS_VERSION   optional parameters of template.yaml
#   PREVIOUS                              the commit that runs now
#
# Needs sam and cargo-lambda, git, aws, and AWS credentials of a role that may deploy the stack.
set -euo pipefail

: "${STACK:?is not set. Name the stack, in lower case; it is the stage too.}"
: "${SECRETS_ARN:?is not set. Give the ARN of the secret that template.yaml describes.}"
here=$(dirname "$(realpath "$0")")

parameters=("Stage=$STACK" "SecretsArn=$SECRETS_ARN")
[ -z "${ALLOWED_ORIGIN:-}" ] || parameters+=("AllowedOrigin=$ALLOWED_ORIGIN")
[ -z "${SECRETS_VERSION:-}" ] || parameters+=("SecretsVersion=$SECRETS_VERSION")
[ -z "${ALARM_EMAIL:-}" ] || parameters+=("AlarmEmail=$ALARM_EMAIL")

# A change set that fails is rolled back by CloudFormation itself.
put_up() {
  sam deploy --stack-name "docent-$STACK" --resolve-s3 --capabilities CAPABILITY_IAM \
    --no-confirm-changeset --no-fail-on-empty-changeset --parameter-overrides "${parameters[@]}" >&2
}
output() { aws cloudformation describe-stacks --stack-name "docent-$STACK" --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue" --output text; }

put_up
url=$(output Url)
if ! SMOKE_NO_SWEEP=1 "$here/smoke.sh" "$url" >&2; then
  echo "release: $url does not answer as it should; ${PREVIOUS:-nothing} is deployed again." >&2
  git cat-file -e "${PREVIOUS:-0}^{commit}" 2>/dev/null || exit 1
  git checkout --quiet --detach "$PREVIOUS"
  sam build --parallel >&2
  put_up
  exit 1
fi
echo "$url"
