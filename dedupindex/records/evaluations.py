"""What an evaluation found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from dedupindex.records.files import Failure

NORMAL_QUANTILE = 1.959963984540054  # two-sided 95 %


@dataclass(frozen=True, slots=True)
class Rate:
    """A share: *hits* out of *total*, at least one.

    Attributes
    ----------
    low, high : float
        Wilson's 95 % confidence interval, 0..1.
    """

    hits: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Hits over total, 0..1."""
        return self.hits / self.total


@dataclass(frozen=True, slots=True)
class ThresholdPoint:
    """Precision and recall at a threshold.

    Attributes
    ----------
    precision : Rate or None
        Of the pairs at least this high; None where there is none.
    recall : Rate
        Copies whose pair with their own original is at least this high.
    """

    threshold: float
    precision: Rate | None
    recall: Rate

    @property
    def wrong(self) -> int:
        """Pairs that do not belong together."""
        return 0 if self.precision is None else self.precision.total - self.precision.hits


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The lowest threshold that reaches a precision with confidence.

    Attributes
    ----------
    point : ThresholdPoint or None
        None where there is none.
    reached : bool
        Some threshold reaches it in the counts; without a `point` the counts are too few to be sure.
    """

    target: float
    point: ThresholdPoint | None
    reached: bool


def rate(hits: int, total: int) -> Rate:
    """Share with Wilson's 95 % interval (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Raises
    ------
    ValueError
        Nothing was counted, or more hits than there are.
    """
    if not 0 <= hits <= total or total < 1:
        raise ValueError(f"{hits} of {total} is no share")
    square = NORMAL_QUANTILE**2
    centre = (hits + square / 2) / (total + square)
    spread = NORMAL_QUANTILE * math.sqrt(hits * (total - hits) / total + square / 4) / (total + square)
    low = 0.0 if hits == 0 else centre - spread
    high = 1.0 if hits == total else centre + spread
    return Rate(hits, total, low, high)


def rate_or_none(hits: int, total: int) -> Rate | None:
    """`rate`, or None where nothing was counted."""
    return rate(hits, total) if total else None


@dataclass(frozen=True, slots=True)
class AttackResult:
    """Result for the copies made by one attack at one strength.

    Attributes
    ----------
    label : str
        ``crop``, ``crop:0.5``.
    direct : Rate
        Copies reported as a pair with their own original.
    linked : Rate
        Copies in one group with it, directly or through others.
    retrieval : Rate or None
        Of the copies that verification accepts when it is handed the original, those for which the search proposed
        it, within radius and cap; None where it accepts none.
    unusable : int
        Copies that show next to nothing or could not be read; counted as missed.
    """

    attack: str
    strength: float
    label: str
    direct: Rate
    linked: Rate
    retrieval: Rate | None
    unusable: int = 0


@dataclass(frozen=True, slots=True)
class WrongPair:
    """A reported pair that does not belong together, as far as we know. Paths of the pictures that were attacked."""

    a: Path
    a_attack: str  # "" = the picture itself
    b: Path
    b_attack: str
    score: float
    relation: str


class MissReason(StrEnum):
    """Why a copy was not reported as a pair with its own original."""

    UNUSABLE = "unusable"  # it shows next to nothing or could not be read
    NOT_PROPOSED = "not_proposed"  # the search did not find it
    NOT_CONFIRMED = "not_confirmed"  # the comparison did not accept it


@dataclass(frozen=True, slots=True)
class MissedCopy:
    """A copy that was not reported as a pair with its own original.

    Attributes
    ----------
    path : Path
        The picture that was attacked.
    why : MissReason
    score : float
        Of the comparison, 0..1; 0 as well where it is below every threshold that is looked at.
    linked : bool
        It is in one group with the picture nevertheless.
    """

    path: Path
    attack: str
    why: MissReason
    score: float
    linked: bool


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Result of an evaluation on a user's pictures.

    Attributes
    ----------
    found : int
        Regular files.
    used : int
        Pictures that were attacked.
    skipped : mapping of str to int
        Why others were not: files that are no picture, ``low_information``, ``too_small``, ``limit`` (left out by the
        sample), and directory entries that are no files.
    failures : tuple of Failure
        Files that gave no picture.
    own_pairs, own_copies : int
        Pairs confirmed among the pictures themselves, and pictures that are another one byte for byte. Taken as right.
    copies, per_picture : int
    direct, linked : Rate
        Over all copies.
    retrieval : Rate or None
    searched : Rate or None
        As `retrieval`, but of all pairs that belong together, copies of one picture among each other included.
    overflowed : int
        Copies whose search met more candidates than the cap.
    precision : Rate or None
        Of all pairs reported beyond `own_pairs`; None where there was none.
    comparable : int
        Pairs that it would have been wrong to report.
    wrong : tuple of WrongPair
        Highest score first.
    missed : tuple of MissedCopy
        In the order of the attacks.
    threshold : float
        The one in force.
    curve : tuple of ThresholdPoint
        Below the threshold in force without pairs that only the closing of groups would have added.
    suggestions : tuple of Suggestion
    seconds : mapping of stage to float
    """

    attacks: tuple[AttackResult, ...]
    copies: int
    direct: Rate
    linked: Rate
    retrieval: Rate | None
    searched: Rate | None
    overflowed: int
    precision: Rate | None
    comparable: int
    wrong: tuple[WrongPair, ...]
    missed: tuple[MissedCopy, ...]
    own_pairs: int
    own_copies: int
    used: int
    threshold: float
    curve: tuple[ThresholdPoint, ...]
    suggestions: tuple[Suggestion, ...]
    found: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    per_picture: int = 0
    seed: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def false_rate(self) -> Rate | None:
        """Wrong pairs over all possible wrong pairs; what to expect of a larger collection."""
        return rate_or_none(len(self.wrong), self.comparable)


@dataclass(frozen=True, slots=True)
class PieceRecall:
    """How many parts that got into other pictures in one way were found."""

    attack: str
    made: int
    found: int

    @property
    def recall(self) -> float:
        """Share that was found, 0..1."""
        return self.found / self.made


@dataclass(frozen=True, slots=True)
class PiecesEvaluation:
    """What of a user's own pictures can be found in parts.

    Attributes
    ----------
    pictures : int
        Of which parts were taken.
    recalls : tuple of PieceRecall
    pairs : int
        Reported pairs with at least one picture that was made.
    wrong : tuple of (Path, Path)
        Those of them whose two pictures show nothing of the same original.
    failures : tuple of Failure
    seed : int
    seconds : float
    """

    pictures: int
    recalls: tuple[PieceRecall, ...]
    pairs: int
    wrong: tuple[tuple[Path, Path], ...] = ()
    failures: tuple[Failure, ...] = ()
    seed: int = 0
    seconds: float = 0.0

    @property
    def recall(self) -> float:
        """Mean over the attacks, 0..1."""
        return sum(one.recall for one in self.recalls) / len(self.recalls)

    @property
    def precision(self) -> float:
        """Share of the reported pairs that are right, 0..1; 1 where there are none."""
        return 1 - len(self.wrong) / self.pairs if self.pairs else 1.0
