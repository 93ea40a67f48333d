#!/bin/sh
# Measures how late a streamed delta comes, beside the provider read directly, and how soon the provider is let go
# when a response is cancelled: see docs/benchmarks.md. Arguments go to both: `benches/latency.sh --runs 3`.
set -eu
cd "$(dirname "$0")/.."

# Each of the streams takes two sockets of a server, and two of the benchmark.
ulimit -n 8192

cargo build --release --bin antiphon
for what in latency cancel; do
    cargo run --release -p antiphon-bench -- \
        --what "$what" --json "${CARGO_TARGET_DIR:-target}/bench-$what.json" "$@"
done
