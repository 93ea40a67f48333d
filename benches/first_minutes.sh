#!/usr/bin/env bash
# What a newcomer waits for, and gets: seconds from a clone over an empty cargo cache to the first streamed word, seconds
# of a build after a small change, and with --release the seconds of that build, its size, and its memory at rest.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
place=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" || true; rm -rf "$place"' EXIT

since() { echo "$(date +%s.%N) $1" | awk '{ printf "%.1f", $1 - $2 }'; }

# Starts a server on a free port and waits for its line to try.
start() {
    : >"$place/out"
    ANTIPHON_SERVER__LISTEN=127.0.0.1:0 "$@" >"$place/out" 2>"$place/err" &
    server=$!
    until grep -q 'curl -N' "$place/out"; do
        kill -0 "$server" 2>/dev/null || { cat "$place/err"; exit 1; }
        sleep 0.1
    done
}

stop() {
    kill "$server"
    wait "$server" || true
    server=
}

begun=$(date +%s.%N)
git clone --quiet "$repository" "$place/antiphon"
cd "$place/antiphon"
export CARGO_HOME="$place/cargo" CARGO_TARGET_DIR="$place/target"
start cargo run -- serve
# curl is cut off after the first word.
word=$(eval "$(grep -m1 'curl -N' "$place/out")" 2>/dev/null | grep -m1 'output_text.delta' || true)
[ -n "$word" ] || { echo "no word came"; exit 1; }
echo "clone to the first word: $(since "$begun") s, $(grep -c Compiling "$place/err") crates built"
stop

echo >>src/antiphon/builder.rs
begun=$(date +%s.%N)
cargo build --quiet
echo "build after a change in the library: $(since "$begun") s"

if [ "${1:-}" = --release ]; then
    begun=$(date +%s.%N)
    cargo build --quiet --release
    echo "release build, downloads done: $(since "$begun") s"
    echo "release binary: $(stat -c %s "$place/target/release/antiphon" | awk '{ printf "%.1f", $1 / 1048576 }') MiB"
    start "$place/target/release/antiphon" --data "$place/data" serve
    sleep 10
    echo "memory at rest: $(awk '/^VmRSS/ { printf "%.1f", $2 / 1024 }' "/proc/$server/status") MiB"
    stop
fi
