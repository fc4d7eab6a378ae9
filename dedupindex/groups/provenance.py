"""Which picture of a pair was made from the other one, which shows more, and which shows finer detail.

A plain function of a confirmed pair: it asks what the proof measured of the two files (`verify.proof.information`) and
names the first sign that tells. Where no sign does, nothing is returned; nothing is guessed from names or times.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from dedupindex.records import ImageRecord, Pair, ProofMeasures, Relation, Side
from dedupindex.records.evidence import NO_PROOF_MEASURES
from dedupindex.records.proofs import DIRECT

LEAST_COLOUR = 1.0  # levels: strength of the colours of a picture that has some
LOST_COLOUR = 0.2  # of the other one's colours: less is next to none
KEPT = 0.8  # share of a picture's detail from which it is all there
WHOLE = 0.9, 1.1  # the same for a picture to which noise was added, and nothing else
NOISIER, NOISE = 1.2, 1.5  # times the other one's noise, and levels of noise on top of it, from which some was added
REMOVED = 0.75  # of the JPEG steps: weaker noise may have been removed by them from the other picture
AMPLIFIED = 1.2  # times the detail of the other one in the middle band, from which a picture was sharpened
EVEN = 0.75, 1.2  # amplification of the fine band over that of the middle one, in a sharpened picture
COHERENT = 0.7  # share of the detail that follows from the other one's, in a sharpened picture
BLURRED, LOST = 1.25, 0.35  # amplification from the softer one in the middle band; fine detail that it still has
CUT_OFF = 0.2  # fine detail that a picture still has that was reduced and enlarged, with its middle band there
FINER = 2.0  # times the detail of the softer picture that the other one has, at least
UNEXPLAINED, LOST_LEVELS = 0.04, 0.82  # least unexplained share of levels; of the other one's in the one that lost some
ON_STEPS, OFF_STEPS = 0.2, 0.15  # `lattice` from which a picture was made from the other one; up to which it was not
ON_LOSSLESS = 0.4  # the first of these where the picture is no JPEG: it may come from one that is not known
NEAR_STEPS = 1.5  # ratio of the steps of two JPEGs up to which those of one may look like those of the other
LEAST_BEYOND = 0.5  # of the next: less is not measured, as where the finest detail lies where the coarser is least
ENLARGED = 2.5  # energy above the limit of the coarser picture, over that of its enlargement, that is detail
SHARP = 1.0  # levels of detail near its limit that a picture has which was not enlarged itself
SAME_DETAIL = 1.1  # times the detail of another file with the same pixels, up to which one has no more of it
SAME_SCALE = 1.04  # pixels along a side of one for one of the other, up to which their JPEG steps are compared
OWN_AREA, NO_AREA = 0.02, 0.01  # share of the area that shows more; up to which nothing counts as shown
PLAIN = 0.65  # share of one colour from which what only one picture shows is a border or a bar
PLAIN_BORDERED = 0.5  # the same where a flat border was trimmed off one of the two
COARSER = 1.05  # ratio of JPEG steps from which one file counts as more compressed
CLEARLY = 1.25  # the same of bytes a pixel, where the steps are not known
EXPLAINED = 0.5  # of a JPEG's steps: a larger typical difference does not come from its own compression
SMOOTHER = 0.95  # of the fine detail and noise: so much is left in a file of another lossy format
_TONES = frozenset({Relation.TONE, Relation.EDITED, Relation.NEGATIVE, Relation.UNPROVEN})
_SAME_PIXEL_COUNT = frozenset({Relation.REENCODED, Relation.ROTATED, Relation.MIRRORED, *_TONES})

Files: TypeAlias = Mapping[int, Mapping[str, float]]


class Sign(StrEnum):
    """By which a picture is seen to be made from another one, the surest first."""

    NO_COLOUR = "no_colour"
    PALETTE = "palette"
    NOISE = "noise"
    SHARPENED = "sharpened"
    BLURRED = "blurred"
    FEWER_LEVELS = "fewer_levels"
    SAVED_AGAIN = "saved_again"  # its coefficients lie on the steps of the other one
    ENLARGED = "enlarged"
    ADDED_AREA = "added_area"  # a border, a bar, empty corners
    COARSER_STEPS = "coarser_steps"
    UNEXPLAINED = "unexplained"  # by the compression of the other one
    SMOOTHER = "smoother"


@dataclass(frozen=True, slots=True)
class Made:
    """A picture that was made from another one of its group, or holds less than it.

    Attributes
    ----------
    better, worse : int
        Ids of the images.
    sign : Sign
    words : str
        What is wrong with the worse one, for people.
    certain : bool
        False where the sign does not tell which one was made from the other, only which file is saved more finely.
    """

    better: int
    worse: int
    sign: Sign
    words: str
    certain: bool = True


# ------------------------------------------------------------------------------------------------------ made from it
def made_from(pair: Pair, files: Files = MappingProxyType({})) -> Made | None:
    """Which picture of a pair was made from the other one, where their files tell.

    Parameters
    ----------
    pair : Pair
    files : mapping of int to mapping
        What is known of the files of each image, from `file_measures`: a proof that was concluded from others does not
        have it.

    Returns
    -------
    Made or None
        None where nothing tells.
    """
    if not is_measured(pair):
        return None
    both = _View(pair, pair.a, pair.b, files), _View(pair, pair.b, pair.a, files)
    for sign, words_of in _SIGNS.items():
        for view, back in (both, both[::-1]):
            words = words_of(view)
            if words:
                return Made(view.x.id, view.y.id, sign, words, sign is not Sign.COARSER_STEPS or _excludes(back))
    return None


def is_measured(pair: Pair) -> bool:
    """Whether the files of a pair were compared, and differ in more than how the same pixels are stored."""
    return measures_of(pair) != NO_PROOF_MEASURES and not DIRECT.intersection(pair.relations)


class _View:
    """The measures of a pair as seen from one picture, *x*; the question is whether *y* was made from it."""

    __slots__ = ("files", "measures", "pair", "turned", "x", "y")

    def __init__(self, pair: Pair, x: ImageRecord, y: ImageRecord, files: Files) -> None:
        self.pair, self.x, self.y, self.files = pair, x, y, files
        self.measures = measures_of(pair)
        self.turned = x.id != pair.a.id

    def of_x(self, name: str) -> float | None:
        return self._of(self.x, name, "b" if self.turned else "a")

    def of_y(self, name: str) -> float | None:
        return self._of(self.y, name, "a" if self.turned else "b")

    def _of(self, image: ImageRecord, name: str, side: str) -> float | None:
        value: float | None = getattr(self.measures, f"{name}_{side}")
        return self.files.get(image.id, {}).get(name) if value is None else value

    def both(self, name: str) -> tuple[float, float] | None:
        x, y = self.of_x(name), self.of_y(name)
        return None if x is None or y is None else (x, y)


def _no_colour(view: _View) -> str:
    if Relation.EDITED in view.pair.relations:
        return ""  # the colours may be those of what was put on it
    colour = view.both("colour")
    lost = colour is not None and colour[0] >= LEAST_COLOUR and colour[1] < LOST_COLOUR * colour[0]
    return "its colours are gone" if lost else ""


def _palette(view: _View) -> str:
    colours = view.of_y("colours")
    return f"it has only {colours:.0f} colours" if colours is not None and view.of_x("colours") is None else ""


def _noise(view: _View) -> str:
    noise, middle, fine = view.both("noise"), view.of_x("middle"), view.of_x("fine")
    if noise is None or middle is None or fine is None:
        return ""
    if Relation.TONE in view.pair.relations:
        return ""  # the tone curve that was fitted changes the noise too
    step = view.of_x("step")
    if step is None and not view.x.lossless:
        return ""  # another lossy format may have removed the noise
    added = math.sqrt(max(0.0, noise[1] ** 2 - noise[0] ** 2))
    noisier = noise[1] > NOISIER * noise[0] and added > max(NOISE, REMOVED * (step or 0.0))
    whole = all(WHOLE[0] <= kept <= WHOLE[1] for kept in (middle, fine))  # y has all of x's detail, as it was
    return "noise was added" if noisier and whole else ""


def _sharpened(view: _View) -> str:
    middle, fine = view.both("middle"), view.both("fine")
    if middle is None or fine is None or middle[0] < AMPLIFIED:
        return ""
    even = EVEN[0] <= fine[0] / middle[0] <= EVEN[1]  # a blur of the other one would leave less of the finest detail
    coherent = min(middle[0] * middle[1], fine[0] * fine[1]) >= COHERENT
    if _fewer_levels(_View(view.pair, view.y, view.x, view.files)):
        return ""  # a tone that merges levels takes detail away: the other one has it still, and was not sharpened
    return "it was sharpened, and has no detail of its own" if even and coherent else ""


def _blurred(view: _View) -> str:
    middle, fine, detail = view.both("middle"), view.of_x("fine"), view.both("detail")
    if middle is None or fine is None or detail is None or detail[0] < max(SHARP, FINER * detail[1]):
        return ""
    blurred = middle[1] > BLURRED and fine < LOST
    cut_off = KEPT < middle[0] < 1 / KEPT and fine < CUT_OFF
    return "its fine detail is gone" if blurred or cut_off else ""


def _fewer_levels(view: _View) -> str:
    levels = view.both("unexplained")
    if levels is None or Relation.EDITED in view.pair.relations:
        return ""
    lost = levels[0] > UNEXPLAINED and levels[1] < LOST_LEVELS * levels[0]
    return "it has lost levels that the other one tells apart" if lost else ""


def _saved_again(view: _View) -> str:
    fit, own, there = view.of_x("lattice"), view.of_x("step"), view.of_y("step")
    if fit is None or own is None:
        return ""  # coarser steps of its own would have wiped out the other one's
    least = ON_LOSSLESS if there is None else ON_STEPS
    told = fit >= least and (there is None or own >= NEAR_STEPS * there)
    return "it was saved again from the other one, whose JPEG steps it still shows" if told else ""


def _enlarged(view: _View) -> str:
    pair = enlargement(view.pair)
    return "it was enlarged, and shows nothing finer" if pair == (view.y.id, view.x.id) else ""


def _added_area(view: _View) -> str:
    a, b = (_is_plain(view.pair, side) for side in Side)
    x, y = (b, a) if view.turned else (a, b)
    return "it has a border, a bar or empty corners" if y and not x else ""


def _coarser_steps(view: _View) -> str:
    own, there = view.of_x("step"), view.of_y("step")
    if there is None or _tones_agree(view.pair) or not _at_one_scale(view.pair):
        return ""
    if own is None:
        return "it is a JPEG, and the other one is lossless" if view.x.lossless else ""
    return f"its JPEG steps are coarser ({there:.1f} levels against {own:.1f})" if there >= COARSER * own else ""


def _excludes(view: _View) -> bool:
    """Whether *y* is known not to be made from the JPEG *x*: it does not show its steps, and no tone may hide them."""
    fit = view.of_x("lattice")
    return fit is not None and fit < OFF_STEPS and Relation.TONE not in view.pair.relations


_SIGNS: Mapping[Sign, Callable[[_View], str]] = {
    Sign.NO_COLOUR: _no_colour,
    Sign.PALETTE: _palette,
    Sign.NOISE: _noise,
    Sign.SHARPENED: _sharpened,
    Sign.BLURRED: _blurred,
    Sign.FEWER_LEVELS: _fewer_levels,
    Sign.SAVED_AGAIN: _saved_again,
    Sign.ENLARGED: _enlarged,
    Sign.ADDED_AREA: _added_area,
    Sign.COARSER_STEPS: _coarser_steps,
}


# --------------------------------------------------------------------------------------------------- less compressed
def more_compressed(pair: Pair, files: Files = MappingProxyType({})) -> Made | None:
    """Which of two pictures of the same pixels and tone is compressed more.

    Parameters
    ----------
    pair : Pair
    files : mapping of int to mapping
        From `file_measures`.

    Returns
    -------
    Made or None
        None where the two differ in tone or size, or are compressed alike.
    """
    if not _tones_agree(pair) or not _at_one_scale(pair) or pair.a.lossless or pair.b.lossless:
        return None
    if DIRECT.intersection(pair.relations):
        return None
    for x, y in ((pair.a, pair.b), (pair.b, pair.a)):
        view = _View(pair, x, y, files)
        steps = view.both("step")
        if steps is not None:
            if steps[1] >= COARSER * steps[0]:
                words = f"JPEG steps of {steps[0]:.1f} levels against {steps[1]:.1f}"
                return Made(x.id, y.id, Sign.COARSER_STEPS, words)
            continue
        if _is_nearer(view):
            return Made(x.id, y.id, Sign.UNEXPLAINED, "it differs by more than the JPEG steps of the other one explain")
        if _is_smoother(view):
            return Made(x.id, y.id, Sign.SMOOTHER, "less fine detail was kept")
        measured = view.measures.derived is None
        if measured and x.format == y.format and _rate(x) >= CLEARLY * _rate(y) > 0:
            words = f"{_rate(x):.2f} bytes a pixel against {_rate(y):.2f}"
            return Made(x.id, y.id, Sign.COARSER_STEPS, words)
    return None


def file_measures(pairs: Iterable[Pair]) -> dict[int, dict[str, float]]:
    """Return what is known of the file of each image by its comparison with any other one.

    Parameters
    ----------
    pairs : iterable of Pair

    Returns
    -------
    dict of int to dict
        By image id: ``step``, the typical step of a JPEG, levels; ``colours`` of a palette.
    """
    files: dict[int, dict[str, float]] = defaultdict(dict)
    for pair in pairs:
        measures = measures_of(pair)
        for image, side in ((pair.a, "a"), (pair.b, "b")):
            for name in ("step", "colours"):
                value = getattr(measures, f"{name}_{side}")
                if value is not None:
                    files[image.id][name] = value
    return files


def measures_of(pair: Pair) -> ProofMeasures:
    """What the proof of a pair measured; nothing where there is none."""
    return NO_PROOF_MEASURES if pair.proof is None else pair.proof.measures


def tones_differ(relations: Iterable[Relation]) -> bool:
    """Whether two pictures with these relations differ in more than place, size and compression."""
    return not _TONES.isdisjoint(relations)


def _is_nearer(view: _View) -> bool:
    """Whether *x* is a JPEG that cannot have been made from *y*, which is lossy too: the two differ by too much."""
    step, proof = view.of_x("step"), view.pair.proof
    if step is None or view.of_y("step") is not None or proof is None or view.measures.derived is not None:
        return False
    return 255 * proof.noise > EXPLAINED * step


def _is_smoother(view: _View) -> bool:
    """Whether *y* has less energy in its finest detail, and not because it was filtered: what is left differs too."""
    detail, noise, fine = view.both("detail"), view.both("noise"), view.both("fine")
    if detail is None or noise is None or fine is None or view.measures.derived is not None:
        return False
    energy = [math.hypot(*both) ** 2 for both in zip(detail, noise, strict=True)]
    left = energy[1] / max(energy[0], 1e-9)
    return left < SMOOTHER and 1 - fine[0] * fine[1] >= (1 - left) / 4


def _tones_agree(pair: Pair) -> bool:
    return not tones_differ(pair.relations)


def _at_one_scale(pair: Pair) -> bool:
    scale = scale_of(pair)
    return set(pair.relations) <= _SAME_PIXEL_COUNT and 1 / SAME_SCALE < scale < SAME_SCALE


def _rate(image: ImageRecord) -> float:
    """Bytes a pixel."""
    size = image.locations[0].size if image.locations else 0
    return size / max(1, image.width * image.height)


# -------------------------------------------------------------------------------------------------- area and detail
def larger(pairs: Iterable[Pair]) -> list[tuple[int, int]]:
    """(larger, smaller) of the pairs in which one picture shows all of the other one and more.

    Borders, bars and empty corners are not more, where the files were compared.
    """
    contained = []
    for pair in pairs:
        crop_of = pair.verification.crop_of
        measures = measures_of(pair)
        if measures.outside_a is not None and measures.outside_b is not None:
            own_a = 0.0 if _is_plain(pair, Side.A) else measures.outside_a
            own_b = 0.0 if _is_plain(pair, Side.B) else measures.outside_b
            if own_a >= OWN_AREA and own_b < NO_AREA:
                crop_of = Side.A
            elif own_b >= OWN_AREA and own_a < NO_AREA:
                crop_of = Side.B
            elif (crop_of == Side.A and own_a < NO_AREA) or (crop_of == Side.B and own_b < NO_AREA):
                crop_of = None
        if crop_of is not None:
            contained.append((pair.a.id, pair.b.id) if crop_of == Side.A else (pair.b.id, pair.a.id))
    return contained


def _is_plain(pair: Pair, side: Side) -> bool:
    """Whether what only one picture of a pair shows is a border, a bar or empty corners."""
    measures = measures_of(pair)
    outside, plain = measures.outside_a, measures.plain_a
    if side is Side.B:
        outside, plain = measures.outside_b, measures.plain_b
    least = PLAIN_BORDERED if Relation.BORDERED in pair.relations else PLAIN
    return (outside or 0.0) >= NO_AREA and (plain or 0.0) >= least


def scale_of(pair: Pair) -> float:
    """Size of b's content in a's pixels over its size in its own: as it was proven, else as it was registered."""
    if pair.proof is None or measures_of(pair).outside_a is None:
        return pair.verification.registration.scale
    (xx, xy, _), (yx, yy, _) = pair.proof.matrix
    return math.sqrt(abs(xx * yy - xy * yx))


def enlargement(pair: Pair) -> tuple[int, int] | None:
    """(enlarged, other) where one picture is the other one with more pixels and no finer detail."""
    if not is_measured(pair):
        return None
    measures = measures_of(pair)
    fine, coarse, detail = pair.a, pair.b, measures.detail_b
    if scale_of(pair) < 1:
        fine, coarse, detail = pair.b, pair.a, measures.detail_a
    beyond = ENLARGED if measures.beyond is None else measures.beyond
    if not LEAST_BEYOND <= beyond < ENLARGED or (detail or 0.0) < SHARP:
        return None
    return fine.id, coarse.id


def fineness(pairs: Sequence[Pair]) -> dict[int, float]:
    """Return how finely each image of a group shows what all of them show: pixels a side, over those of the first one.

    From the scales of the pairs, along the best ones. An enlarged picture is as fine as what it was made from.
    """
    neighbours: dict[int, list[tuple[int, float]]] = defaultdict(list)
    # equal scores in an order of their own: scales may contradict each other, and the pairs come in any order
    for pair in sorted(pairs, key=lambda pair: (-pair.verification.score, sorted((pair.a.id, pair.b.id)))):
        scale = scale_of(pair)
        if scale > 0:
            neighbours[pair.a.id].append((pair.b.id, 1 / scale))
            neighbours[pair.b.id].append((pair.a.id, scale))
    by_image: dict[int, float] = {}
    for start in sorted(neighbours):
        by_image.setdefault(start, 1.0)
        waiting = deque([start])
        while waiting:
            image = waiting.popleft()
            for other, factor in neighbours[image]:
                if other not in by_image:
                    by_image[other] = by_image[image] * factor
                    waiting.append(other)
    enlarged = [both for both in map(enlargement, pairs) if both is not None]
    if not enlarged:
        return by_image
    capped = [*enlarged, *(both for both in map(_nothing_finer, pairs) if both is not None)]
    changed = True
    while changed:  # nothing falls below the least number there is
        changed = False
        for fine, coarse in capped:
            if by_image[fine] > by_image[coarse]:
                by_image[fine], changed = by_image[coarse], True
    return by_image


def _nothing_finer(pair: Pair) -> tuple[int, int] | None:
    """(more compressed, less compressed) of two files with the same pixels, where the first has no more detail.

    Blocks of a coarse JPEG look like detail above a limit; but it cannot show anything finer than the other file.
    """
    made = more_compressed(pair)
    if made is None or made.sign is not Sign.COARSER_STEPS:
        return None
    view = _View(pair, *((pair.a, pair.b) if made.better == pair.a.id else (pair.b, pair.a)), {})
    detail = view.both("detail")
    return (made.worse, made.better) if detail is not None and detail[1] <= SAME_DETAIL * detail[0] else None


def unpacked(pairs: Iterable[Pair]) -> set[int]:
    """Return the images in lossless files that have the very pixels of one in a lossy file: they were made from it."""
    return {
        one.id
        for pair in pairs
        if pair.relations == (Relation.SAME_PIXELS,)
        for one, other in ((pair.a, pair.b), (pair.b, pair.a))
        if one.lossless and not other.lossless
    }


def depths(above: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return how many pictures stand above each, one over the other, from pairs (above, below).

    Pairs that contradict each other (a above b above a) raise the number only as often as there are pictures.
    """
    pairs = sorted(set(above))
    depth = dict.fromkeys((image for pair in pairs for image in pair), 0)
    for _ in depth:
        before = dict(depth)
        for upper, lower in pairs:
            depth[lower] = max(depth[lower], depth[upper] + 1)
        if depth == before:
            break
    return depth
