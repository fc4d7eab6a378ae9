"""`failures`: what could not be read."""

from __future__ import annotations

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session


def failures(session: Session, json: JsonOption = False) -> int:
    """List the files that could not be read, and why. Exit code 1 when there are any."""
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, failure_json, to_json
    from dedupindex.reports.text import failure_lines

    with session.open(read_only=True, allow_mismatch=True) as index:
        failed = index.failures()
    if json:
        listed = [failure_json(failure) for failure in failed]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "failures", "failures": listed}))
    else:
        for line in failure_lines(failed):
            out(line)
    return FOUND if failed else DONE
