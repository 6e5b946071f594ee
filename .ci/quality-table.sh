#!/usr/bin/env bash
# Compresses every decoder of the shared models in several configurations and prints, as Markdown, what each costs: the change of the
# perplexity against the float32 checkpoint, on texts or parts of texts that no calibration saw, and the bits per weight as read per token.
#
#   .ci/quality-table.sh [folder]     the models are kept in the folder (a temporary one by default); what is there already is not made again
#
# Below it the classifier's accuracy on SST-2's development set.
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

# compress MODEL CONFIGURATION [CALIBRATION-TEXT]: a target that a model cannot meet leaves its column empty
compress() {
    local folder=$work/$1/$2 calibrate=()
    [ ! -f "$folder/manifest.json" ] || return 0
    case $2 in int8 | svd-*) ;; *) [ $# -lt 3 ] || calibrate=(--calibrate "$3") ;; esac
    # shellcheck disable=SC2046
    "$efedllm" compress "$shared/models/$1" -o "$folder" $(flags "$2") ${calibrate[@]+"${calibrate[@]}"} >&2 || echo "$1: no $2" >&2
}

# row CSV-FILE FIELD FORMAT FACTOR: the cells of all configurations
row() {
    awk -F, -v names="${names[*]}" -v field="$2" -v format="$3" -v factor="$4" '
        NR > 1 { cell[$1] = sprintf(factor == 100 && $field >= 1 ? "%+.0f %%" : format, $field * factor) }
        END { n = split(names, name, " "); for (i = 1; i <= n; i++) line = line " " (name[i] in cell ? cell[name[i]] : "–") " |"; print line }' "$1"
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
        [ ! -f "$work/$model/$name/manifest.json" ] || folders+=("$work/$model/$name")
    done

    heading="| $model | *bits per weight* |"
    for text in "${texts[@]}"; do
        "$efedllm" eval "${folders[@]}" --reference "$checkpoint" --text "$text" --tokens "$tokens" --format csv > "$work/rows.csv"
        [ -z "$heading" ] || echo "$heading$(row "$work/rows.csv" 3 %.2f 1)"
        heading=
        echo "| | $(basename "$text") |$(row "$work/rows.csv" 9 "%+.2f %%" 100)"
    done
done

bert=bert-tiny-sst2
[ -n "${MODELS:-}" ] || [ ! -d "$shared/models/$bert" ] || {
    folders=()
    for name in int8 default svd-0.4; do
        compress "$bert" "$name"
        [ ! -f "$work/$bert/$name/manifest.json" ] || folders+=("$work/$bert/$name")
    done
    echo
    "$efedllm" eval "$shared/models/$bert" "${folders[@]}" --sst2 "$shared/data/sst2/dev.tsv" --format md
}
