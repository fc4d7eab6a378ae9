"""The comparison of two pictures as text and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dedupindex.records import Verification
from dedupindex.records.measures import Measure
from dedupindex.reports.jsonfile import SCHEMA_VERSION, path_json, verification_json
from dedupindex.reports.names import shown
from dedupindex.reports.wording import percent, relation_words, shift_text


def comparison_text(a: str, b: str, verification: Verification, measures: Sequence[Measure]) -> str:
    """Return the verdict, the alignment, and every measure in a table."""
    lines = [
        f"a  {shown(a)}",
        f"b  {shown(b)}",
        "",
        f"verdict    {'the same' if verification.accepted else 'not the same'}, score {verification.score:.4f}",
        f"because    {shown(verification.reason)}",
    ]
    if verification.relations:
        joined = "+".join(verification.relations)
        lines.append(f"relation   {joined}: {relation_words(joined)}")
    if verification.crop_box is not None:
        lines.append(
            "crop box   top {}, left {}, height {}, width {}".format(*verification.crop_box)
            + f" of {verification.crop_of}"
        )
    lines += alignment_lines(verification)
    if measures:
        width = max(len(measure.name) for measure in measures)
        lines += ["", f"{'measure':<{width}}  {'value':>12}  better  detail"]
        lines += [f"{m.name:<{width}}  {m.value:>12.5g}  {m.better:<6}  {shown(m.detail)}" for m in measures]
    return "\n".join(lines)


def alignment_lines(verification: Verification) -> list[str]:
    """Return how b lies on a, a number a line."""
    registration = verification.registration
    if registration.method == "none":
        return ["alignment  none found"]
    return [
        f"shift      {shift_text(verification)} px (dy, dx) of b against a",
        f"scale      {registration.scale:.4f}",
        f"rotation   {registration.rotation:.2f}°{', mirrored' if registration.mirrored else ''}",
        f"overlap    {percent(registration.overlap)}",
        f"method     {registration.method}",
    ]


def comparison_json(a: Path, b: Path, verification: Verification, measures: Sequence[Measure]) -> dict[str, Any]:
    """Return the comparison as plain values."""
    return {
        "schema": SCHEMA_VERSION,
        "kind": "compare",
        "a": path_json(a),
        "b": path_json(b),
        "verification": verification_json(verification),
        "measures": [
            {"name": m.name, "value": round(float(m.value), 8), "better": m.better, "detail": m.detail}
            for m in measures
        ],
    }
