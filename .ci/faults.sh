#!/usr/bin/env bash
# The longest tests with real processes: devices that die, freeze, leave and come back, networks that are cut, ledgers that are lost,
# files that lie. "dotnet test" leaves them out.
set -euo pipefail
cd "$(dirname "$0")/.."
exec dotnet test -c Release tests/EFedLLM.Cluster.Tests --filter "Category=Faults" "$@"
