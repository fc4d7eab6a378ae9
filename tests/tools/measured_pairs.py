"""Measures of labelled pairs of pictures: what the rows of the score's regression are made of."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, combinations
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from dedupindex.features import aim, pack, probes
from dedupindex.features.descriptor import unit
from dedupindex.features.model import load_model
from dedupindex.settings import Settings
from dedupindex.verify.verification import alignments, assess, simplified, with_detail, within_reach
from dedupindex.verify.vetting import plausible, sketch
from tests.tools.labelled_pictures import Counts, Labelled, Task, make, tasks
from tests.tools.start_rule import start_rule

MOST_STRANGERS = 500  # pairs of one family of strangers
ALTERNATE = "alternate"
AT_ONCE = 512  # pictures whose candidates are sought together


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures by number, first below second.

    Attributes
    ----------
    copies : bool
        They show one subject.
    certain : bool
        Strangers that may be copies after all are not certain.
    family : str
        Of both, or of the one that is no photograph.
    """

    first: int
    second: int
    copies: bool
    certain: bool
    family: str


@dataclass(frozen=True, slots=True)
class Measured:
    """An alignment of a pair with what was measured of it.

    Attributes
    ----------
    pair : int
        Number of the pair.
    measures : mapping
        As `dedupindex.verify.score.evidence` takes them.
    looks : float
        Probability by `start_rule`.
    """

    pair: int
    measures: Mapping[str, float]
    looks: float


def make_pictures(folder: Path, counts: Counts, seed: int, workers: int = 1) -> list[Labelled]:
    """Make and describe all labelled pictures of a folder, in this process or in several."""
    todo: list[Task] = tasks(folder, counts, seed)
    if workers == 1:
        return list(chain.from_iterable(map(make, todo)))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(chain.from_iterable(pool.map(make, todo, chunksize=8)))


def choose_pairs(pictures: Sequence[Labelled], seed: int) -> list[Pair]:
    """All copies, all strangers of one group, and what a search would propose besides; of each family not too many.

    Parameters
    ----------
    pictures : sequence of Labelled
    seed : int
        Draws among strangers where there are more than `MOST_STRANGERS` of a family.
    """
    subjects, groups = _runs(picture.subject for picture in pictures), _runs(picture.group for picture in pictures)
    copies = {pair for members in subjects.values() for pair in combinations(members, 2)}
    near = {pair for name, members in groups.items() if name for pair in combinations(members, 2)}
    strangers = sorted((near | proposed(pictures)) - copies)
    sketches = [sketch(pack(picture.features)) for picture in pictures]
    kept = plausible([(sketches[i], sketches[j]) for i, j in strangers], load_model().local_parity)
    by_family: dict[str, list[Pair]] = {}
    for (first, second), passed in zip(strangers, kept.tolist(), strict=True):
        if passed:
            pair = _pair(pictures, first, second, False)
            by_family.setdefault(pair.family, []).append(pair)
    random = np.random.default_rng(seed)
    chosen = [_pair(pictures, first, second, True) for first, second in sorted(copies)]
    for _, members in sorted(by_family.items()):
        drawn = np.sort(random.permutation(len(members))[:MOST_STRANGERS])
        chosen += [members[number] for number in drawn.tolist()]
    return chosen


def _pair(pictures: Sequence[Labelled], first: int, second: int, copies: bool) -> Pair:
    a, b = pictures[first], pictures[second]
    family = a.family if b.family == "photo" else b.family
    if not copies and a.template and a.template == b.template:
        family = ALTERNATE
    return Pair(first, second, copies, copies or a.certain or b.certain, family)


def _runs(names: Iterable[str]) -> dict[str, list[int]]:
    """Numbers of the pictures by a name that they share."""
    members: dict[str, list[int]] = {}
    for number, name in enumerate(names):
        members.setdefault(name, []).append(number)
    return members


def proposed(pictures: Sequence[Labelled]) -> set[tuple[int, int]]:
    """Pairs of pictures that lie within the default search radius of each other, in any orientation that is tried."""
    aims = [aim(picture.features) for picture in pictures]
    vectors = unit(np.stack([one.descriptor for one in aims]))
    limit = 1 - Settings().radius
    near: set[tuple[int, int]] = set()
    for start in range(0, len(aims), AT_ONCE):
        batch = aims[start : start + AT_ONCE]
        for number, (one, probed) in enumerate(zip(batch, probes(batch), strict=True), start):
            if not len(probed):
                continue
            others = np.flatnonzero((vectors @ probed.T).max(1) >= max(limit, one.reach))
            near |= {(min(number, other), max(number, other)) for other in others.tolist() if other != number}
    return near


_pictures: Sequence[Labelled] = ()


def _load(path: Path) -> None:
    global _pictures
    cv2.setNumThreads(1)
    _pictures = pickle.loads(path.read_bytes())


def measure_pairs(pictures: Sequence[Labelled], pairs: Sequence[Pair], workers: int = 1) -> list[Measured]:
    """Measure every alignment of strangers, and the one of copies that counts, in this process or in several."""
    if workers == 1:
        return [one for number, pair in enumerate(pairs) for one in _measure_pair(pictures, number, pair)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pictures"
        path.write_bytes(pickle.dumps(pictures))
        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_load, initargs=(path,)) as pool:
            return list(chain.from_iterable(pool.map(_measure, range(len(pairs)), pairs, chunksize=32)))


def _measure(number: int, pair: Pair) -> list[Measured]:
    return _measure_pair(_pictures, number, pair)


def _measure_pair(pictures: Sequence[Labelled], number: int, pair: Pair) -> list[Measured]:
    a, b = pictures[pair.first].features, pictures[pair.second].features
    if not within_reach(a, b):
        return []
    with start_rule():  # nothing of this depends on the rules that ship, which are fitted to it
        assessments = [assess(a, b, alignment) for alignment in alignments(a, b)]
        if not assessments:
            return []
        best = simplified(a, b, max(assessments, key=lambda one: one.probability))
    # strangers have to be turned away however they are laid on each other, copies are found by the best alignment
    wanted = [best] if pair.copies else [*assessments, best]
    # also of what does not look the same: another first rule may let it pass
    return [Measured(number, with_detail(one).measures, one.probability) for one in wanted]
