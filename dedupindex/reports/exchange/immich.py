"""Groups in the shape in which Immich takes the resolution of duplicates (``POST /duplicates/resolve``)."""

from __future__ import annotations

import uuid
from typing import Any

from dedupindex.records import DuplicateGroup, ImageRecord, Link, Relation
from dedupindex.records.reports import Report

_SPACE = uuid.UUID("6d0a4f0e-6f7c-5b0e-9d57-6a1f0f6f6b11")  # in which the ids of groups are made


def immich_groups(report: Report) -> dict[str, Any]:
    """Return ``{"groups": [{"duplicateId", "keepAssetIds", "trashAssetIds"}]}``.

    The ids of assets are the labels that a list gave the files (`import-list`). The first picture of a group that is an
    asset stays. Only what is proven to be a copy of that one, and not edited, stands among those to trash; every other
    asset of the group among those to keep. Groups without anything to trash are left out.

    Parameters
    ----------
    report : Report
    """
    groups = [made for group in report.groups if (made := _resolved(group)) is not None]
    return {"groups": groups}


def _resolved(group: DuplicateGroup) -> dict[str, Any] | None:
    assets = [(member.image, asset) for member in group.members for asset in _assets(member.image)]
    if len(assets) < 2:
        return None
    first, kept = assets[0]
    safe = {first.id} | {
        (pair.b if pair.a.id == first.id else pair.a).id
        for pair in group.pairs
        if first.id in (pair.a.id, pair.b.id) and pair.link is Link.COPY and Relation.EDITED not in pair.relations
    }
    trash = [asset for image, asset in assets[1:] if image.id in safe]
    if not trash:
        return None
    keep = [kept, *(asset for image, asset in assets[1:] if image.id not in safe)]
    return {"duplicateId": str(uuid.uuid5(_SPACE, group.id)), "keepAssetIds": keep, "trashAssetIds": trash}


def _assets(image: ImageRecord) -> list[str]:
    """Return the ids of the assets that an image is, each once."""
    labels = [place.label for place in image.locations if place.label is not None and not place.missing]
    return [label for label in dict.fromkeys(labels) if _is_uuid(label)]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
