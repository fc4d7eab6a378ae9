"""Derive proofs of pairs from those of other pairs: the cost grows with the images and not with their pairs.

Images are of one class where a chain of *clean, full* links joins them: proven the same, hardly any noise, all of both
was compared, and neither has colours, detail or levels that the other one lacks. A link counts only for what is
compared no finer than itself. So a thumbnail or a noisy copy never joins an original and its edit, whose difference may
not show at the scale of the thumbnail.

A pair inside a class is the same. A pair of two classes is what another pair of these classes was proven to be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dedupindex.records import Outcome, Proof, ProofMeasures, Region
from dedupindex.records.proofs import Affine, Box, turned_round
from dedupindex.store.catalog_proofs import DuePair, StoredProof
from dedupindex.verify.keypoint_registration import compose, invert
from dedupindex.verify.proof.information import carried, equally_informative
from dedupindex.verify.proof.matching import RIM
from dedupindex.verify.proof.picture import MOST_SIDE, sides_for
from dedupindex.verify.proof.thresholds import VERSION

CLEAN_NOISE = 1.5 / 255  # most noise of a clean link: nine of ten JPEGs of photographs have less
FULL = 0.98  # share of either picture that is compared in a full link
STEPS_AN_OCTAVE = 8  # levels of fineness: within one, sides differ by at most a twelfth
SLACK = 1.03  # a grid loses some pixels at its rim

Shape = tuple[int, int]
Matrix = NDArray[np.float64]
Pair = tuple[int, int]


def level_of(side: float) -> int:
    """The fineness of a comparison with so many pixels along the longest side of the picture."""
    return math.floor(STEPS_AN_OCTAVE * math.log2(max(side, 1.0)))


def is_clean(proof: Proof, shape_a: Shape, shape_b: Shape) -> bool:
    """Whether two images are the same in everything that both show, and neither shows more: a clean, full link.

    Parameters
    ----------
    proof : Proof
    shape_a, shape_b : (int, int)
        Height and width of the full frames, pixels.

    Returns
    -------
    bool
    """
    if proof.outcome is not Outcome.SAME or proof.noise > CLEAN_NOISE or min(proof.grid) <= 2 * RIM:
        return False
    within = (1 - 2 * RIM / proof.grid[0]) * (1 - 2 * RIM / proof.grid[1])  # the rim is never compared
    if proof.compared < FULL * within or not equally_informative(proof.measures):
        return False
    (xx, xy, _), (yx, yy, _) = proof.matrix
    area_b = abs(xx * yy - xy * yx) * shape_b[0] * shape_b[1]
    area_a = float(shape_a[0] * shape_a[1])
    return min(area_a, area_b) >= FULL * max(area_a, area_b)


@dataclass(slots=True)
class _Class:
    """Noise and largest difference over the links of a class, and whether colours were compared in all of them."""

    noise: float = 0.0
    largest: float = 0.0
    colour: bool = True


class _Forest:
    """A union-find forest over images with the map of each to its root."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}
        self._map: dict[int, Matrix] = {}  # pixels of an image to those of its parent
        self._about: dict[int, _Class] = {}

    def find(self, image: int) -> tuple[int, Matrix]:
        """The root of an image, and its pixels to those of the root."""
        path = []
        while (parent := self._parent.get(image, image)) != image:
            path.append(image)
            image = parent
        whole = np.eye(2, 3)
        for one in reversed(path):
            whole = compose(whole, self._map[one])
            self._parent[one], self._map[one] = image, whole
        return image, whole

    def about(self, root: int) -> _Class:
        return self._about.get(root, _Class())

    def link(self, a: int, b: int, matrix: Matrix, proof: Proof | None) -> None:
        """Join the classes of two images; the smaller number becomes the root."""
        (root_a, map_a), (root_b, map_b) = self.find(a), self.find(b)
        one, other = self.about(root_a), self.about(root_b)
        joined = _Class(max(one.noise, other.noise), max(one.largest, other.largest), one.colour and other.colour)
        if proof is not None:
            joined.noise, joined.largest = max(joined.noise, proof.noise), max(joined.largest, proof.largest)
            joined.colour = joined.colour and proof.colour
        if root_a != root_b:
            between = compose(compose(map_a, matrix), invert(map_b))  # pixels of root b to those of root a
            if root_a < root_b:
                self._parent[root_b], self._map[root_b] = root_a, between
            else:
                self._parent[root_a], self._map[root_a] = root_b, invert(between)
        self._about[min(root_a, root_b)] = joined


class ProofPlan:
    """Which pairs of a connected set have to be proven directly, round after round, and what follows for the others.

    Parameters
    ----------
    pairs : sequence of DuePair
        Those that are due, the most promising first.
    shapes : mapping of int to (int, int)
        Height and width of every image, pixels.
    names : mapping of int to str
        Content keys, for messages.
    known : iterable of StoredProof
        Of other pairs, directly proven.
    equal : iterable of (int, int)
        Pairs with the same pixels.
    """

    def __init__(
        self,
        pairs: Sequence[DuePair],
        shapes: Mapping[int, Shape],
        names: Mapping[int, str],
        *,
        known: Iterable[StoredProof] = (),
        equal: Iterable[Pair] = (),
    ) -> None:
        self._shapes, self._names = shapes, names
        self._open = {(pair.a, pair.b): pair for pair in pairs}
        self._levels = {key: self._levels_of(pair.a, pair.b, pair.matrix) for key, pair in self._open.items()}
        self._forests = {level: _Forest() for both in self._levels.values() for level in (*both, max(both))}
        self._found: dict[Pair, Proof] = {}  # direct proofs that are no clean links
        self._linked: dict[Pair, None] = {}
        for a, b in equal:
            self._link(a, b, np.eye(2, 3), level_of(MOST_SIDE), None)
        for one in known:
            self._learn(one.a, one.b, one.proof)

    @property
    def left(self) -> int:
        """How many pairs are still open."""
        return len(self._open)

    def take(self, proofs: Mapping[Pair, Proof]) -> None:
        """Record direct proofs; these pairs are done."""
        for (a, b), proof in proofs.items():
            self._open.pop((a, b), None)
            self._learn(a, b, proof)

    def derive(self) -> list[StoredProof]:
        """Proofs of open pairs that follow from the known ones; these pairs are done then."""
        if not self._found and not self._linked:
            return []
        between = self._between()
        derived: list[StoredProof] = []
        for (a, b), pair in list(self._open.items()):
            proof = self._derived(pair, between)
            if proof is not None:
                derived.append(StoredProof(a, b, proof, derived=True))
                del self._open[a, b]
        return derived

    def next_round(self) -> list[DuePair]:
        """Open pairs to be proven at the same time: none of them may follow from the others."""
        parent: dict[int, int] = {}
        for a, b in self._linked:
            _join(parent, a, b)
        chosen = [pair for pair in self._open.values() if _join(parent, pair.a, pair.b)]
        if chosen:
            return chosen
        classes: dict[tuple[tuple[int, int], ...], DuePair] = {}
        for pair in self._open.values():
            level_a, level_b = self._levels[pair.a, pair.b]
            ends = (level_a, self._root(pair.a, level_a)), (level_b, self._root(pair.b, level_b))
            classes.setdefault(tuple(sorted(ends)), pair)
        return list(classes.values())

    def _levels_of(self, a: int, b: int, matrix: Affine) -> tuple[int, int]:
        side_a, side_b = sides_for(self._shapes[a], self._shapes[b], np.array(matrix))
        return level_of(side_a), level_of(side_b)

    def _root(self, image: int, level: int) -> int:
        return self._forests[level].find(image)[0]

    def _learn(self, a: int, b: int, proof: Proof) -> None:
        if proof.outcome is Outcome.NONE or a not in self._shapes or b not in self._shapes:
            return
        if is_clean(proof, self._shapes[a], self._shapes[b]):
            self._link(a, b, np.array(proof.matrix), level_of(SLACK * max(proof.grid)), proof)
        else:
            self._found[a, b] = proof

    def _link(self, a: int, b: int, matrix: Matrix, level: int, proof: Proof | None) -> None:
        self._linked[a, b] = None
        for least, forest in self._forests.items():
            if least <= level:
                forest.link(a, b, matrix, proof)

    def _between(self) -> dict[tuple[int, int, int, int], tuple[int, int, Proof]]:
        """(level a, class a, level b, class b) -> a pair that was proven between these classes, as (a, b)."""
        wanted = sorted({self._levels[pair] for pair in self._open})
        proven_pairs: dict[tuple[int, int, int, int], tuple[int, int, Proof]] = {}
        for (a, b), proof in self._found.items():
            fine = self._levels_of(a, b, proof.matrix) if proof.outcome is Outcome.SAME else None
            for level_a, level_b in wanted:
                for one, other, levels in ((a, b, fine), (b, a, None if fine is None else fine[::-1])):
                    if levels is not None and (levels[0] < level_a or levels[1] < level_b):
                        continue  # finer than what was compared: there may be differences that were not seen
                    key = (level_a, self._root(one, level_a), level_b, self._root(other, level_b))
                    proven_pairs.setdefault(key, (one, other, proof if one == a else turned_round(proof)))
        return proven_pairs

    def _derived(
        self, pair: DuePair, between: Mapping[tuple[int, int, int, int], tuple[int, int, Proof]]
    ) -> Proof | None:
        level_a, level_b = self._levels[pair.a, pair.b]
        finest = self._forests[max(level_a, level_b)]
        (root_a, map_a), (root_b, map_b) = finest.find(pair.a), finest.find(pair.b)
        if root_a == root_b:
            about = finest.about(root_a)
            return Proof(
                Outcome.SAME,
                largest=about.largest,
                noise=about.noise,
                compared=1.0,
                colour=about.colour,
                reason="both are proven the same as other pictures that are proven the same",
                matrix=_plain(compose(invert(map_a), map_b)),
                measures=ProofMeasures(derived=1.0),
                version=VERSION,
            )
        forest_a, forest_b = self._forests[level_a], self._forests[level_b]
        (root_a, map_a), (root_b, map_b) = forest_a.find(pair.a), forest_b.find(pair.b)
        known = between.get((level_a, root_a, level_b, root_b))
        if known is None:
            return None
        one, other, proof = known
        to_a = compose(invert(map_a), forest_a.find(one)[1])  # pixels of `one` to those of a
        to_b = compose(invert(map_b), forest_b.find(other)[1])
        matrix = compose(compose(to_a, np.array(proof.matrix)), invert(to_b))
        regions = tuple(
            _moved(region, to_a, self._shapes[pair.a], to_b, self._shapes[pair.b]) for region in proof.regions
        )
        return replace(
            proof,
            regions=regions,
            grid=(0, 0),
            reason=f"{proof.reason}; through {self._names[one]} and {self._names[other]}",
            matrix=_plain(matrix),
            measures=replace(carried(proof.measures), derived=1.0),
            version=VERSION,
        )


def _join(parent: dict[int, int], a: int, b: int) -> bool:
    """Join two sets; whether they were two."""
    roots = []
    for node in (a, b):
        while (above := parent.get(node, node)) != node:
            parent[node] = parent.get(above, above)
            node = above
        roots.append(node)
    if roots[0] == roots[1]:
        return False
    parent[max(roots)] = min(roots)
    return True


def _moved(region: Region, to_a: Matrix, shape_a: Shape, to_b: Matrix, shape_b: Shape) -> Region:
    moved = region.moved
    if moved is not None:
        step = to_a[:, :2] @ (moved[1], moved[0])
        moved = float(step[1]), float(step[0])
    return replace(
        region, box=_moved_box(region.box, to_a, shape_a), box_b=_moved_box(region.box_b, to_b, shape_b), moved=moved
    )


def _moved_box(box: Box, matrix: Matrix, shape: Shape) -> Box:
    """The bounding box in another picture of a box of pixels, (top, left, height, width)."""
    top, left, height, width = box
    corners = np.array([[left + x * width, top + y * height] for x in (0, 1) for y in (0, 1)], np.float64) - 0.5
    moved = corners @ matrix[:, :2].T + matrix[:, 2] + 0.5
    limit = np.array(shape[::-1], np.float64)
    low = np.clip(np.floor(moved.min(0) + 1e-6), 0, limit - 1).astype(int)
    high = np.clip(np.ceil(moved.max(0) - 1e-6), low + 1, limit).astype(int)
    return int(low[1]), int(low[0]), int(high[1] - low[1]), int(high[0] - low[0])


def _plain(matrix: Matrix) -> Affine:
    (xx, xy, x0), (yx, yy, y0) = matrix.tolist()
    return (xx, xy, x0), (yx, yy, y0)
