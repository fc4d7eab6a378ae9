"""`doctor`: check this machine and the place of a database."""

from __future__ import annotations

from dedupindex.cli.console import out, out_bytes
from dedupindex.cli.options import DONE, FOUND, JsonOption, Session

MARKS = {"ok": " ", "warning": "!", "problem": "X"}


def doctor(session: Session, json: JsonOption = False) -> int:
    """Look at versions, extras, file system, space, permissions and the writers' lock, or the server; changes nothing.

    Exit code 1 when there is a problem.
    """
    from dataclasses import asdict

    from dedupindex import doctor as examine
    from dedupindex.reports.jsonfile import SCHEMA_VERSION, to_json
    from dedupindex.reports.names import shown

    findings = examine(session.location())
    if json:
        listed = [{name: shown(value) for name, value in asdict(finding).items()} for finding in findings]
        out_bytes(to_json({"schema": SCHEMA_VERSION, "kind": "doctor", "findings": listed}))
    else:
        for finding in findings:
            advice = f"\n{'':<26}{shown(finding.advice)}" if finding.advice else ""
            out(f"{MARKS[finding.level]} {finding.topic:<23} {shown(finding.state)}{advice}")
    return FOUND if any(finding.level == "problem" for finding in findings) else DONE
