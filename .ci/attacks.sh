#!/usr/bin/env bash
# The long attacks on trust, over real shards and kernels: how much is cheated against how much is checked, rings of verifiers, sleepers, new
# keys; and a million units of an honest fleet at every vector width. Prints, as Markdown, what came of them. "dotnet test" leaves them out.
#
#   .ci/attacks.sh                  all of it
#   .ci/attacks.sh AttackGrid       what has this in its name (AttackGrid, HonestFleet)
#
# RUNS: seeded runs of each place of the grid (default 10). UNITS: honest units (default 1000000). EFEDLLM_SHARED: the folder with models/.
set -euo pipefail
cd "$(dirname "$0")/.."
filter="Category=Long"
[ $# -eq 0 ] || filter="$filter&FullyQualifiedName~$1"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
dotnet test -c Release tests/EFedLLM.Actors.Tests --filter "$filter" --logger "console;verbosity=detailed" > "$log" 2>&1 || status=$?

# What tests write comes indented, below their names.
sed -nE 's/^ +(Passed|Failed) EFedLLM\.Actors\.Tests\.Attacks\.[A-Za-z]+\.([^ ]+).*/\n**\2** (\1)\n/; s/_/ /gp; t; s/^ (\|.*\|)$/\1/p; s/^ ([a-z][^|]*: .*tokens.*)$/\1/p' "$log"
[ "$status" -eq 0 ] || { cat "$log" >&2; exit "$status"; }
