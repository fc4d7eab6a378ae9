"""Counts what an evaluation found: evidence in, shares with their confidence intervals out. No database."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import numpy as np

from dedupindex.evaluation.attacked_copies import Variant
from dedupindex.evaluation.thresholds import suggest, threshold_curve
from dedupindex.records.evaluations import (
    AttackResult,
    Evaluation,
    MissedCopy,
    MissReason,
    Rate,
    ThresholdPoint,
    WrongPair,
    rate,
    rate_or_none,
)

IdPair: TypeAlias = tuple[int, int]  # image ids, the smaller one first


class Mark(StrEnum):
    """What holds for an attacked copy, and is counted."""

    COPY = "copies"  # every copy
    UNUSABLE = "unusable"  # it cannot be found by appearance
    DIRECT = "direct"  # confirmed as a pair with its original
    LINKED = "linked"  # in one group with its original
    CONFIRMABLE = "confirmable"  # verification accepts the pair with its original
    PROPOSED = "proposed"  # confirmable, and the search proposed the pair


@dataclass(frozen=True, slots=True)
class Attacked:
    """An attacked copy.

    Attributes
    ----------
    variant : Variant
        Which attack made it.
    original : int
        Id of the image that was attacked.
    image : int
        Id of the image that the copy became; 0 = it cannot be found by appearance.
    """

    variant: Variant
    original: int
    image: int

    @property
    def pair(self) -> IdPair:
        """The copy and its original."""
        return ordered(self.image, self.original)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is counted, by image ids.

    Attributes
    ----------
    originals : mapping of id to path
    duplicates : int
        Pictures with the same bytes as another one.
    copies : sequence of Attacked
        At least one.
    own : set of IdPair
        Confirmed among the originals alone.
    reported : mapping of IdPair to (score, relation)
        Everything else that was confirmed.
    proposed : set of IdPair
        Candidates from the search for the copies.
    scores : mapping of IdPair to float
        Of pairs that were not reported: those proposed and those of `related`; a missing pair has score 0.
    overflowed : int
        Copies with more candidates than are kept.
    threshold : float
        The threshold in force.
    """

    originals: Mapping[int, Path]
    duplicates: int
    copies: Sequence[Attacked]
    own: set[IdPair]
    reported: Mapping[IdPair, tuple[float, str]]
    proposed: set[IdPair]
    scores: Mapping[IdPair, float]
    overflowed: int
    threshold: float


def ordered(one: int, other: int) -> IdPair:
    """The pair with the smaller id first."""
    return (one, other) if one < other else (other, one)


def related(copies: Iterable[Attacked]) -> set[IdPair]:
    """All pairs of a picture and its copies, and of the copies of one picture."""
    families: defaultdict[int, set[int]] = defaultdict(set)
    for copy in copies:
        families[copy.original].update({copy.original, copy.image} - {0})
    return {pair for family in families.values() for pair in itertools.combinations(sorted(family), 2)}


def count(evidence: Evidence, variants: Sequence[Variant]) -> Evaluation:
    """Count copies found, wrong pairs and candidates.

    Parameters
    ----------
    evidence : Evidence
    variants : sequence of Variant
        The order of the attacks in the result; those without a copy are left out.

    Returns
    -------
    Evaluation
    """
    scenes = _scenes(evidence)
    right = {pair: not scenes[pair[0]].isdisjoint(scenes[pair[1]]) for pair in {*evidence.reported, *evidence.proposed}}
    links = Components()
    for pair in evidence.own | {pair for pair in evidence.reported if right[pair]}:
        links.join(*pair)
    tallies: defaultdict[Variant, Counter[Mark]] = defaultdict(Counter)
    for copy in evidence.copies:
        tallies[copy.variant].update(_outcome(copy, evidence, links))
    total = sum(tallies.values(), Counter[Mark]())
    wrong = [pair for pair in evidence.reported if not right[pair]]
    curve = _curve(evidence, right)
    return Evaluation(
        attacks=tuple(_attack_result(variant, tallies[variant]) for variant in variants if variant in tallies),
        copies=len(evidence.copies),
        direct=rate(total[Mark.DIRECT], total[Mark.COPY]),
        linked=rate(total[Mark.LINKED], total[Mark.COPY]),
        retrieval=rate_or_none(total[Mark.PROPOSED], total[Mark.CONFIRMABLE]),
        searched=_searched(evidence, right),
        overflowed=evidence.overflowed,
        precision=rate_or_none(len(evidence.reported) - len(wrong), len(evidence.reported)),
        comparable=_comparable(scenes),
        wrong=_wrong_pairs(evidence, wrong),
        missed=_missed(evidence, links, variants),
        own_pairs=len(evidence.own),
        own_copies=evidence.duplicates,
        used=len(evidence.originals) + evidence.duplicates,
        threshold=evidence.threshold,
        curve=curve,
        suggestions=suggest(curve),
    )


class Components:
    """Connected components of a graph, by union-find."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def of(self, thing: int) -> int:
        """The representative of a node's component."""
        while (above := self._above.setdefault(thing, thing)) != thing:
            self._above[thing] = thing = self._above[above]
        return thing

    def join(self, one: int, other: int) -> None:
        """Connect two nodes."""
        self._above[self.of(one)] = self.of(other)


def _scenes(evidence: Evidence) -> dict[int, frozenset[int]]:
    """The scenes that each image shows; two attacks with the same resulting bytes make an image of two scenes."""
    own = Components()
    for pair in evidence.own:
        own.join(*pair)
    scenes: defaultdict[int, set[int]] = defaultdict(set)
    for image in evidence.originals:
        scenes[image].add(own.of(image))
    for copy in evidence.copies:
        scenes[copy.image].add(own.of(copy.original))
    scenes.pop(0, None)
    return {image: frozenset(shown) for image, shown in scenes.items()}


def _outcome(copy: Attacked, evidence: Evidence, links: Components) -> Iterable[Mark]:
    yield Mark.COPY
    if not copy.image:
        yield Mark.UNUSABLE
        return
    same = copy.image == copy.original
    direct = same or copy.pair in evidence.reported or copy.pair in evidence.own
    if direct:
        yield Mark.DIRECT
    if direct or links.of(copy.image) == links.of(copy.original):
        yield Mark.LINKED
    if not same and (direct or evidence.scores.get(copy.pair, 0.0) >= evidence.threshold):
        yield Mark.CONFIRMABLE
        if copy.pair in evidence.proposed:
            yield Mark.PROPOSED


def _searched(evidence: Evidence, right: Mapping[IdPair, bool]) -> Rate | None:
    accepted = {pair for pair in evidence.reported if right[pair]}
    accepted |= {p for p in related(evidence.copies) if evidence.scores.get(p, 0.0) >= evidence.threshold}
    return rate_or_none(len(accepted & evidence.proposed), len(accepted))


def _missed(evidence: Evidence, links: Components, variants: Sequence[Variant]) -> tuple[MissedCopy, ...]:
    ranked: list[tuple[int, MissedCopy]] = []
    for copy in evidence.copies:
        outcome = set(_outcome(copy, evidence, links))
        if Mark.DIRECT in outcome:
            continue
        compared = copy.pair in evidence.proposed or Mark.CONFIRMABLE not in outcome
        why = MissReason.NOT_CONFIRMED if compared else MissReason.NOT_PROPOSED
        missed = MissedCopy(
            path=evidence.originals[copy.original],
            attack=copy.variant.label,
            why=MissReason.UNUSABLE if Mark.UNUSABLE in outcome else why,
            score=evidence.scores.get(copy.pair, 0.0),
            linked=Mark.LINKED in outcome,
        )
        ranked.append((variants.index(copy.variant), missed))
    return tuple(missed for _, missed in sorted(ranked, key=lambda one: (one[0], one[1].path)))


def _attack_result(variant: Variant, tally: Counter[Mark]) -> AttackResult:
    return AttackResult(
        attack=variant.attack,
        strength=variant.strength,
        label=variant.label,
        direct=rate(tally[Mark.DIRECT], tally[Mark.COPY]),
        linked=rate(tally[Mark.LINKED], tally[Mark.COPY]),
        retrieval=rate_or_none(tally[Mark.PROPOSED], tally[Mark.CONFIRMABLE]),
        unusable=tally[Mark.UNUSABLE],
    )


def _curve(evidence: Evidence, right: Mapping[IdPair, bool]) -> tuple[ThresholdPoint, ...]:
    looked_at = {pair: score for pair, score in evidence.scores.items() if pair in evidence.proposed}
    looked_at.update((pair, score) for pair, (score, _) in evidence.reported.items())
    direct = [
        1.0 if copy.image == copy.original or copy.pair in evidence.own else looked_at.get(copy.pair, 0.0)
        for copy in evidence.copies
    ]
    pairs = list(looked_at)
    return threshold_curve(
        np.array([looked_at[pair] for pair in pairs], np.float64),
        np.array([right[pair] for pair in pairs], np.bool_),
        np.array(direct, np.float64),
        evidence.threshold,
    )


def _comparable(scenes: Mapping[int, frozenset[int]]) -> int:
    """Number of pairs without a common scene."""
    sizes = Counter(scene for shown in scenes.values() if len(shown) == 1 for scene in shown)
    several = [shown for shown in scenes.values() if len(shown) > 1]  # hardly ever any
    pairs = math.comb(sizes.total(), 2) - sum(math.comb(size, 2) for size in sizes.values())
    for place, shown in enumerate(several):
        pairs += sizes.total() - sum(sizes[scene] for scene in shown)
        pairs += sum(shown.isdisjoint(other) for other in several[:place])
    return pairs


def _wrong_pairs(evidence: Evidence, pairs: Iterable[IdPair]) -> tuple[WrongPair, ...]:
    names = {image: (path, "") for image, path in evidence.originals.items()}
    for copy in evidence.copies:
        names.setdefault(copy.image, (evidence.originals[copy.original], copy.variant.label))
    wrong = []
    for pair in pairs:
        a, b = sorted(names[image] for image in pair)
        score, relation = evidence.reported[pair]
        wrong.append(WrongPair(*a, *b, score, relation))
    return tuple(sorted(wrong, key=lambda w: (-w.score, w.a, w.a_attack, w.b, w.b_attack)))
