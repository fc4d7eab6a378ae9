"""The comparison of two pictures as text and JSON."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from dedupindex.records import Outcome, Proof, RegistrationMethod, Relation, Verification
from dedupindex.records.measures import ClipShares, Comparison
from dedupindex.reports.jsonfile import SCHEMA_VERSION, path_json, verification_json
from dedupindex.reports.names import shown
from dedupindex.reports.wording import (
    headline,
    largest_words,
    pair_words,
    percent,
    proof_words,
    relation_words,
    shift_text,
)


def verdict_words(comparison: Comparison) -> str:
    """Return the relation of two pictures that were compared, in a line."""
    relations, pair = comparison.relations, comparison.pair
    done = tuple(relation for relation in relations if relation not in (Relation.REENCODED, Relation.UNPROVEN))
    seen = replace(pair.verification, relations=done)
    words = [words for words in pair_words(replace(pair, proof=None, verification=seen)) if words != proof_words(None)]
    return headline(relations, pair.proof, ", ".join(words))


def region_lines(proof: Proof | None) -> list[str]:
    """Return the places in which two pictures differ, a line each, those with the clearest difference first."""
    if proof is None or not proof.regions:
        return []
    lines = ["", f"{'differs at (a)':<28}{'share':>8}{'contrast':>10}  in b"]
    for region in proof.regions:
        where, there = (f"{w} x {h} at ({x}, {y})" for y, x, h, w in (region.box, region.box_b))
        moved = "" if region.moved is None else ", moved by ({:.1f}, {:.1f})".format(*region.moved)
        lines.append(f"{where:<28}{percent(region.share):>8}{percent(region.contrast):>10}  {there}{moved}")
    return lines


def comparison_text(comparison: Comparison) -> str:
    """Return the relation of the two, the alignment, the places that differ, and every measure."""
    clips = clip_lines(comparison)
    verification, proof, measures = comparison.pair.verification, comparison.pair.proof, comparison.measures
    lines = [
        *clips,
        verdict_words(comparison),
        "",
        f"a  {shown(comparison.a)}",
        f"b  {shown(comparison.b)}",
        "",
        f"verdict    {'the same' if verification.accepted else 'not the same'} at 128 pixels, "
        f"score {verification.score:.4f}",
        f"because    {shown(verification.reason)}",
    ]
    if proof is not None:
        lines.append(f"proof      {proof.outcome}: {shown(proof.reason)}")
        if proof.outcome is not Outcome.NONE:
            lines.append(
                f"           on {proof.grid[1]} x {proof.grid[0]} pixels, {percent(proof.compared)} compared, "
                f"{largest_words(proof)}, noise {255 * proof.noise:.1f}"
            )
    if comparison.relations:
        joined = "+".join(comparison.relations)
        lines.append(f"relation   {joined}: {relation_words(joined)}")
    if verification.crop_box is not None:
        lines.append(
            "crop box   top {}, left {}, height {}, width {}".format(*verification.crop_box)
            + f" of {verification.crop_of}"
        )
    lines += alignment_lines(verification)
    lines += region_lines(proof)
    if measures:
        width = max(len(measure.name) for measure in measures)
        lines += ["", f"{'measure':<{width}}  {'value':>12}  better  detail"]
        lines += [f"{m.name:<{width}}  {m.value:>12.5g}  {m.better:<6}  {shown(m.detail)}" for m in measures]
    return "\n".join(lines)


def clip_lines(comparison: Comparison) -> list[str]:
    """Return what two videos have in common, a part a line; nothing where they are pictures."""
    clips = comparison.clips
    if clips is None:
        return []
    lasting = " and ".join(f"{duration:,.1f} s" for duration in clips.durations)
    if not clips.parts:
        return [f"two videos of {lasting} with nothing in common", "", "their first frames:"]
    lines = [f"two videos of {lasting}: {percent(clips.share_a)} of a is in b, {percent(clips.share_b)} of b is in a"]
    lines += [
        f"    {part.a[0]:,.1f} to {part.a[1]:,.1f} s of a is {part.b[0]:,.1f} to {part.b[1]:,.1f} s of b"
        for part in clips.parts
    ]
    return [*lines, "", "two frames in the middle of the longest part:"]


def clips_json(clips: ClipShares) -> dict[str, Any]:
    """Return what two videos have in common as plain values; times in seconds."""
    return {
        "share_a": round(clips.share_a, 6),
        "share_b": round(clips.share_b, 6),
        "durations": [round(duration, 3) for duration in clips.durations],
        "parts": [
            {name: [round(time, 3) for time in getattr(part, name)] for name in ("a", "b", "middle")}
            for part in clips.parts
        ],
    }


def alignment_lines(verification: Verification) -> list[str]:
    """Return how b is aligned to a, a number a line."""
    registration = verification.registration
    if registration.method == RegistrationMethod.NONE:
        return ["alignment  none found"]
    return [
        f"shift      {shift_text(verification)} px (dy, dx) of b against a",
        f"scale      {registration.scale:.4f}",
        f"rotation   {registration.rotation:.2f}°{', mirrored' if registration.mirrored else ''}",
        f"overlap    {percent(registration.overlap)}",
        f"method     {registration.method}",
    ]


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as plain values."""
    pair = comparison.pair
    videos = {} if comparison.clips is None else {"clips": clips_json(comparison.clips)}
    return {
        "schema": SCHEMA_VERSION,
        "kind": "compare",
        "a": path_json(Path(comparison.a)),
        "b": path_json(Path(comparison.b)),
        "words": verdict_words(comparison),
        "verification": verification_json(pair.verification, comparison.relations, pair.proof),
        "measures": [
            {"name": m.name, "value": round(float(m.value), 8), "better": m.better, "detail": m.detail}
            for m in comparison.measures
        ],
        **videos,
    }
