"""Where the pictures of a group lie on its first one, for a page that shows them over each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dedupindex.records import GroupMember, ImageRecord, Pair
from dedupindex.records.proofs import inverted


@dataclass(frozen=True, slots=True)
class LaidPicture:
    """Where a picture lies on the first one of its group, in pixels of that one, from its top left corner.

    Attributes
    ----------
    matrix : (float, float, float, float, float, float)
        As CSS writes it: (x, y) of the picture goes to (a x + c y + e, b x + d y + f).
    outside : (float, float, float, float)
        Left, top, width, height of what holds both.
    changed : tuple of (int, int, int, int)
        Left, top, width, height of the places that the proof found changed.
    """

    matrix: tuple[float, float, float, float, float, float]
    outside: tuple[float, float, float, float]
    changed: tuple[tuple[int, int, int, int], ...] = ()


def pairs_with(member: GroupMember, pairs: Sequence[Pair]) -> dict[int, Pair]:
    """Return the pairs in which a member stands, by the other image's id."""
    own = member.image.id
    return {(pair.b.id if pair.a.id == own else pair.a.id): pair for pair in pairs if own in (pair.a.id, pair.b.id)}


def laid_on_first(first: ImageRecord, image: ImageRecord, pair: Pair) -> LaidPicture | None:
    """Return where a picture lies on the first one of its group.

    Parameters
    ----------
    first, image : ImageRecord
    pair : Pair
        Of the two.

    Returns
    -------
    LaidPicture or None
        None where the registration has no inverse.
    """
    turned = pair.a.id != first.id
    matrix = pair.verification.registration.matrix
    (xx, xy, x0), (yx, yy, y0) = matrix
    if turned:
        if abs(xx * yy - xy * yx) < 1e-9:
            return None
        (xx, xy, x0), (yx, yy, y0) = inverted(matrix)
    # the matrix counts from the centre of the first pixel, a page from its corner
    x0, y0 = x0 + 0.5 * (1 - xx - xy), y0 + 0.5 * (1 - yx - yy)
    corners = [(0, 0), (image.width, 0), (image.width, image.height), (0, image.height)]
    xs = [0.0, float(first.width), *(xx * x + xy * y + x0 for x, y in corners)]
    ys = [0.0, float(first.height), *(yx * x + yy * y + y0 for x, y in corners)]
    outside = (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    regions = () if pair.proof is None else pair.proof.regions
    boxes = (region.box_b if turned else region.box for region in regions)
    changed = tuple((left, top, width, height) for top, left, height, width in boxes)
    return LaidPicture((xx, yx, xy, yy, x0, y0), outside, changed)
