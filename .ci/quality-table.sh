#!/usr/bin/env bash
# Compresses every decoder of the shared models in several configurations and prints, as Markdown, what each costs: the change of the
# perplexity against the float32 checkpoint, on texts or parts of texts that no calibration saw, and the bits per weight as read per token.
#
#   .ci/quality-table.sh [folder]     the models are kept in the folder (a temporary one by default); what is there already is not made again
#
# Below it the classifier's accuracy on SST-2's development set, calibrated on phrases of the training set.
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

# compress MODEL CONFIGURATION CALIBRATION-TEXT
compress() {
    local folder=$work/$1/$2 calibrate=(--calibrate "$3")
    [ ! -f "$folder/manifest.json" ] || return 0
    [ "$2" != int8 ] || calibrate=()
    # shellcheck disable=SC2046
    "$efedllm" compress "$shared/models/$1" -o "$folder" $(flags "$2") "${calibrate[@]}" >&2
}

# The first three fifths of the stories calibrate, the rest measures; both are cut between lines.
stories=$shared/data/tinystories/tinystories-excerpt.txt
lines=$(wc -l < "$stories")
head -n $((lines * 3 / 5)) "$stories" > "$work/stories-first.txt"
tail -n +$((lines * 3 / 5 + 1)) "$stories" > "$work/stories-rest.txt"

echo "| model | measured on | int8 | default | 4.5 bits | 4.5 bits, no branch | svd 0.9 | svd 0.8 | svd 0.6 | svd 0.4 |"
echo "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
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
        compress "$model" "$name" "$calibration"
        folders+=("$work/$model/$name")
    done

    first=1
    for text in "${texts[@]}"; do
        "$efedllm" eval "${folders[@]}" --reference "$checkpoint" --text "$text" --tokens "$tokens" --format csv > "$work/rows.csv"
        if [ $first = 1 ]; then
            awk -F, -v model="$model" 'NR > 1 { row = row sprintf(" %.2f |", $3) } END { print "| " model " | *bits per weight* |" row }' "$work/rows.csv"
            first=0
        fi
        awk -F, -v text="$(basename "$text")" 'NR > 1 { row = row sprintf($9 < 1 ? " %+.2f %% |" : " %+.0f %% |", $9 * 100) } END { print "| | " text " |" row }' "$work/rows.csv"
    done
done

bert=bert-tiny-sst2
[ -n "${MODELS:-}" ] || [ ! -d "$shared/models/$bert" ] || {
    tail -n +2 "$shared/data/sst2/train-2000.tsv" | cut -f1 > "$work/sst2-train.txt"
    folders=()
    for name in int8 default svd-0.4; do
        compress "$bert" "$name" "$work/sst2-train.txt"
        folders+=("$work/$bert/$name")
    done
    echo
    "$efedllm" eval "$shared/models/$bert" "${folders[@]}" --sst2 "$shared/data/sst2/dev.tsv" --format md
}
