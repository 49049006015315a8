#!/usr/bin/env bash
# Carries out deploy/Dockerfile without a container engine, as far as that goes: what the build would be sent, then the
# steps of the final stage in a scratch root with a binary that is built already: container.test.sh PATH-OF-DOCENT
set -euo pipefail

docent=$(realpath "${1:?is missing: the path of the docent binary}")
cd "$(dirname "$0")/.."
work=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill "$process" 2>/dev/null; rm -rf "$work"' EXIT
fail() { echo "FAILED: $*" >&2; [ ! -e "$work/log" ] || tail -n 5 "$work/log" >&2; exit 1; }
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

echo '--- what the build is sent'
[ "$(grep -v '^#' .dockerignore | head -n 1)" = '*' ] || fail '.dockerignore does not begin by leaving everything out'
mapfile -t sent < <(sed -n 's/^!//p' .dockerignore)
mkdir "$work/context"
git ls-files -z "${sent[@]}" | xargs -0 cp --parents -t "$work/context"
(cd "$work/context" && cargo metadata --locked --offline --no-deps --format-version 1 >/dev/null) || fail 'the workspace does not load from what is sent'
git grep -hoE 'include_(str|bytes)!\(concat!\("[./]+/[a-z]+' -- '*.rs' | grep -oE '[a-z]+$' | sort -u | while read -r folder; do
  [ -d "$work/context/$folder" ] || fail "the sources include files of $folder/, which is not sent"
done
for name in .env .git deploy target; do [ ! -e "$work/context/$name" ] || fail "$name is sent"; done
printf '%s files, %s KiB; the workspace loads from them\n' "$(find "$work/context" -type f | wc -l)" "$(du -sk "$work/context" | cut -f1)"

echo '--- the final stage'
python3 - deploy/Dockerfile "$work/plan" <<'PY'
import json, re, shlex, sys
text = re.sub(r"\\\n\s*", " ", open(sys.argv[1]).read())
steps = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
images = [argument.split()[0] for word, argument in steps if word == "FROM"]
assert all(re.search(r":[0-9]+\.[0-9]+", image) for image in images), f"an image without an exact tag: {images}"
last = max(index for index, (word, _) in enumerate(steps) if word == "FROM")
plan = {"FROM": steps[last][1], "ENV": {}, "COPY": []}
for word, argument in steps[last + 1:]:
    match word:
        case "COPY":
            stage, source, target = argument.split()
            assert stage == "--from=build", f"the final image takes more than the binary: {argument}"
            plan["COPY"].append([source, target])
        case "ENV":
            plan["ENV"] |= dict(pair.split("=", 1) for pair in shlex.split(argument))
        case "HEALTHCHECK":
            plan[word] = json.loads(argument[argument.index("CMD") + 3:])
        case "CMD":
            plan[word] = json.loads(argument)
        case "USER" | "EXPOSE":
            plan[word] = argument
        case _:
            raise SystemExit(f"{word} is not expected in the final stage")
user, group = plan["USER"].split(":")
assert user.isdigit() and group.isdigit() and int(user) > 0, "USER is not the number of somebody other than root"
json.dump(plan, open(sys.argv[2], "w"))
PY
plan() { python3 -c 'import json, sys; value = json.load(open(sys.argv[1]))'"$1"'; print(*(value if isinstance(value, list) else [value]), sep="\0", end="\0")' "$work/plan"; }
mapfile -d '' -t user < <(plan '["USER"]')
mapfile -d '' -t copy < <(plan '["COPY"][0]')
mapfile -d '' -t command < <(plan '["CMD"]')
mapfile -d '' -t health < <(plan '["HEALTHCHECK"]')

# Stands in for the base image: bash for the health check, and exactly the libraries that the two programs name.
mkdir -p "$work/root/usr/local/bin" "$work/root/tmp"
chmod 755 "$work" "$work/root"
chmod 1777 "$work/root/tmp"
cp "$docent" "$work/root${copy[1]}"
cp --parents "$(command -v bash)" "$work/root"
for library in $(ldd "$docent" "$(command -v bash)" | grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do cp -L --parents "$library" "$work/root"; done
[ -e "$work/root/lib64" ] || cp -a /lib64 "$work/root/lib64" 2>/dev/null || true
(cd "$work/root" && find . -type f -printf '%m %10s %P\n' | sort -k3)
ldd "$docent" | grep -vE 'linux-vdso|libc\.so|libm\.so|libgcc_s|ld-linux' && fail 'the binary needs a library that debian:slim does not have'

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# No database and no bucket behind these: being alive needs neither.
environment=(PATH=/usr/local/bin:/usr/bin:/bin "DOCENT_LISTEN=127.0.0.1:$port"
  DATABASE_URL=postgres://docent_app:none@127.0.0.1:1/none S3_BUCKET=none AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none
  "MASTER_KEY_1=$(head -c 32 /dev/urandom | base64)" MASTER_KEY_CURRENT=1)
inside() { root chroot --userspec="${user[0]}" "$work/root" "$(command -v env)" -i "${environment[@]}" "$@"; }
cp --parents "$(command -v env)" "$work/root"

inside "${health[@]}" 2>/dev/null && fail 'the health check passes where nothing runs'
inside "${command[@]}" >"$work/log" 2>&1 &
process=$!
for _ in $(seq 1 100); do grep -q listening "$work/log" && break; sleep 0.1; done
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/api/health/ping")" = 200 ] || fail 'it does not answer /api/health/ping'
inside "${health[@]}" || fail 'the health check fails where it runs'
[ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/api/health")" = 503 ] || fail '/api/health is well without a database'
# Under sudo it is a grandchild.
server=$(pgrep -n -P "$process,$(pgrep -d, -P "$process" || echo 0)" -f "^${command[*]}\$" || true)
identity=$(awk '/^(Uid|Gid):/ { print $2 }' "/proc/${server:-$process}/status" | paste -sd:)
[ "$identity" = "${user[0]}" ] || fail "it runs as $identity"
inside bash -c 'echo >/usr/local/bin/docent' 2>/dev/null && fail 'its user can write to its program'
root kill -TERM "${server:-$process}"
code=0
wait "$process" || code=$?
process=
[ "$code" = 0 ] || fail "SIGTERM ended it with $code"
inside "${command[0]}" --version
for subcommand in serve worker migrate; do inside "${command[0]}" "$subcommand" --help >/dev/null || fail "there is no docent $subcommand"; done
inside "${command[0]}" migrate >"$work/migrate" 2>&1 && fail 'migrate ran without DIRECT_DATABASE_URL'
grep -q DIRECT_DATABASE_URL "$work/migrate" || fail "$(cat "$work/migrate")"

echo "runs as $identity, answers, is healthy, ends on SIGTERM with 0, cannot change itself"
cat <<'END'
NOT RUN, for want of a container engine: pulling rust:1.95.0-slim-bookworm and debian:12.12-slim, `cargo build --release`
in the first stage (the given binary stands in for its result), compose.yaml, and the recipes of the platforms.
END
echo '1 passed, 0 failed'
