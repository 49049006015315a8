#!/usr/bin/env bash
# Installs what a release needs on a runner of GitHub, each of an exact version, and puts it on the path of later steps.
# `tools.sh neonctl` and `tools.sh sam` install only what their steps need.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
bin=$HOME/docent-tools
mkdir -p "$bin"

only=${1:-}

if [ "$only" != neonctl ]; then
  rustup toolchain install 1.95.0 --profile minimal --target aarch64-unknown-linux-gnu
  rustup default 1.95.0
  python3 -m venv "$bin/python"
  "$bin/python/bin/pip" install --quiet --disable-pip-version-check \
    aws-sam-cli==1.170.0 cargo-lambda==1.9.2 cargo-zigbuild==0.24.0 ziglang==0.17.0
  echo "$bin/python/bin" >>"$GITHUB_PATH"
fi
if [ "$only" != sam ]; then
  # The one release of `sandbox` that this version of vercel asks for was never published.
  printf '{"private":true,"dependencies":{"vercel":"64.0.2","neonctl":"5.0.1"},"overrides":{"sandbox":"4.5.0"}}\n' >"$bin/package.json"
  npm install --prefix "$bin" --no-audit --no-fund --silent
  echo "$bin/node_modules/.bin" >>"$GITHUB_PATH"
fi
if [ -z "$only" ]; then
  "$here/postgres-client.sh"
  (cd "$here/.." && cargo build --quiet --locked --package docent-local --bin docent)
  echo "$here/../target/debug" >>"$GITHUB_PATH"
fi
