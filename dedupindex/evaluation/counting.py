"""What an evaluation found, and how it is counted: evidence in, shares with their confidence out. No database."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Attacked:
    """A copy: by which attack, of which image, and the image that it became (0 = it cannot be found by appearance)."""

    variant: Variant
    original: int
    image: int

    @property
    def pair(self) -> IdPair:
        """The copy and its original."""
        return ordered(self.image, self.original)


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen, by image ids.

    Attributes
    ----------
    originals : mapping of id to path
    duplicates : int
        Pictures that are another one byte for byte.
    copies : sequence of Attacked
        At least one.
    own : set of IdPair
        Confirmed among the originals alone.
    reported : mapping of IdPair to (score, relation)
        Everything else that was confirmed.
    proposed : set of IdPair
        What the search for the copies gave.
    scores : mapping of IdPair to float
        Of pairs that were not reported: those proposed and those of `related`; a missing one scored nothing.
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
    """All pairs of a picture and its copies, and of its copies among each other."""
    families: defaultdict[int, set[int]] = defaultdict(set)
    for copy in copies:
        families[copy.original].update({copy.original, copy.image} - {0})
    return {pair for family in families.values() for pair in itertools.combinations(sorted(family), 2)}


def count(evidence: Evidence, variants: Sequence[Variant]) -> Evaluation:
    """Count what was found.

    Parameters
    ----------
    evidence : Evidence
    variants : sequence of Variant
        The order of the attacks in the result; those without a copy are left out.
    """
    scenes = _scenes(evidence)
    right = {pair: not scenes[pair[0]].isdisjoint(scenes[pair[1]]) for pair in {*evidence.reported, *evidence.proposed}}
    links = Components()
    for pair in evidence.own | {pair for pair in evidence.reported if right[pair]}:
        links.join(*pair)
    tallies: defaultdict[Variant, Counter[str]] = defaultdict(Counter)
    for copy in evidence.copies:
        tallies[copy.variant].update(_outcome(copy, evidence, links))
    total = sum(tallies.values(), Counter[str]())
    wrong = [pair for pair in evidence.reported if not right[pair]]
    curve = _curve(evidence, right)
    return Evaluation(
        attacks=tuple(_attack_result(variant, tallies[variant]) for variant in variants if variant in tallies),
        copies=len(evidence.copies),
        direct=rate(total["direct"], total["copies"]),
        linked=rate(total["linked"], total["copies"]),
        retrieval=rate_or_none(total["proposed"], total["confirmable"]),
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
    """Which things hang together."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def of(self, thing: int) -> int:
        """The one that stands for all that hang together with it."""
        while (above := self._above.setdefault(thing, thing)) != thing:
            self._above[thing] = thing = self._above[above]
        return thing

    def join(self, one: int, other: int) -> None:
        """Let two hang together."""
        self._above[self.of(one)] = self.of(other)


def _scenes(evidence: Evidence) -> dict[int, frozenset[int]]:
    """What every image shows; two attacks that left the same bytes make an image that shows two things."""
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


def _outcome(copy: Attacked, evidence: Evidence, links: Components) -> Iterable[str]:
    yield "copies"
    if not copy.image:
        yield "unusable"
        return
    same = copy.image == copy.original
    found = same or copy.pair in evidence.reported or copy.pair in evidence.own
    if found:
        yield "direct"
    if found or links.of(copy.image) == links.of(copy.original):
        yield "linked"
    if not same and (found or evidence.scores.get(copy.pair, 0.0) >= evidence.threshold):
        yield "confirmable"
        if copy.pair in evidence.proposed:
            yield "proposed"


def _searched(evidence: Evidence, right: Mapping[IdPair, bool]) -> Rate | None:
    accepted = {pair for pair in evidence.reported if right[pair]}
    accepted |= {p for p in related(evidence.copies) if evidence.scores.get(p, 0.0) >= evidence.threshold}
    return rate_or_none(len(accepted & evidence.proposed), len(accepted))


def _missed(evidence: Evidence, links: Components, variants: Sequence[Variant]) -> tuple[MissedCopy, ...]:
    found: list[tuple[int, MissedCopy]] = []
    for copy in evidence.copies:
        outcome = set(_outcome(copy, evidence, links))
        if "direct" in outcome:
            continue
        confirmed_not = copy.pair in evidence.proposed or "confirmable" not in outcome
        why = MissReason.NOT_CONFIRMED if confirmed_not else MissReason.NOT_PROPOSED
        missed = MissedCopy(
            path=evidence.originals[copy.original],
            attack=copy.variant.label,
            why=MissReason.UNUSABLE if "unusable" in outcome else why,
            score=evidence.scores.get(copy.pair, 0.0),
            linked="linked" in outcome,
        )
        found.append((variants.index(copy.variant), missed))
    return tuple(missed for _, missed in sorted(found, key=lambda one: (one[0], one[1].path)))


def _attack_result(variant: Variant, tally: Counter[str]) -> AttackResult:
    return AttackResult(
        attack=variant.attack,
        strength=variant.strength,
        label=variant.label,
        direct=rate(tally["direct"], tally["copies"]),
        linked=rate(tally["linked"], tally["copies"]),
        retrieval=rate_or_none(tally["proposed"], tally["confirmable"]),
        unusable=tally["unusable"],
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
    """Pairs that show nothing in common."""
    sizes = Counter(scene for shown in scenes.values() if len(shown) == 1 for scene in shown)
    several = [shown for shown in scenes.values() if len(shown) > 1]  # hardly ever any
    found = math.comb(sizes.total(), 2) - sum(math.comb(size, 2) for size in sizes.values())
    for place, shown in enumerate(several):
        found += sizes.total() - sum(sizes[scene] for scene in shown)
        found += sum(shown.isdisjoint(other) for other in several[:place])
    return found


def _wrong_pairs(evidence: Evidence, pairs: Iterable[IdPair]) -> tuple[WrongPair, ...]:
    names = {image: (path, "") for image, path in evidence.originals.items()}
    for copy in evidence.copies:
        names.setdefault(copy.image, (evidence.originals[copy.original], copy.variant.label))
    found = []
    for pair in pairs:
        a, b = sorted(names[image] for image in pair)
        score, relation = evidence.reported[pair]
        found.append(WrongPair(*a, *b, score, relation))
    return tuple(sorted(found, key=lambda w: (-w.score, w.a, w.a_attack, w.b, w.b_attack)))
