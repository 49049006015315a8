# What one does with Docent every day. `just` itself is optional: each recipe is one command.

# This list
help:
    @just --list

# The whole system in one process, without docker, account or key
up *arguments:
    cargo docent up {{ arguments }}

# Every Rust test
test *arguments:
    cargo test --workspace {{ arguments }}

# What needs Node and Chromium: public clients, the console, the queue worker, `vercel build`
test-clients:
    .ci/test-clients
    .ci/vercel-build

# Format, lints and dependencies, as CI checks them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check bans licenses sources

# Every fuzz target for so many seconds each, two at a time
fuzz seconds="600" *targets:
    fuzz/run {{ seconds }} {{ targets }}

# Benchmarks beside their rivals
bench *arguments:
    cargo run --release --package docent-bench -- {{ arguments }}

fmt:
    cargo fmt --all
