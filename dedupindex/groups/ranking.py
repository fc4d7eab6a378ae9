"""Which picture of a group stands first: ordered rules, each of which can say in words why it preferred one to another.

The same ranking decides which picture leads a group in reports and on pages, and which one a plan keeps. Some rules
always come first (`ALWAYS`): what somebody decided, and what must not lead. The others come in the order that the
settings give (`keep_rules`). Where no rule tells two files apart they tie: a plan keeps both.

A rule looks at one file at a time and gives a sort key (smaller = stands further in front), so that the order of many
files never contradicts itself. What only a pair can tell (which was made from which) becomes a key by counting how many
pictures stand above each, one over the other.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from dedupindex.errors import SettingsError
from dedupindex.groups.joining import join, root_of
from dedupindex.groups.provenance import (
    Made,
    depths,
    file_measures,
    fineness,
    larger,
    made_from,
    more_compressed,
    tones_differ,
    unpacked,
)
from dedupindex.places import absolute
from dedupindex.records import ImageRecord, Link, LocationRecord, Pair
from dedupindex.records.proofs import DIRECT
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES, Settings
from dedupindex.sources.scope import is_system_folder

PRESENT, DECIDED, NO_SYSTEM_FOLDER, SHOWS_MORE, PROTECTED = (
    "present", "decided", "no-system-folder", "shows-more", "protected",
)  # fmt: skip
LESS_PROCESSED, LESS_COMPRESSED, MORE_COMPANIONS = "less-processed", "less-compressed", "more-companions"
ALWAYS = (PRESENT, DECIDED, NO_SYSTEM_FOLDER, SHOWS_MORE)
PLACE_RULES = ("path-order", "oldest", "newest", "shortest-path", "first-path")  # of the place, not of the picture
# These say nothing of which picture is better, only which one is taken where nothing else tells.
ARBITRARY = frozenset({"more-metadata", "oldest", "newest", "shortest-path", "first-path"})
WITHIN_A_TONE = frozenset({"lossless", "greater-depth", LESS_COMPRESSED})  # an edit may be saved in a better format

ALIKE = 1.02  # ratio of resolutions that registration cannot tell from 1

DECIDED_WORDS = "somebody decided to keep that one"
Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What a ranking goes by.

    Attributes
    ----------
    rules : tuple of str
        Keep rules by name, the first one that can decides.
    prefer : tuple of Path
        Folders for ``path-order``, the most preferred first; absolute.
    protected : callable
        Whether a path is protected.
    keepers : collection of str
        Content keys of images that somebody decided to keep.
    """

    rules: tuple[str, ...] = KEEP_RULES
    prefer: tuple[Path, ...] = ()
    protected: Callable[[Path], bool] = lambda _: False
    keepers: Collection[str] = ()

    @classmethod
    def of(cls, settings: Settings, keepers: Collection[str] = ()) -> Policy:
        """The policy that settings give."""
        prefer = tuple(absolute(Path(folder)) for folder in settings.prefer_paths)
        return cls(settings.keep_rules, prefer, keepers=keepers)


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
    processed: int = 0  # how many pictures of the group lie between it and what it was made from, itself included
    compressed: int = 0  # the same of more compressed copies
    made: tuple[Made, ...] = ()  # how it was made from others, which are named by their `content`
    packed: tuple[Made, ...] = ()  # how it is compressed more than others
    content: int = 0  # the same for files with the same pixels: the id of one of the images
    tone: int = 0  # the same for files that differ in place, size and compression only

    @property
    def lossless(self) -> bool:
        """Whether nothing was lost as far as one can tell."""
        return self.image.lossless and not self.unpacked

    @property
    def companions(self) -> int:
        """How many files belong to it, and further pictures in its own file."""
        return len(self.place.companions) + self.image.further_pictures


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one file stands before another one.

    Attributes
    ----------
    rule : str
        Name of the rule that decided; empty where none tells the two apart.
    words : str
        The same for people.
    judgement : bool
        No rule tells which of the two pictures is better: this one was only taken first.
    """

    rule: str
    words: str
    judgement: bool = False


@dataclass(frozen=True, slots=True)
class Ranked:
    """A file of a group in the order of the ranking."""

    contender: Contender
    key: Key = field(compare=False)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.contender.place.path


def rule_order(rules: Sequence[str]) -> tuple[str, ...]:
    """Return all rules in the order in which they are asked.

    Protected files go before the first rule about places: of two equal pictures the one that must stay is kept.

    Raises
    ------
    SettingsError
        There is no such rule.
    """
    return _rule_order(tuple(rules))


@lru_cache(maxsize=32)  # asked for every group
def _rule_order(rules: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        known = ", ".join([*KEEP_RULES, *OTHER_KEEP_RULES])
        raise SettingsError(f"no keep rule {', '.join(unknown)}; there are: {known}")
    chosen = [rule for rule in dict.fromkeys(rules) if rule not in (*ALWAYS, PROTECTED)]
    first_place = next((n for n, rule in enumerate(chosen) if rule in PLACE_RULES), len(chosen))
    return (*ALWAYS, *chosen[:first_place], PROTECTED, *chosen[first_place:])


def ranking(images: Iterable[ImageRecord], pairs: Sequence[Pair], policy: Policy) -> list[Ranked]:
    """Return every file of a group, the one that leads it first.

    Parameters
    ----------
    images : iterable of ImageRecord
        The members, with their locations. An image without any has no file.
    pairs : sequence of Pair
        Confirmed pairs of copies among them.
    policy : Policy

    Returns
    -------
    list of Ranked
        One for each location, the same whatever the order of the arguments is.
    """
    members = list(images)
    known = _known(members, [pair for pair in pairs if pair.link in (Link.COPY, Link.UNPROVEN)])
    contenders = [
        Contender(
            image,
            place,
            image.key in policy.keepers,
            protected=policy.protected(place.path),
            **known[image.id],
        )
        for image in members
        for place in image.locations
    ]
    ranked = [
        Ranked(contender, key)
        for contender, key in zip(contenders, keys(contenders, rule_order(policy.rules), policy.prefer), strict=True)
    ]
    ranked.sort(key=lambda one: (one.key, os.fsencode(one.path), one.contender.place.frame, one.contender.image.sha256))
    return ranked


def _known(images: Sequence[ImageRecord], pairs: Sequence[Pair]) -> dict[int, dict[str, Any]]:
    """What the pairs tell of each image: the fields of a contender. Images with the same pixels share what is told."""
    content: dict[int, int] = {image.id: image.id for image in images}
    tone = dict(content)
    for pair in pairs:
        if DIRECT.intersection(pair.relations):
            join(content, pair.a.id, pair.b.id)
        if not tones_differ(pair.relations):
            join(tone, pair.a.id, pair.b.id)
    same = {image.id: root_of(content, image.id) for image in images}
    files = file_measures(pairs)
    steps = {same[image]: known["step"] for image, known in files.items() if "step" in known}
    for image in images:  # a lossless file with the pixels of a JPEG shows the steps of that JPEG
        if same[image.id] in steps:
            files.setdefault(image.id, {}).setdefault("step", steps[same[image.id]])
    made, packed = (
        [
            replace(one, better=same[one.better], worse=same[one.worse])
            for one in (tell(pair, files) for pair in pairs)
            if one is not None and same[one.better] != same[one.worse]
        ]
        for tell in (made_from, more_compressed)
    )
    part = depths((same[large], same[small]) for large, small in larger(pairs) if same[large] != same[small])
    processed, compressed = (depths((one.better, one.worse) for one in told) for told in (made, packed))
    fine, bare = fineness(pairs), unpacked(pairs)
    about: dict[str, dict[int, list[Made]]] = {"made": defaultdict(list), "packed": defaultdict(list)}
    for name, told in (("made", made), ("packed", packed)):
        for one in told:
            about[name][one.worse].append(one)
    _inherit(processed, about["made"], packed, {frozenset((one.better, one.worse)) for one in made})
    return {
        image.id: {
            "part": part.get(same[image.id], 0),
            "fineness": fine.get(image.id, 1.0),
            "unpacked": image.id in bare,
            "processed": processed.get(same[image.id], 0),
            "compressed": compressed.get(same[image.id], 0),
            **{name: tuple(of[same[image.id]]) for name, of in about.items()},
            "content": same[image.id],
            "tone": root_of(tone, image.id),
        }
        for image in images
    }


def _inherit(
    processed: dict[int, int], made: dict[int, list[Made]], packed: Sequence[Made], told: set[frozenset[int]]
) -> None:
    """Let a file be no less processed than another one with the same pixels and tone that is less compressed.

    What tells that a picture was enlarged, say, is often hidden in the blocks of a copy that was saved coarsely. Pairs
    of which one was seen to be made from the other are left out: there it is the better one that may have more steps.
    """
    below = [one for one in packed if frozenset((one.better, one.worse)) not in told]
    changed = True
    while changed:  # nothing grows beyond the largest number there is
        changed = False
        for one in below:
            if processed.get(one.better, 0) > processed.get(one.worse, 0):
                processed[one.worse], changed = processed[one.better], True
                made[one.worse] += [replace(sign, worse=one.worse) for sign in made[one.better]]


def keys(contenders: Sequence[Contender], rules: Sequence[str], prefer: Sequence[Path] = ()) -> list[Key]:
    """Return what the rules say of each file: tuples with one entry a rule, smaller = stands further in front.

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
    around = _Surroundings(tuple(prefer), _classes((contender.fineness for contender in contenders), ALIKE))
    return [tuple(RULES[rule].key(contender, around) for rule in rules) for contender in contenders]


def reason(rules: Sequence[str], first: Ranked, other: Ranked) -> Reason | None:
    """Return why one file stands before another one.

    Parameters
    ----------
    rules : sequence of str
        From `rule_order`, those of the ranking.
    first, other : Ranked

    Returns
    -------
    Reason or None
        None where *other* stands before *first*. Where no rule tells them apart, a reason without a rule.
    """
    one, two = first.contender, other.contender
    for rule, kept, gone in zip(rules, first.key, other.key, strict=True):
        if kept != gone:
            return Reason(rule, RULES[rule].words(one, two), _is_judgement(rule, one, two)) if kept < gone else None
    return Reason("", "no rule tells the two apart", one.content != two.content)


def _is_judgement(rule: str, keeper: Contender, other: Contender) -> bool:
    if keeper.content == other.content:
        return False  # the same pixels: neither is better
    if rule == LESS_PROCESSED:
        return any(not made.certain for made in _between(keeper, other.made))
    return rule in ARBITRARY or (rule in WITHIN_A_TONE and keeper.tone != other.tone)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a rule may need besides the file."""

    prefer: tuple[Path, ...]
    fine: Mapping[float, int]  # fineness -> class of as good as equal ones, finest last


def _classes(values: Iterable[float], alike: float) -> dict[float, int]:
    """Rank numbers by size; one that is at most *alike* times the next smaller one shares its rank."""
    classes: dict[float, int] = {}
    last = 0.0
    for value in sorted(set(values)):
        classes[value] = classes[last] + (value > last * alike) if classes else 0
        last = value
    return classes


# ------------------------------------------------------------------------------------------------------ the rules
@dataclass(frozen=True, slots=True)
class _Rule:
    key: Callable[[Contender, _Surroundings], Any]
    words: Callable[[Contender, Contender], str]  # why the first of two is preferred, said of the second


def _path_order(contender: Contender, around: _Surroundings) -> int:
    ranks = (rank for rank, folder in enumerate(around.prefer) if contender.place.path.is_relative_to(folder))
    return next(ranks, len(around.prefer))


def _in_system_folder(contender: Contender, _: _Surroundings) -> bool:
    return any(is_system_folder(part) for part in contender.place.path.parts[:-1])


def _between(keeper: Contender, signs: Sequence[Made]) -> list[Made]:
    """Those of the signs on a file that are against the keeper; where there are none, the first against any file."""
    return [made for made in signs if made.better == keeper.content] or list(signs[:1])


def _made_words(keeper: Contender, signs: Sequence[Made]) -> str:
    against = _between(keeper, signs)
    if not against:
        return "that one is nearer to the original"
    beside = "" if against[0].better == keeper.content else " (beside another picture of the group)"
    return against[0].words + beside


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
    PRESENT: _Rule(
        lambda contender, _: contender.place.missing,
        lambda keeper, other: "this one is gone",
    ),
    DECIDED: _Rule(
        lambda contender, _: not contender.decided,
        lambda keeper, other: DECIDED_WORDS,
    ),
    NO_SYSTEM_FOLDER: _Rule(
        _in_system_folder,
        lambda keeper, other: "this one lies in a folder of the system, as a recycle bin is",
    ),
    SHOWS_MORE: _Rule(
        lambda contender, _: contender.part,
        lambda keeper, other: "this is a part of a larger picture",
    ),
    PROTECTED: _Rule(
        lambda contender, _: not contender.protected,
        lambda keeper, other: "that one has to stay",
    ),
    "more-pixels": _Rule(
        # not the pixels of the file: a border, empty corners and enlargement are no detail
        lambda contender, around: -around.fine[contender.fineness],
        lambda keeper, other: (
            f"{keeper.fineness / other.fineness:.2f} times the resolution ({_size(keeper)} against {_size(other)})"
        ),
    ),
    LESS_PROCESSED: _Rule(
        lambda contender, _: contender.processed,
        lambda keeper, other: _made_words(keeper, other.made),
    ),
    "lossless": _Rule(
        lambda contender, _: not contender.lossless,
        lambda keeper, other: f"lossless {keeper.image.format} against lossy {other.image.format}",
    ),
    "greater-depth": _Rule(
        lambda contender, _: -contender.image.bits,
        lambda keeper, other: f"{keeper.image.bits} bits a sample against {other.image.bits}",
    ),
    LESS_COMPRESSED: _Rule(
        lambda contender, _: contender.compressed,
        lambda keeper, other: _made_words(keeper, other.packed),
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
