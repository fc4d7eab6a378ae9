#!/bin/sh
# The password of the catalogue's server comes as a file: what stands in the environment of a container, or in a URL,
# is shown to everybody who may look at it.
set -eu
if [ -n "${PGPASSWORD_FILE:-}" ]; then
    PGPASSWORD=$(cat "$PGPASSWORD_FILE")
    export PGPASSWORD
fi
exec dedupindex "$@"
