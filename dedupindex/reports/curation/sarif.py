"""Leaks as SARIF 2.1.0, which code hosts show beside the files that a change touches.

Static Analysis Results Interchange Format, OASIS Standard, https://docs.oasis-open.org/sarif/sarif/v2.1.0/.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dedupindex.places import is_local, text_of
from dedupindex.records import LocationRecord
from dedupindex.records.splits import Leak, LeakKind, LeakReport
from dedupindex.reports.names import shown

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
ROOT = "%SRCROOT%"
FINGERPRINT = "dedupindexLeak/v1"
_RULES: Mapping[LeakKind, tuple[str, str, str]] = {
    LeakKind.COPY: ("leak-copy", "error", "A picture is in two parts of the data set"),
    LeakKind.UNPROVEN: ("leak-unproven", "warning", "A picture seems to be in two parts of the data set"),
    LeakKind.ALTERNATE: ("leak-alternate", "warning", "Two parts of the data set show the same scene or template"),
}
_IDS = {kind: number for number, kind in enumerate(_RULES)}


def leaks_sarif(report: LeakReport, root: Path, *, version: str) -> dict[str, Any]:
    """Return leaks as a SARIF log with one run; accepted leaks are in it as suppressed.

    Parameters
    ----------
    report : LeakReport
    root : Path
        Absolute; paths below it become relative, as a code host wants them.
    version : str
        Of this program.
    """
    results = [_result(leak, root, accepted=False) for leak in report.leaks]
    results += [_result(leak, root, accepted=True) for leak in report.accepted]
    driver = {
        "name": "dedupindex",
        "version": version,
        "semanticVersion": version,
        "rules": [_rule(*rule) for rule in _RULES.values()],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "originalUriBaseIds": {ROOT: {"uri": f"file://{quote(os.fspath(root).rstrip('/'))}/"}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    if report.unread:
        run["invocations"] = [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [
                    {
                        "level": "warning",
                        "message": {"text": f"{shown(failure.path)} could not be read: {shown(failure.detail)}"},
                    }
                    for failure in report.unread
                ],
            }
        ]
    return {"$schema": SCHEMA, "version": VERSION, "runs": [run]}


def _rule(name: str, level: str, words: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": words},
        "defaultConfiguration": {"level": level},
    }


def _result(leak: Leak, root: Path, *, accepted: bool) -> dict[str, Any]:
    name, level, _ = _RULES[leak.kind]
    relations = ", ".join(leak.relations)
    words = f"This picture of {leak.part} is in {leak.source_part} as [{_label(leak.source)}](1): {relations}"
    if leak.kind is LeakKind.ALTERNATE:
        words = f"This picture of {leak.part} shows the scene or template of [{_label(leak.source)}](1) in "
        words += leak.source_part
    result: dict[str, Any] = {
        "ruleId": name,
        "ruleIndex": _IDS[leak.kind],
        "level": level,
        "message": {"text": f"{words}; score {leak.score:.3f}"},
        "locations": [_location(leak.place, root)],
        "relatedLocations": [{"id": 1, **_location(leak.source, root)}],
        "partialFingerprints": {FINGERPRINT: leak.fingerprint},
        "properties": {"part": leak.part, "sourcePart": leak.source_part, "score": round(leak.score, 6)},
    }
    if accepted:
        result["suppressions"] = [{"kind": "external", "justification": "accepted by the baseline"}]
    return result


def _label(place: LocationRecord) -> str:
    """Return a file's name as the text of a link in a message, where brackets are escaped."""
    name = shown(place.path.name).replace("\\", "\\\\")
    return name.replace("[", "\\[").replace("]", "\\]")


def _location(place: LocationRecord, root: Path) -> dict[str, Any]:
    if is_local(place.path) and place.path.is_relative_to(root):
        uri = quote(os.fsencode(place.path.relative_to(root)))
        artifact = {"uri": uri, "uriBaseId": ROOT}
    elif is_local(place.path):
        artifact = {"uri": "file://" + quote(os.fsencode(place.path))}
    else:
        artifact = {"uri": quote(text_of(place.path).encode("utf-8", "surrogateescape"), safe="/:")}
    # A picture has no lines, but code hosts show only results that have one.
    return {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": 1}}}
