#!/bin/sh
# Measures what a streamed delta costs, beside nginx on the same machine: see docs/benchmarks.md.
# Debian's nginx is installed if there is none. Arguments go to the benchmark: `benches/streams.sh --runs 3`.
set -eu
cd "$(dirname "$0")/.."

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

PATH="$PATH:/usr/sbin"
if ! command -v nginx >/dev/null; then
    as_root apt-get update
    as_root apt-get install -y nginx-light
fi

# Each of a thousand streams takes two sockets of a server, and two of the benchmark.
ulimit -n 8192

cargo build --release --bin antiphon
cargo run --release -p antiphon-bench -- "$@"
