#!/usr/bin/env bash
# Compresses every decoder of the shared models in several configurations and prints, as Markdown, what each costs: the change of the
# perplexity against the float32 checkpoint, on texts or parts of texts that no calibration saw, and the bits per weight as read per token.
#
#   .ci/quality-table.sh [folder]     the models are kept in the folder (a temporary one by default); what is there already is not made again
#
# EFEDLLM_SHARED: the folder with models/ and data/ (default: shared/ above the clone). EFEDLLM: the program (default: the Release build).
# TOKENS: tokens scored of each text (default 4096). MODELS: names of the models (default: all four).
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
shared=${EFEDLLM_SHARED:-$here/../shared}
efedllm=${EFEDLLM:-$here/src/EFedLLM.Node/bin/Release/net10.0/efedllm}
tokens=${TOKENS:-4096}
models=${MODELS:-efed-mini stories260K babyllama-105 stories3M}
[ -d "$shared/models" ] || { echo "There is no $shared/models: set EFEDLLM_SHARED." >&2; exit 1; }
[ -x "$efedllm" ] || { echo "There is no $efedllm: build with dotnet build -c Release, or set EFEDLLM." >&2; exit 1; }
if [ $# -gt 0 ]; then work=$1; else work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; fi
mkdir -p "$work"

names=(int8 default 4.5-bits 4.5-bits-no-branch svd-0.9 svd-0.8 svd-0.6 svd-0.4)
flags() {
    case $1 in
        int8) echo "--profile int8" ;;
        default) echo "" ;;
        4.5-bits) echo "--target-bits 4.5" ;;
        4.5-bits-no-branch) echo "--target-bits 4.5 --no-low-rank" ;;
        svd-*) echo "--profile svd --keep ${1#svd-}" ;;
    esac
}

# The first three fifths of the stories calibrate, the rest measures; both are cut between lines.
stories=$shared/data/tinystories/tinystories-excerpt.txt
lines=$(wc -l < "$stories")
head -n $((lines * 3 / 5)) "$stories" > "$work/stories-first.txt"
tail -n +$((lines * 3 / 5 + 1)) "$stories" > "$work/stories-rest.txt"

echo "| model | measured on | ${names[*]// /}" | sed 's/\([a-z0-9]\) \([a-z0-9]\)/\1 | \2/g; s/$/ |/; s/4\.5-bits-no-branch/4.5 bits, no branch/; s/4\.5-bits/4.5 bits/; s/svd-/svd /g'
printf '| --- | --- |'; printf ' ---: |%.0s' "${names[@]}"; echo
for model in $models; do
    checkpoint=$shared/models/$model
    if [ "$model" = efed-mini ]; then
        calibration=$checkpoint/calib.txt
        texts=("$checkpoint/eval.txt")
    else
        calibration=$work/stories-first.txt
        texts=("$work/stories-rest.txt" "$shared/data/wikitext-2-raw/wiki.test.raw" "$shared/data/shakespeare/tinyshakespeare.txt")
    fi

    folders=()
    for name in "${names[@]}"; do
        folder=$work/$model/$name
        if [ ! -f "$folder/manifest.json" ]; then
            calibrate=(--calibrate "$calibration")
            case $name in int8) calibrate=() ;; esac
            # shellcheck disable=SC2046
            "$efedllm" compress "$checkpoint" -o "$folder" $(flags "$name") "${calibrate[@]}" >&2
        fi
        folders+=("$folder")
    done

    first=1
    for text in "${texts[@]}"; do
        "$efedllm" eval "${folders[@]}" --reference "$checkpoint" --text "$text" --tokens "$tokens" --format csv > "$work/rows.csv"
        if [ $first = 1 ]; then
            awk -F, -v model="$model" 'NR > 1 { row = row sprintf(" %.2f |", $2) } END { print "| " model " | *bits per weight* |" row }' "$work/rows.csv"
            first=0
        fi
        awk -F, -v text="$(basename "$text")" 'NR > 1 { row = row sprintf($8 < 1 ? " %+.2f %% |" : " %+.0f %% |", $8 * 100) } END { print "| | " text " |" row }' "$work/rows.csv"
    done
done
