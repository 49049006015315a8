#!/usr/bin/env bash
# Asks a deployment the few questions whose answers say that it works: smoke.sh https://host
# Changes nothing but one conversation. Exit 0 when all is well; otherwise each failed check is named.
#
#   DOCENT_TOKEN                     a token with the scopes `chat` and `read`; without it, only what anybody may ask
#   DOCENT_CHAT_URL                  where chat is, when it has an address of its own
#   SMOKE_NO_SWEEP                   the sweep has no address there: on AWS its schedule reaches it by the queue
#   VERCEL_AUTOMATION_BYPASS_SECRET  lets the checks past Vercel's protection of previews
set -euo pipefail

url=${1:?is missing: the address of a deployment, such as https://docent.example.com}
url=${url%/}
chat=${DOCENT_CHAT_URL:-$url}
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

ask() { # PATH-OR-URL, curl's arguments …
  local path=$1
  shift
  [ -z "${VERCEL_AUTOMATION_BYPASS_SECRET:-}" ] || set -- -H "x-vercel-protection-bypass: $VERCEL_AUTOMATION_BYPASS_SECRET" "$@"
  case $path in /*) path=$url$path ;; esac
  curl --silent --show-error --max-time 60 --dump-header "$work/head" --output "$work/body" --write-out '%{http_code}' "$@" "$path" || true
}
check() { # NAME, a command that says yes or no
  local name=$1
  shift
  if "$@"; then echo "ok      $name"; else
    failed=1
    echo "FAILED  $name: $(head -c 300 "$work/body" 2>/dev/null | tr '\n' ' ')"
  fi
}
# shellcheck disable=SC2317 # these three are called through `check`
is() { [ "$1" = "$2" ]; }
# shellcheck disable=SC2317
says() { grep -q -- "$1" "$work/body"; }
# shellcheck disable=SC2317
head_says() { grep -qi -- "$1" "$work/head"; }

# A deployment may need a moment until its name resolves and its first instance is there.
for _ in $(seq 1 "${SMOKE_TRIES:-12}"); do
  status=$(ask /api/health/ping 2>/dev/null)
  if [ "$status" = 200 ]; then break; fi
  sleep 5
done
check 'alive: /api/health/ping' is "${status:-}" 200
check 'ready: /api/health and its database' is "$(ask /api/health)" 200
check 'security headers' head_says '^x-content-type-options: nosniff'
check 'an unknown path is a problem with a code' is "$(ask /api/no-such-path)" 404
check 'strangers are refused' is "$(ask /api/documents)" 401
check 'refusals are application/problem+json' head_says '^content-type: application/problem+json'
check 'keys are refused too' is "$(ask /api/keys)" 401
check 'bots are refused too' is "$(ask /api/bots)" 401
check 'chat is refused too' is "$(ask "$chat/api/chat" -H 'content-type: application/json' -d '{}')" 401
[ -n "${SMOKE_NO_SWEEP:-}" ] || check 'the sweep is refused too' is "$(ask /api/ingest/sweep)" 401

if [ -n "${DOCENT_TOKEN:-}" ]; then
  # Not an argument: those are seen by everybody on the machine.
  printf 'authorization: Bearer %s\ncontent-type: application/json\n' "$DOCENT_TOKEN" >"$work/credentials"
  check 'documents are listed' is "$(ask '/api/documents?limit=1' -H "@$work/credentials")" 200
  question='{"id":"smoke-'$(date +%s)'","messages":[{"role":"user","parts":[{"type":"text","text":"What is this about?"}]}]}'
  check 'chat answers' is "$(ask "$chat/api/chat" -H "@$work/credentials" -d "$question")" 200
  check 'the answer ends with a verdict' says '"type":"finish"'
else
  echo 'skipped what needs DOCENT_TOKEN: the list of documents, a streamed answer'
fi
exit "$failed"
