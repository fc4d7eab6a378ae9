"""The report as JSON, as docs/pages/reference/json.md explains it; `SCHEMA_VERSION` rises when something changes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dedupindex.places import text_of
from dedupindex.records import (
    DuplicateGroup,
    Failure,
    GroupMember,
    ImageRecord,
    LocationRecord,
    Match,
    Pair,
    Proof,
    Relation,
    RunRecord,
    Series,
    Verification,
)
from dedupindex.records.pieces import FoundPiece, Piece, PieceMatch
from dedupindex.records.proofs import proof_to_plain
from dedupindex.records.reports import Change, Coverage, Report, Selection
from dedupindex.reports.decisionfile import decision_json
from dedupindex.reports.names import is_text, shown

SCHEMA_VERSION = 2


def report_json(report: Report) -> dict[str, Any]:
    """Return the report as plain values."""
    value: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "kind": "report",
        "run": _run(report.run),
        "selection": selection_json(report.selection),
        "images": report.images,
        "locations": report.locations,
        "groups": [group_json(group) for group in report.groups],
        "series": [series_json(series) for series in report.series],
        "unproven": report.unproven,
        "decisions": [decision_json(decision) for decision in report.decisions],
        "hidden": report.hidden,
        "failures": [failure_json(failure) for failure in report.failures],
    }
    if report.pieces:
        value["pieces"] = [piece_json(piece) for piece in report.pieces]
    if report.changes is not None:
        value["since"] = _run(report.since)
        value["changes"] = [change_json(change) for change in report.changes]
    if report.coverage is not None:
        value["coverage"] = coverage_json(report.coverage)
    return value


def selection_json(selection: Selection) -> dict[str, Any]:
    """Return what a report was narrowed to as plain values."""
    return {
        "relations": [str(relation) for relation in selection.relations],
        "not_relations": [str(relation) for relation in selection.not_relations],
        "min_score": selection.min_score,
        "paths": [path_json(path) for path in selection.paths],
        "across": None if selection.across is None else [path_json(path) for path in selection.across],
        "folder": selection.folder,
        "decided": selection.decided,
        "groups": list(selection.groups),
    }


def change_json(change: Change) -> dict[str, Any]:
    """Return how a group changed as plain values; the group itself stands among the groups."""
    return {
        "kind": change.kind,
        "id": change.id,
        "before": list(change.before),
        "added": [location_json(place) for place in change.added],
        "removed": [location_json(place) for place in change.removed],
    }


def coverage_json(coverage: Coverage) -> dict[str, Any]:
    """Return which pictures of one path have a duplicate below another as plain values."""
    return {
        "source": path_json(coverage.source),
        "target": path_json(coverage.target),
        "places": coverage.places,
        "covered": coverage.places - len(coverage.uncovered),
        "exact": coverage.exact,
        "unproven": coverage.unproven,
        "uncovered": [location_json(place) for place in coverage.uncovered],
        "unread": [failure_json(failure) for failure in coverage.unread],
    }


def group_json(group: DuplicateGroup) -> dict[str, Any]:
    """Return a group as plain values."""
    return {
        "id": group.id,
        "flags": [str(flag) for flag in group.flags],
        "weakest_score": None if group.weakest is None else round(group.weakest.verification.score, 6),
        "members": [{**image_json(member.image), **_role(member)} for member in group.members],
        "pairs": [pair_json(pair) for pair in group.pairs],
        "alternates": [pair_json(pair) for pair in group.alternates],
    }


def series_json(series: Series) -> dict[str, Any]:
    """Return a series of alternates as plain values."""
    return {
        "id": series.id,
        "members": [{**image_json(member.image), "group": member.group or None} for member in series.members],
        "pairs": [pair_json(pair) for pair in series.pairs],
    }


def _role(member: GroupMember) -> dict[str, Any]:
    return {
        "relation": member.relation,
        "score": round(member.score, 6),
        "keeper": member.keeper,
        "rule": member.rule,
        "because": shown(member.because),
        "judgement": member.judgement,
    }


def pair_json(pair: Pair) -> dict[str, Any]:
    """Return a pair as plain values; the pictures by their keys."""
    return {"a": pair.a.key, "b": pair.b.key, **verification_json(pair.verification, pair.relations, pair.proof)}


def proof_json(proof: Proof | None) -> dict[str, Any] | None:
    """Return a proof with its regions as plain values; None where the files were not compared."""
    if proof is None:
        return None
    plain: dict[str, Any] = _rounded(proof_to_plain(proof))
    return plain


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, Mapping):
        return {name: _rounded(item) for name, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value


def verification_json(verification: Verification, relations: Sequence[Relation], proof: Proof | None) -> dict[str, Any]:
    """Return a verification with its registration as plain values.

    Parameters
    ----------
    verification : Verification
    relations : sequence of Relation
        What may be said after the proof.
    proof : Proof or None

    Returns
    -------
    dict
        What `json.dumps` takes.
    """
    registration = verification.registration
    return {
        "score": round(verification.score, 6),
        "accepted": verification.accepted,
        "relations": [str(relation) for relation in relations],
        "shift": [round(value, 3) for value in registration.shift],
        "scale": round(registration.scale, 6),
        "rotation": round(registration.rotation, 4),
        "mirrored": registration.mirrored,
        "overlap": round(registration.overlap, 5),
        "matrix": [[round(value, 6) for value in row] for row in registration.matrix],
        "crop_of": verification.crop_of,
        "crop_box": None if verification.crop_box is None else list(verification.crop_box),
        "reason": verification.reason,
        "measures": {name: round(value, 6) for name, value in verification.measures.named().items()},
        "version": verification.version,
        "proof": proof_json(proof),
    }


def image_json(image: ImageRecord) -> dict[str, Any]:
    """Return an image as plain values."""
    return {
        "key": image.key,
        "format": image.format,
        "width": image.width,
        "height": image.height,
        "bits": image.bits,
        "channels": image.channels,
        "frame": image.frame,
        "frame_count": image.frame_count,
        "valid_share": round(image.valid_share, 6),
        "low_information": image.low_information,
        "scaling": image.scaling,
        "lossless": image.lossless,
        "locations": [location_json(place) for place in image.locations],
    }


def location_json(place: LocationRecord) -> dict[str, Any]:
    """Return a location as plain values; ``label`` where a list gave it an id, ``companions`` where it has some."""
    value: dict[str, Any] = {
        **path_json(place.path),
        "frame": place.frame,
        "size": place.size,
        "missing": place.missing,
    }
    if place.label is not None:
        value["label"] = shown(place.label)
    if place.companions:
        value["companions"] = [
            {"kind": str(companion.kind), **path_json(companion.path)} for companion in place.companions
        ]
    return value


def failure_json(failure: Failure) -> dict[str, Any]:
    """Return a failure as plain values."""
    return {**path_json(failure.path), "reason": str(failure.reason), "detail": shown(failure.detail)}


def match_json(match: Match) -> dict[str, Any]:
    """Return an answer to a query as plain values."""
    return {
        "image": image_json(match.image),
        "distance": round(match.distance, 6),
        **verification_json(match.verification, match.relations, match.proof),
    }


def piece_json(piece: Piece) -> dict[str, Any]:
    """Return a piece as plain values: the container, the image of which it shows a part, and where."""
    return {
        "container": image_json(piece.container),
        "part": image_json(piece.part),
        "number": piece.number,
        **found_json(piece.found),
    }


def piece_match_json(match: PieceMatch) -> dict[str, Any]:
    """Return an answer to a query for pieces as plain values; ``stored_contains``: the stored image shows the query."""
    return {"image": image_json(match.image), "stored_contains": match.stored_contains, **found_json(match.found)}


def found_json(placed: FoundPiece) -> dict[str, Any]:
    """Return where a part lies on both pictures, and how sure that is, as plain values."""
    return {
        "score": round(placed.score, 6),
        "box": list(placed.box),
        "quad": [[round(x, 2), round(y, 2)] for x, y in placed.quad],
        "share": round(placed.share, 6),
        "part_box": list(placed.part_box),
        "part_share": round(placed.part_share, 6),
        "mirrored": placed.mirrored,
        "scale": round(placed.scale, 5),
        "rotation": round(placed.rotation, 3),
        "matrix": [[float(f"{value:.9g}") for value in row] for row in placed.matrix],
        "measures": {name: round(value, 4) for name, value in placed.measures.named().items()},
        "proof": None if placed.proof is None else _region_proof(placed.proof),
        "version": placed.version,
    }


def _region_proof(proof: Proof) -> dict[str, Any]:
    """Return the proof of a piece as plain values."""
    return {"outcome": str(proof.outcome), "changed": round(proof.changed, 6), "reason": proof.reason}


def path_json(path: os.PathLike[str]) -> dict[str, str]:
    """Return a path; one that is no UTF-8 text is shown with escapes and comes with its bytes in hexadecimal."""
    if is_text(path):
        return {"path": text_of(path)}
    return {"path": shown(path), "path_bytes": os.fsencode(path).hex()}


def to_json(value: Mapping[str, Any] | Sequence[Any]) -> bytes:
    """Return JSON in ASCII with a newline at its end."""
    return (json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode("ascii")


def _run(run: RunRecord | None) -> dict[str, Any] | None:
    return None if run is None else {"id": run.id, "finished": _time(run.finished)}


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")
