"""Which copy is kept: ordered rules, each of which can say in words why it preferred one file to another.

Two rules always come first: what somebody decided, and that a picture which is only a part of another one never stands
above it. The others come in the order that the settings give (`keep_rules`). Where no rule tells two files apart they
tie: both stay.

A rule looks at one file at a time and gives a sort key (smaller = rather kept), so that the order of many files never
contradicts itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from dedupindex.errors import SettingsError
from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES

DECIDED, SHOWS_MORE, PROTECTED = "decided", "shows-more", "protected"
MORE_COMPANIONS = "more-companions"
ALWAYS = (DECIDED, SHOWS_MORE)
PLACE_RULES = ("path-order", "oldest", "newest", "shortest-path", "first-path")  # of the place, not of the picture

ALIKE = 1.02  # ratio of resolutions that registration cannot tell from 1
CLEARLY = 1.25  # ratio of bytes a pixel from which one file counts as less compressed than another

Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Contender:
    """A file that may be kept or may go."""

    image: ImageRecord
    place: LocationRecord
    decided: bool = False  # somebody named it the keeper
    part: int = 0  # 0 = no other picture shows all of it and more; else how many such pictures lie one in another
    protected: bool = False
    fineness: float = 1.0  # pixels a side for the same content, over those of another file of the group
    unpacked: bool = False  # has the very pixels of a lossy file: then it holds no more than that

    @property
    def lossless(self) -> bool:
        """Whether nothing was lost as far as one can tell."""
        return self.image.lossless and not self.unpacked

    @property
    def companions(self) -> int:
        """How many files belong to it, and further pictures in its own file."""
        return len(self.place.companions) + self.image.further_pictures


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a rule may need besides the file."""

    prefer: tuple[Path, ...]
    fine: Mapping[float, int]  # fineness -> class of as good as equal ones, finest last
    rates: Mapping[float, int]  # bytes a pixel of lossy pictures -> class; empty where their formats differ


def rule_order(rules: Sequence[str]) -> tuple[str, ...]:
    """Return all rules in the order in which they are asked.

    Protected files go before the first rule about places: of two equal pictures the one that must stay is kept.

    Raises
    ------
    SettingsError
        There is no such rule.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        known = ", ".join([*KEEP_RULES, *OTHER_KEEP_RULES])
        raise SettingsError(f"no keep rule {', '.join(unknown)}; there are: {known}")
    chosen = [rule for rule in dict.fromkeys(rules) if rule not in (*ALWAYS, PROTECTED)]
    first_place = next((n for n, rule in enumerate(chosen) if rule in PLACE_RULES), len(chosen))
    return (*ALWAYS, *chosen[:first_place], PROTECTED, *chosen[first_place:])


def keys(contenders: Sequence[Contender], rules: Sequence[str], prefer: Sequence[Path] = ()) -> list[Key]:
    """Return what the rules say of each file: tuples with one entry a rule, smaller = rather kept.

    Parameters
    ----------
    contenders : sequence of Contender
        All that are compared with each other.
    rules : sequence of str
        From `rule_order`.
    prefer : sequence of Path
        Folders for ``path-order``, the most preferred first.

    Returns
    -------
    list of tuple
        One a file, in the order in which they were given.
    """
    lossy = [contender for contender in contenders if not contender.lossless]
    comparable = len({contender.image.format for contender in lossy}) == 1
    around = _Surroundings(
        tuple(prefer),
        _classes((contender.fineness for contender in contenders), ALIKE),
        _classes((_rate(contender) for contender in lossy), CLEARLY) if comparable else {},
    )
    return [tuple(RULES[rule].key(contender, around) for rule in rules) for contender in contenders]


def _classes(values: Iterable[float], alike: float) -> dict[float, int]:
    """Rank numbers by size; one that is at most *alike* times the next smaller one shares its rank."""
    classes: dict[float, int] = {}
    last = 0.0
    for value in sorted(set(values)):
        classes[value] = classes[last] + (value > last * alike) if classes else 0
        last = value
    return classes


def deciding(rules: Sequence[str], keeper: Key, other: Key) -> str | None:
    """Return the first rule that prefers the keeper.

    Parameters
    ----------
    rules : sequence of str
        From `rule_order`.
    keeper, other : tuple
        Keys of the two files, from `keys`; one entry for each rule, the smaller one is kept.

    Returns
    -------
    str or None
        None where no rule tells the two apart, or the first that does prefers *other*.
    """
    for rule, kept, gone in zip(rules, keeper, other, strict=True):
        if kept != gone:
            return rule if kept < gone else None
    return None


def because(rule: str, keeper: Contender, other: Contender) -> str:
    """Return in words why a rule preferred the keeper.

    Parameters
    ----------
    rule : str
        A name from `rule_order`.
    keeper, other : Contender
        The file that is kept, and the one that may go.

    Returns
    -------
    str
        A few words for people.
    """
    return RULES[rule].words(keeper, other)


def parts(larger: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return how deep pictures lie in others, from pairs (larger, smaller): 1 + that of the deepest that shows more.

    Pairs that contradict each other (a in b in a) raise the number only as often as there are pictures.
    """
    pairs = sorted(set(larger))
    depth = dict.fromkeys((image for pair in pairs for image in pair), 0)
    for _ in depth:
        before = dict(depth)
        for large, small in pairs:
            depth[small] = max(depth[small], depth[large] + 1)
        if depth == before:
            break
    return depth


# ------------------------------------------------------------------------------------------------------ the rules
@dataclass(frozen=True, slots=True)
class _Rule:
    key: Callable[[Contender, _Surroundings], Any]
    words: Callable[[Contender, Contender], str]


def _path_order(contender: Contender, around: _Surroundings) -> int:
    ranks = (rank for rank, folder in enumerate(around.prefer) if contender.place.path.is_relative_to(folder))
    return next(ranks, len(around.prefer))


def _compression(contender: Contender, around: _Surroundings) -> int:
    """A hint only: noise, sharpening and saving again at high quality make files larger, not better."""
    return 0 if contender.lossless else -around.rates.get(_rate(contender), 0)


def _rate(contender: Contender) -> float:
    """Bytes a pixel."""
    return contender.place.size / max(1, contender.image.width * contender.image.height)


def _days(keeper: Contender, other: Contender) -> str:
    texts = []
    precision = 10**9 if keeper.place.mtime_ns // 10**9 != other.place.mtime_ns // 10**9 else 1
    for nanoseconds in (keeper.place.mtime_ns, other.place.mtime_ns):
        seconds, rest = divmod(nanoseconds, 10**9)
        try:
            text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
        except (OverflowError, OSError, ValueError):  # a time out of range
            text = f"{seconds} s"
        texts.append(text if precision > 1 else f"{text}.{rest:09d}")
    return f"from {texts[0]} against {texts[1]} (UTC)"


def _size(contender: Contender) -> str:
    return f"{contender.image.width} x {contender.image.height}"


RULES: Mapping[str, _Rule] = {
    DECIDED: _Rule(
        lambda contender, _: not contender.decided,
        lambda keeper, other: "somebody decided to keep that one",
    ),
    SHOWS_MORE: _Rule(
        lambda contender, _: contender.part,
        lambda keeper, other: "this is a part of a larger picture",
    ),
    PROTECTED: _Rule(
        lambda contender, _: not contender.protected,
        lambda keeper, other: "that one is protected",
    ),
    "more-pixels": _Rule(
        # not the pixels of the file: a border, or the empty corners of a turned picture, are no detail
        lambda contender, around: -around.fine[contender.fineness],
        lambda keeper, other: (
            f"{keeper.fineness / other.fineness:.2f} times the resolution ({_size(keeper)} against {_size(other)})"
        ),
    ),
    "lossless": _Rule(
        lambda contender, _: not contender.lossless,
        lambda keeper, other: f"lossless {keeper.image.format} against lossy {other.image.format}",
    ),
    "greater-depth": _Rule(
        lambda contender, _: -contender.image.bits,
        lambda keeper, other: f"{keeper.image.bits} bits a sample against {other.image.bits}",
    ),
    "less-compressed": _Rule(
        _compression,
        lambda keeper, other: f"{_rate(keeper):.2f} bytes a pixel against {_rate(other):.2f}",
    ),
    "more-metadata": _Rule(
        lambda contender, _: -contender.image.metadata_count,
        lambda keeper, other: f"{keeper.image.metadata_count} metadata fields against {other.image.metadata_count}",
    ),
    MORE_COMPANIONS: _Rule(
        lambda contender, _: -contender.companions,
        lambda keeper, other: (
            f"{keeper.companions} companion{'s' if keeper.companions > 1 else ''} (edits, video, raw ...) "
            f"against {other.companions or 'none'}"
        ),
    ),
    "path-order": _Rule(
        _path_order,
        lambda keeper, other: "that one lies in a folder that is preferred",
    ),
    "oldest": _Rule(
        lambda contender, _: contender.place.mtime_ns,
        _days,
    ),
    "newest": _Rule(
        lambda contender, _: -contender.place.mtime_ns,
        _days,
    ),
    "shortest-path": _Rule(
        lambda contender, _: len(str(contender.place.path)),
        lambda keeper, other: "that one has the shorter path",
    ),
    "first-path": _Rule(
        lambda contender, _: str(contender.place.path),
        lambda keeper, other: "that one's path comes first in the alphabet",
    ),
}
