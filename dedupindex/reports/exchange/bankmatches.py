"""What is found in banks of hashes: as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dedupindex.records.banks import BankMatch, SignalKind
from dedupindex.reports.names import shown


def bank_match_json(match: BankMatch) -> dict[str, Any]:
    """Return a match as plain values."""
    return {
        "bank": shown(match.bank),
        "id": shown(match.signal.id),
        "signal_type": str(match.signal.kind),
        "distance": int(match.distance) if match.signal.kind is SignalKind.PDQ else match.distance,
    }


def bank_matches_text(picture: str, matches: Sequence[BankMatch]) -> str:
    """Return the matches of a picture for people."""
    lines = [f"{shown(picture)}: {'no match in a bank' if not matches else f'{len(matches):,} in banks'}"]
    for match in matches:
        near = f"{match.distance:.0f} bits" if match.signal.kind is SignalKind.PDQ else f"distance {match.distance:.3f}"
        lines.append(f"    {shown(match.bank)}: {shown(match.signal.id) or 'no id'} ({match.signal.kind}, {near})")
    return "\n".join(lines)
