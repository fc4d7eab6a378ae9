"""Decisions as a small JSON file that another database can take over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedupindex.errors import SettingsError
from dedupindex.fields import load_json
from dedupindex.records import Decision, DecisionKind

SCHEMA_VERSION = 1
MOST_BYTES = 1 << 28
_KEY = re.compile(r"[0-9a-f]{64}(#[1-9][0-9]{0,9})?")
_TEXTS = ("kind", "a", "b", "note", "decided")


def decisions_json(decisions: Sequence[Decision]) -> dict[str, Any]:
    """Return decisions as plain values, ordered by content so that files can be compared."""
    ordered = sorted(decisions, key=lambda decision: (decision.a, decision.b))
    return {
        "schema": SCHEMA_VERSION,
        "kind": "decisions",
        "decisions": [decision_json(decision) for decision in ordered],
    }


def decision_json(decision: Decision) -> dict[str, str]:
    """Return a decision as plain values."""
    return {
        "kind": decision.kind,
        "a": decision.a,
        "b": decision.b,
        "note": decision.note,
        "decided": decision.decided.isoformat(timespec="microseconds"),
    }


def read_decisions(path: Path) -> list[Decision]:
    """Read a file of decisions.

    Raises
    ------
    SettingsError
        It is none, is damaged, or comes from a newer dedupindex.
    OSError
    """
    if path.stat().st_size > MOST_BYTES:
        raise SettingsError(f"{path} is no file of decisions: too large")
    try:
        value = load_json(path.read_bytes())
    except ValueError as error:
        raise SettingsError(f"{path} is no file of decisions: {error}") from error
    if not isinstance(value, dict) or value.get("kind") != "decisions" or not isinstance(value.get("decisions"), list):
        raise SettingsError(f"{path} is no file of decisions: not what `decide export` writes")
    schema = value.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool) or schema < 1:
        raise SettingsError(f"{path}: the schema is {schema!r}, must be {SCHEMA_VERSION}")
    if schema > SCHEMA_VERSION:
        raise SettingsError(f"{path} was written by a newer dedupindex (schema {schema}); update dedupindex")
    return [_decision(entry, f"{path}: decisions[{number}]") for number, entry in enumerate(value["decisions"])]


def _decision(entry: object, where: str) -> Decision:
    if not isinstance(entry, dict):
        raise SettingsError(f"{where} is no object")
    for name in _TEXTS:
        if not isinstance(entry.get(name), str):
            raise SettingsError(f"{where}: {name} is {entry.get(name)!r}, must be text")
        if any("\ud800" <= character <= "\udfff" for character in entry[name]):
            raise SettingsError(f"{where}: {name} has half a character (a lone surrogate) in it")
    kind, a, b = entry["kind"], entry["a"], entry["b"]
    if kind not in set(DecisionKind):
        raise SettingsError(f"{where}: kind is {kind!r}, must be one of {', '.join(DecisionKind)}")
    kind = DecisionKind(kind)
    if not _KEY.fullmatch(a) or (b and not _KEY.fullmatch(b)):
        raise SettingsError(f"{where}: a and b must be content keys")
    if (kind == DecisionKind.KEEPER) != (b == "") or (b and a > b) or (a == b and kind != DecisionKind.KEEP_BOTH):
        raise SettingsError(f"{where}: a and b do not fit {kind}")
    try:
        decided = datetime.fromisoformat(entry["decided"])
        decided = decided.replace(tzinfo=UTC) if decided.tzinfo is None else decided.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SettingsError(f"{where}: decided is {entry['decided']!r}, must be a time") from error
    return Decision(kind, a, b, entry["note"], decided)
