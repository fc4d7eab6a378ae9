#!/usr/bin/env bash
# Runs `dedupindex leaks` with the inputs of the action (INPUT_*), and tells the job what came out.
# Ends with the exit code of `leaks`: 0 no leaks, 1 none, but files could not be read, 2 a mistake, 3 leaks.
set -euo pipefail

program=${DEDUPINDEX:-dedupindex}
sarif=${INPUT_SARIF:-dedupindex-leaks.sarif}
options=(--quiet --sarif "$sarif")

add_lines() { # OPTION LINES: the option once for each line that is not empty
    local line
    while IFS= read -r line; do
        if [ -n "$line" ]; then options+=("$1" "$line"); fi
    done <<<"$2"
}

add_lines --train "${INPUT_TRAIN:?the input train is missing}"
add_lines --test "${INPUT_TEST:?the input test is missing}"
add_lines --images "${INPUT_IMAGES:-}"
add_lines --baseline "${INPUT_BASELINE:-}"
add_lines --sheet "${INPUT_SHEET:-}"
add_lines --database "${INPUT_DATABASE:-}"
if [ "${INPUT_ALTERNATES:-true}" = false ]; then options+=(--no-alternates); fi

table=$(mktemp)
trap 'rm -f "$table"' EXIT
code=0
"$program" leaks "${options[@]}" >"$table" || code=$?
cat "$table"

if [ -f "$sarif" ] && [ -n "${GITHUB_OUTPUT:-}" ]; then
    # A result that the baseline accepts is in the log too, as suppressed.
    leaks=$(python3 -c 'import json, sys
results = json.load(open(sys.argv[1]))["runs"][0]["results"]
print(sum("suppressions" not in result for result in results))' "$sarif")
    printf 'leaks=%s\nsarif=%s\n' "$leaks" "$sarif" >>"$GITHUB_OUTPUT"
fi
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
    { echo '### Leaks between parts of the data set'; echo '```'; cat "$table"; echo '```'; } >>"$GITHUB_STEP_SUMMARY"
fi
exit "$code"
