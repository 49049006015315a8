#!/usr/bin/env bash
# The alerts: rules with their unit tests, routes, and whether a real `docent serve` answers every metric of its own that
# the rules ask for: alerts.test.sh PATH-OF-DOCENT. Needs promtool and amtool (Debian: prometheus, prometheus-alertmanager).
set -euo pipefail

docent=$(realpath "${1:?is missing: the path of the docent binary}")
cd "$(dirname "$0")/alerts"
work=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill "$process" 2>/dev/null; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

promtool check config --syntax-only prometheus.yml >/dev/null
promtool check rules rules.yml | grep 'rules found'
promtool test rules rules.test.yml >"$work/rules" || fail "$(cat "$work/rules")"
amtool check-config alertmanager.yml >/dev/null
for severity in page=slack-and-email ticket=slack; do
  routed=$(amtool config routes test --config.file alertmanager.yml "severity=${severity%=*}" 2>/dev/null)
  [ "$routed" = "${severity#*=}" ] || fail "${severity%=*} goes to $routed"
done
grep -oE 'runbook: "?[^"}]+' rules.yml | sed -E 's/runbook: "?//; s/ +$//' | sort -u | while read -r chapter; do
  grep -qxF "## $chapter" ../runbook.md || fail "the runbook has no chapter $chapter"
done
grep -oE 'Runbook, "[^"]+' ../../template.yaml cloudwatch-database.yaml | sed 's/.*Runbook, "//' | sort -u | while read -r chapter; do
  grep -qxF "## $chapter" ../runbook.md || fail "the runbook has no chapter $chapter"
done

free() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free)
metrics=$(free)
env -i DATABASE_URL=postgres://docent_app:none@127.0.0.1:1/none S3_BUCKET=none AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none \
  MASTER_KEY_1="$(head -c 32 /dev/urandom | base64)" MASTER_KEY_CURRENT=1 DOCENT_METRICS_LISTEN="127.0.0.1:$metrics" \
  "$docent" serve --listen "127.0.0.1:$port" 2>"$work/docent.log" &
process=$!
for _ in $(seq 1 100); do grep -qs listening "$work/docent.log" && break; sleep 0.1; done
for path in health/ping health/ping health documents; do curl -s -o /dev/null "http://127.0.0.1:$port/api/$path"; done
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/metrics")" = 404 ] || fail 'the address of everybody has /metrics'
curl -sf "http://127.0.0.1:$metrics/metrics" >"$work/metrics" || fail "no /metrics: $(cat "$work/docent.log")"
kill "$process"
wait "$process" || true
process=
promtool check metrics <"$work/metrics" >"$work/checked" 2>&1 || fail "$(cat "$work/checked")"
counted() { grep -qE "^docent_requests_total\{.*$1.*\} $2\$" "$work/metrics" || fail "no $2 of $1: $(cat "$work/metrics")"; }
counted 'method="GET".*route="/api/health/ping".*status="200"' 2
counted 'route="/api/health".*status="503"' 1
counted 'status="401"' 1
grep -qE '^docent_warnings_total\{.*WARN.*\} [1-9]' "$work/metrics" || fail 'no warnings'
grep -oE 'docent_[a-z_]+' rules.yml | sed 's/_bucket$//' | sort -u | while read -r name; do
  grep -q "^# TYPE $name " "$work/metrics" || fail "the rules ask for $name, which nobody answers"
done
echo 'the metrics that the rules ask for are those that a container answers'
echo '1 passed, 0 failed'
