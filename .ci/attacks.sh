#!/usr/bin/env bash
# The long attacks on trust, over real shards and kernels. Prints, as Markdown and as it goes, what came of them; "dotnet test" leaves them out.
#
#   .ci/attacks.sh                  all of it
#   .ci/attacks.sh grid exposure    some parts of it:
#     grid        cheat rates against rates of checking: tokens until exclusion, beside what the simulation of the rules says
#     exposure    what one that cheats delivers, by its standing, beside what TRUST says
#     patience    a sleeper of 50,000 honest tokens, and one that is honest whenever something speaks against it
#     rings       rings of lying verifiers
#     identity    returning under new keys, sybils, one key on two machines, partitions
#     honest      units of an honest fleet at every vector width, in pieces that each have other sessions
#
# RUNS: seeded runs of each place of the grid (default 10). UNITS: honest units (default 1000000), in PIECES (default 10). FIRST: the first
# piece (default 0), to go on where another run ended. LIMIT: most seconds of one part, or of one piece (default 7200). LOG: keeps the test
# runs' own output in this file. BUILT: set where the tests are built already. EFEDLLM_SHARED: the folder with models/. Exits with 1 where a
# bound did not hold.
set -uo pipefail
cd "$(dirname "$0")/.."
project=tests/EFedLLM.Actors.Tests
log=${LOG:-$(mktemp)}
[ -n "${LOG:-}" ] || trap 'rm -f "$log"' EXIT
: > "$log"
failed=0

# The rows of a table that tests write, below its head.
part() {
    local title=$1 head=$2 filter=$3
    printf '\n**%s**\n\n%s\n%s\n' "$title" "$head" "$(sed -E 's/[^|]+/---:/g' <<< "$head")"
    rows "$filter"
}

# What tests write comes indented, below their names.
rows() {
    timeout "${LIMIT:-7200}" dotnet test -c Release --no-build "$project" --filter "FullyQualifiedName~$1" --logger "console;verbosity=detailed" 2>&1 \
        | tee -a "$log" | sed -unE 's/^ +(\|.*\|)$/\1/p; s/^ +Failed (EFedLLM\.[^[]*).*/**failed: \1**/p'
    local status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] || { failed=1; echo "**This part ended with $status.**"; [ -n "${LOG:-}" ] || tail -n 60 "$log" >&2; }
}

grid() {
    part "Tokens until a liar with a full standing is excluded" \
        "| cheats | checked | excluded | tokens until then, mean | simulated | most | wrong answers |" AttackGridTests.Whatever
}

exposure() {
    part "Tokens that a liar delivers, by its standing" "| begins as | cheats | runs | tokens until excluded, mean | TRUST says | 95 of 100 |" AttackGridTests.The_mean
}

patience() {
    part "Liars with patience" "| what | tokens until excluded | of those | wrong answers |" AttackGridTests.Fifty
    rows AttackGridTests.Who_is_honest
}

rings() {
    part "Rings of lying verifiers" "| verifiers | of all | sessions | honest devices accused | liars named |" AttackGridTests.Rings
}

identity() {
    printf '\n**Identities**\n\n'
    timeout "${LIMIT:-7200}" dotnet test -c Release --no-build "$project" --filter "FullyQualifiedName~Attacks.IdentityTests" --logger "console;verbosity=normal" 2>&1 \
        | tee -a "$log" | sed -unE 's/^ +(Passed|Failed) EFedLLM\.Actors\.Tests\.Attacks\.IdentityTests\.([^ ]+).*/- \2: \1/; t rest; b; :rest; s/_/ /g; p'
    [ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
}

honest() {
    local units=${UNITS:-1000000} pieces=${PIECES:-10} first=${FIRST:-0} piece
    printf '\n**An honest fleet**\n\n| piece | vectors | units | mismatches | seconds |\n| ---: | --- | ---: | ---: | ---: |\n'
    for ((piece = first; piece < first + pieces; piece++)); do
        UNITS=$(((units + pieces - 1) / pieces)) EFEDLLM_HONEST_FIRST=$((piece * 1000000)) rows HonestFleetTests.Many_units | sed -u "s/^|/| $piece |/"
    done | tee -a "$log.honest"
    awk -F'|' '/^\| [0-9]/ { units += $4; mismatches += $5; seconds += $6 } END { printf "| all | | %d | %d | %d |\n", units, mismatches, seconds }' "$log.honest"
    ! grep -q '^\*\*' "$log.honest" || failed=1
    rm -f "$log.honest"
}

[ -n "${BUILT:-}" ] || dotnet build -c Release "$project" >> "$log" 2>&1 || { cat "$log" >&2; exit 1; }
[ $# -gt 0 ] || set -- grid exposure patience rings identity honest
for each in "$@"; do
    case $each in
        grid | exposure | patience | rings | identity | honest) "$each" ;;
        *) echo "There is no part '$each'; there are grid, exposure, patience, rings, identity and honest." >&2; exit 2 ;;
    esac
done
exit "$failed"
