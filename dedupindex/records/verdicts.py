"""Results of comparing two pictures: relations, registration, verification, candidates."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dedupindex.records.evidence import NO_MEASURES, VerificationMeasures
from dedupindex.records.faces import Face


class Relation(StrEnum):
    """What was done to *b* to get *a*, or the other way round; `alternate` and `unproven` say what the proof found."""

    SAME_BYTES = "same_bytes"
    SAME_PIXELS = "same_pixels"
    REENCODED = "reencoded"
    RESIZED = "resized"
    TONE = "tone"
    CROP_OF = "crop_of"
    SHIFTED_OVERLAP = "shifted_overlap"
    ROTATED = "rotated"
    MIRRORED = "mirrored"
    NEGATIVE = "negative"
    BORDERED = "bordered"
    PIECE_OF = "piece_of"  # a small part of one picture in another; in no group and no plan
    EDITED = "edited"  # the same picture, with places that were changed
    ALTERNATE = "alternate"  # the same scene or template with other content: no copy
    UNPROVEN = "unproven"  # the other relations were seen at 128 pixels only; the files were not compared


class RegistrationMethod(StrEnum):
    """How an alignment was found."""

    IDENTITY = "identity"  # no search: the same bytes or pixels
    TRANSLATION = "translation"  # correlation over shifts, in one of the eight orientations
    KEYPOINTS = "keypoints"  # matched keypoints
    LOG_POLAR = "log_polar"  # log-polar spectra
    NONE = "none"  # no alignment was found


class Side(StrEnum):
    """One of the two pictures of a pair."""

    A = "a"
    B = "b"


@dataclass(frozen=True, slots=True)
class Registration:
    """The map from *b* onto *a*.

    Attributes
    ----------
    shift : (dy, dx)
        Where the centre of *b*'s content lands minus where it would lie unshifted, in pixels of the full frame *a*.
    scale : float
        Size of *b*'s content in *a*'s full-resolution pixels over its size in *b*'s own.
    rotation : float
        Degrees, counter-clockwise, by which *b* must be turned to lie on *a*; -180..180.
    mirrored : bool
        *b* must be mirrored left-right first.
    overlap : float
        Valid area that both show over the smaller one's valid area, 0..1.
    matrix : ((float, float, float), (float, float, float))
        Affine map of *b*'s full-resolution (x, y, 1) pixel coordinates to *a*'s.
    method : RegistrationMethod
    confidence : float
        0..1, how sure the alignment is.
    """

    shift: tuple[float, float]
    scale: float = 1.0
    rotation: float = 0.0
    mirrored: bool = False
    overlap: float = 1.0
    matrix: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    method: RegistrationMethod = RegistrationMethod.IDENTITY
    confidence: float = 1.0

    def __repr__(self) -> str:
        words = [f"shift ({self.shift[0]:.2f}, {self.shift[1]:.2f})", f"scale {self.scale:.4f}"]
        words.append(f"rotation {self.rotation:.2f}")
        words += ["mirrored"] if self.mirrored else []
        return f"Registration({', '.join(words)}, overlap {self.overlap:.2f}, by {self.method})"


@dataclass(frozen=True, slots=True)
class Verification(Face):
    """The verdict on a pair, with every number behind it.

    Attributes
    ----------
    accepted : bool
    score : float
        0..1, larger = more alike; means the same whatever stage decided. Accepted pairs have a score of at least the
        threshold in force.
    relations : tuple of Relation
        What was seen to be done. Empty when not accepted, and where the two are only alike.
    crop_box : (top, left, height, width) or None
        For ``crop_of``: the part of the larger picture, in its pixels, that the smaller one shows.
    crop_of : Side or None
        Which of the two is the larger picture.
    measures : VerificationMeasures
        The numbers behind the score.
    reason : str
        One line: what decided.
    version : str
        Of the decision rule.
    """

    accepted: bool
    score: float
    relations: tuple[Relation, ...]
    registration: Registration
    reason: str
    measures: VerificationMeasures = NO_MEASURES
    crop_box: tuple[int, int, int, int] | None = None
    crop_of: Side | None = None
    version: str = ""

    def __repr__(self) -> str:
        verdict = "+".join(self.relations) or "alike" if self.accepted else "refused"
        return f"Verification({verdict}, score {self.score:.3f}: {self.reason})"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored image that the vector index proposes for a query."""

    image_id: int
    distance: float  # 1 - cosine, 0..2; small = near
