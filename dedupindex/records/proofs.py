"""The result of comparing two files at full resolution, and its form as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeAlias

from dedupindex.records.evidence import NO_PROOF_MEASURES, ProofMeasures
from dedupindex.records.verdicts import Relation

Box: TypeAlias = tuple[int, int, int, int]
Affine: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]


class Outcome(StrEnum):
    """What the files of two pictures show when they are compared pixel by pixel."""

    SAME = "same"  # all that both show is the same, apart from resampling, tone, compression and noise
    EDITED = "edited"  # some places were changed, the rest is proven the same
    ALTERNATE = "alternate"  # the same scene or template with other content
    DIFFERENT = "different"  # not the same picture at all
    NONE = "none"  # not known: a file cannot be read, or the pictures have too little in common


@dataclass(frozen=True, slots=True)
class Region:
    """A connected place in which two pictures differ.

    Attributes
    ----------
    box : (top, left, height, width)
        In pixels of the full frame of picture a.
    box_b : (top, left, height, width)
        The same place in pixels of the full frame of picture b.
    share : float
        Area of the region over the area that was compared, 0..1.
    contrast : float
        How much it differs beyond what tone and noise explain: root mean square over its most different window, 0..1.
    moved : (float, float) or None
        (dy, dx) in pixels of the full frame a, where the content of b lies elsewhere in a.
    """

    box: Box
    box_b: Box
    share: float
    contrast: float
    moved: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """Result of comparing two pictures at the resolution that both have.

    Attributes
    ----------
    outcome : Outcome
    regions : tuple of Region
        Where the pictures differ, the largest evidence first; at most 32.
    changed : float
        Share of the compared area that differs, 0..1.
    moved : float
        Share of the compared area whose content lies elsewhere in the other picture, 0..1.
    largest : float
        Largest difference that tone does not explain, averaged over 3 x 3 pixels, 0..1.
    noise : float
        Typical difference where nothing was changed (standard deviation), 0..1.
    grid : (int, int)
        Height and width of the grid on which the pictures were compared, pixels.
    scale_a, scale_b : float
        Full-frame pixels of a and of b for one pixel of the grid.
    compared : float
        Share of the smaller picture's valid area that was compared, 0..1.
    colour : bool
        Colours were compared, not only luminance.
    reason : str
        What decided, in words.
    matrix : ((float, float, float), (float, float, float))
        The refined registration: full-frame (x, y, 1) pixel indices of b to those of a.
    measures : ProofMeasures
        Further numbers behind the outcome. Names that end in ``_a`` or ``_b`` are of that picture.
    version : str
        Of the method and its thresholds.
    """

    outcome: Outcome
    regions: tuple[Region, ...] = ()
    changed: float = 0.0
    moved: float = 0.0
    largest: float = 0.0
    noise: float = 0.0
    grid: tuple[int, int] = (0, 0)
    scale_a: float = 1.0
    scale_b: float = 1.0
    compared: float = 0.0
    colour: bool = False
    reason: str = ""
    matrix: Affine = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    measures: ProofMeasures = NO_PROOF_MEASURES
    version: str = ""

    @property
    def largest_level(self) -> int:
        """The largest difference in levels of an 8-bit picture, 0..255."""
        return round(255 * self.largest)


def proof_to_plain(proof: Proof) -> dict[str, Any]:
    """Return a proof as values that JSON can hold; `proof_from_plain` is the inverse."""
    return asdict(proof) | {"outcome": proof.outcome.value, "measures": proof.measures.named()}


def proof_from_plain(plain: Mapping[str, Any]) -> Proof:
    """Return the proof that `proof_to_plain` wrote, also after it was stored as JSON.

    Raises
    ------
    ValueError
        An outcome or a field that is not known, or a value of another kind.
    """
    values = dict(plain)
    try:
        values["outcome"] = Outcome(values["outcome"])
        values["regions"] = tuple(_region(region) for region in values.get("regions", ()))
        values["measures"] = ProofMeasures.of(values.get("measures"))
        if "grid" in values:
            values["grid"] = (int(values["grid"][0]), int(values["grid"][1]))
        if "matrix" in values:
            first, second = (tuple(float(v) for v in row) for row in values["matrix"])
            values["matrix"] = (first, second)
        return Proof(**values)
    except (TypeError, KeyError, IndexError) as error:
        raise ValueError(f"no stored proof: {error}") from error


def turned_round(proof: Proof) -> Proof:
    """Return the proof of (b, a) from that of (a, b).

    Raises
    ------
    ValueError
        The registration cannot be inverted.
    """
    matrix = inverted(proof.matrix)
    (xx, xy, _), (yx, yy, _) = matrix
    regions = tuple(_region_turned(region, (xx, xy, yx, yy)) for region in proof.regions)
    values = {name: getattr(proof, name) for name in Proof.__dataclass_fields__}
    values |= {"regions": regions, "scale_a": proof.scale_b, "scale_b": proof.scale_a, "matrix": matrix}
    values["measures"] = ProofMeasures.of({_other_side(name): value for name, value in proof.measures.named().items()})
    return Proof(**values)


def _other_side(name: str) -> str:
    """The name of the same measure of the other picture."""
    return f"{name[:-2]}_{'b' if name[-1] == 'a' else 'a'}" if name[-2:] in ("_a", "_b") else name


def inverted(matrix: Affine) -> Affine:
    """Return the inverse of an affine map.

    Raises
    ------
    ValueError
        It cannot be inverted.
    """
    (xx, xy, x0), (yx, yy, y0) = matrix
    determinant = xx * yy - xy * yx
    if not determinant:
        raise ValueError(f"the registration {matrix} cannot be inverted")
    ixx, ixy, iyx, iyy = yy / determinant, -xy / determinant, -yx / determinant, xx / determinant
    return (ixx, ixy, -ixx * x0 - ixy * y0), (iyx, iyy, -iyx * x0 - iyy * y0)


def _region_turned(region: Region, inverse: tuple[float, float, float, float]) -> Region:
    moved = region.moved
    if moved is not None:
        ixx, ixy, iyx, iyy = inverse
        moved = (-(iyx * moved[1] + iyy * moved[0]), -(ixx * moved[1] + ixy * moved[0]))
    return Region(region.box_b, region.box, region.share, region.contrast, moved)


def _region(plain: Mapping[str, Any]) -> Region:
    moved = plain.get("moved")
    return Region(
        box=_box(plain["box"]),
        box_b=_box(plain["box_b"]),
        share=float(plain["share"]),
        contrast=float(plain["contrast"]),
        moved=None if moved is None else (float(moved[0]), float(moved[1])),
    )


def _box(values: Any) -> Box:
    top, left, height, width = (int(value) for value in values)
    return top, left, height, width


DIRECT = frozenset({Relation.SAME_BYTES, Relation.SAME_PIXELS})  # seen in the bytes and pixels themselves
PROVEN_BY_SAME = Relation.REENCODED  # relation of two proven copies without any other


def relations_after(seen: tuple[Relation, ...], proof: Proof | None) -> tuple[Relation, ...]:
    """Return the relations of two pictures after their files were compared.

    Parameters
    ----------
    seen : tuple of Relation
        What the verification of the stored features saw, at 128 pixels.
    proof : Proof or None
        None where the files were not compared.

    Returns
    -------
    tuple of Relation
        Equal bytes and pixels stay as they are. `same`: what was seen, without `edited`; `reencoded` where nothing
        else was seen. `edited`: what was seen of the geometry, and `edited`. `alternate`: that alone. `different`:
        nothing. Without a proof, and where it could not tell: what was seen, and `unproven`.
    """
    return _after(seen, None if proof is None else proof.outcome)


@lru_cache(maxsize=4096)
def _after(seen: tuple[Relation, ...], outcome: Outcome | None) -> tuple[Relation, ...]:
    """Relations after a proof with this outcome; None = there is none. Every pair is asked many times."""
    if DIRECT.intersection(seen):
        return seen
    bare = tuple(
        r for r in seen if r not in (Relation.EDITED, Relation.REENCODED, Relation.ALTERNATE, Relation.UNPROVEN)
    )
    if outcome is None or outcome is Outcome.NONE:
        return (*bare, *((Relation.EDITED,) if Relation.EDITED in seen else ()), Relation.UNPROVEN)
    if outcome is Outcome.SAME:
        return bare or (PROVEN_BY_SAME,)
    if outcome is Outcome.EDITED:
        return (*(r for r in bare if r is not Relation.TONE), Relation.EDITED)
    return (Relation.ALTERNATE,) if outcome is Outcome.ALTERNATE else ()
