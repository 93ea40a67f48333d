# What tests/run and tests/long share. Sourced by both, at the root of the repository.

# The seconds that each share of the tests may take.
declare -A share_seconds=([build]=540 [rust]=360 [clients]=360 [browser]=120 [chaos]=60)
share_names=(build rust clients browser chaos)
declare -A spent=()

# stage SHARE NAME COMMAND...: runs a command, says how long it took, and counts that to a share.
stage() {
    local share=$1 name=$2 begun=$SECONDS
    shift 2
    printf '== %s\n' "$name"
    "$@"
    local seconds=$((SECONDS - begun))
    spent[$share]=$((${spent[$share]:-0} + seconds))
    printf '== %s: %d s\n' "$name" "$seconds"
}

# What each share took, beside what it may take.
report_shares() {
    local share seconds most
    for share in "${share_names[@]}"; do
        seconds=${spent[$share]:-0}
        most=${share_seconds[$share]}
        printf '== share %s: %d s of %d s' "$share" "$seconds" "$most"
        if [ "$seconds" -gt "$most" ]; then
            printf ' -- WARNING: over its share; make it faster or move something to tests/long'
        fi
        printf '\n'
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# A run of the chaos program, with its arguments. Both programs are those that the tests have built.
chaos() {
    local verdict=target/chaos-verdict.json
    if ! target/debug/antiphon-chaos --binary target/debug/antiphon "$@" >"$verdict"; then
        cat "$verdict"
        return 1
    fi
    grep -E '"(seed|responses|kills|verdict)"' "$verdict"
}

# All tests of Rust. Arguments go to the test programs.
rust_tests() {
    cargo test --quiet --workspace --all-features -- "$@"
}

# The tests of one or more modules of tests/it.
stories() {
    cargo test --quiet --workspace --all-features --test it -- "$@"
}
