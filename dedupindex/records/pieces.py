"""Pieces: a part of one picture that another one shows."""

from __future__ import annotations

from dataclasses import dataclass

from dedupindex.records.answers import ImageRecord
from dedupindex.records.evidence import Numbers
from dedupindex.records.proofs import Proof

Box = tuple[int, int, int, int]  # top, left, height, width, pixels of the full frame
Point = tuple[float, float]  # x, y, pixels of the full frame, continuous
Quad = tuple[Point, Point, Point, Point]
Homography = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, slots=True)
class PieceMeasures(Numbers):
    """What was measured of a piece, on stored pictures of 512 pixels.

    Attributes
    ----------
    places : float or None
        Distinct places at which keypoints agree on the map.
    weight : float or None
        The same, where those on repeated patterns count less.
    area : float or None
        Pixels of the region that agrees, in the coarser picture.
    agreeing : float or None
        Pixels of it with texture that agree.
    agreement : float or None
        Share of the region's texture that agrees, 0..1.
    textured : float or None
        Share of the region that has texture, 0..1.
    mean : float or None
        Mean correlation of the windows with texture, -1..1.
    ncc : float or None
        Correlation over the whole region, -1..1.
    thickness : float or None
        Width of the region at its widest place, pixels.
    drawn : float or None
        Share of its texture that looks written or drawn, 0..1.
    matched, rest : float or None
        Mean correlation of the windows in which both show something, once position, tone and sharpness are matched: of
        all, and outside the places that changed, -1..1.
    changed : float or None
        Share of the region's hull that differs beyond what these explain, 0..1.
    unlike : float or None
        1 where the proof says `alternate` or `different`, else 0.
    """

    places: float | None = None
    weight: float | None = None
    area: float | None = None
    agreeing: float | None = None
    agreement: float | None = None
    textured: float | None = None
    mean: float | None = None
    ncc: float | None = None
    thickness: float | None = None
    drawn: float | None = None
    matched: float | None = None
    rest: float | None = None
    changed: float | None = None
    unlike: float | None = None


@dataclass(frozen=True, slots=True)
class FoundPiece:
    """A part that two pictures share, as it lies on both.

    Attributes
    ----------
    score : float
        0..1, larger = surer.
    box : (top, left, height, width)
        Bounding box of the part on the container, pixels of its full frame.
    quad : four (x, y)
        The part's corners on the container, clockwise from the top left one of `part_box`.
    share : float
        Of the container's area that the part takes, 0..1.
    part_box : (top, left, height, width)
        Of the part on the other picture, pixels of its full frame.
    part_share : float
        Of that picture's area, 0..1; 1 = the container shows all of it.
    mirrored : bool
    scale : float
        Size on the container over size on the other picture, both in pixels of the full frames.
    rotation : float
        Degrees, counter-clockwise, by which the other picture is turned to lie on the container; -180..180.
    matrix : (3, 3) of float
        Homogeneous map of the other picture's full-frame (x, y, 1), continuous, to the container's.
    measures : PieceMeasures
    version : str
        Of the decision rule.
    """

    score: float
    box: Box
    quad: Quad
    share: float
    part_box: Box
    part_share: float
    mirrored: bool
    scale: float
    rotation: float
    matrix: Homography
    measures: PieceMeasures = PieceMeasures()
    version: str = ""
    proof: Proof | None = None  # of the region, on the stored pictures; None = it was not compared


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of one image that another image shows."""

    container: ImageRecord
    part: ImageRecord
    number: int  # of several between the same two, from 0
    found: FoundPiece

    @property
    def score(self) -> float:
        """How sure it is, 0..1."""
        return self.found.score


@dataclass(frozen=True, slots=True)
class PieceMatch:
    """An answer to a query: a stored image that shares a part with the query, and which of the two contains it."""

    image: ImageRecord
    stored_contains: bool  # the stored image is the container, the query is shown in it
    found: FoundPiece
