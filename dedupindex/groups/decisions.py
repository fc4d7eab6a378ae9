"""What people decided on pictures: stored by content, so that it survives moves, renames and new ingests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.places import absolute
from dedupindex.records import Decision, DecisionKind, ImageRecord, Pair
from dedupindex.records.decisions import KEY, Decided
from dedupindex.sources import parse_address
from dedupindex.store import catalog, catalog_decisions, catalog_images
from dedupindex.store.database import Database

PARTING = frozenset({DecisionKind.NOT_DUPLICATE, DecisionKind.KEEP_BOTH})  # such pairs are left out of reports
LEAST_DIGITS = 8  # of a content key that is not written out
PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class DecidedPairs:
    """Decisions, ready to be looked up by content keys."""

    apart: Mapping[tuple[str, str], Decision]  # not-duplicate and keep-both, by (smaller key, larger key)
    keepers: frozenset[str]
    all: tuple[Decision, ...] = ()

    def leaves_out(self, a: str, b: str, *, decided: bool) -> bool:
        """Whether a pair is left out of reports.

        Parameters
        ----------
        a, b : str
            Content keys, in any order.
        decided : bool
            Show pairs of which both are to be kept.

        Returns
        -------
        bool
        """
        decision = self.apart.get((a, b) if a <= b else (b, a))
        return decision is not None and not (decided and decision.kind == DecisionKind.KEEP_BOTH)


def decided_pairs(decisions: Iterable[Decision]) -> DecidedPairs:
    """Arrange decisions for looking up."""
    known = tuple(decisions)
    return DecidedPairs(
        {(decision.a, decision.b): decision for decision in known if decision.kind in PARTING},
        frozenset(decision.a for decision in known if decision.kind == DecisionKind.KEEPER),
        known,
    )


def surplus(decisions: Iterable[Decision]) -> dict[str, str]:
    """Return the pictures that are not wanted beside another one of the same scene or template.

    Parameters
    ----------
    decisions : iterable of Decision
        All that there are.

    Returns
    -------
    dict of str to str
        Content key of a picture that may go, to that of the one which stays: two pictures of a decision ``keep-one``
        of which exactly one is a keeper. Where there are several that stay, the one with the smallest key.
    """
    known = list(decisions)
    keepers = {decision.a for decision in known if decision.kind == DecisionKind.KEEPER}
    going: dict[str, str] = {}
    for decision in known:
        if decision.kind != DecisionKind.KEEP_ONE or (decision.a in keepers) == (decision.b in keepers):
            continue
        stays, goes = (decision.a, decision.b) if decision.a in keepers else (decision.b, decision.a)
        going[goes] = min(stays, going.get(goes, stays))
    return going


def sift(pairs: Sequence[Pair], decided: DecidedPairs, *, show_kept: bool) -> list[Pair]:
    """Leave out the pairs on which somebody decided.

    Parameters
    ----------
    pairs : sequence of Pair
    decided : DecidedPairs
    show_kept : bool
        Do not leave out those of which both are to be kept.

    Returns
    -------
    list of Pair
        In the order in which they were given.
    """
    if not decided.apart:
        return list(pairs)
    return [pair for pair in pairs if not decided.leaves_out(pair.a.key, pair.b.key, decided=show_kept)]


def decisions(database: Database) -> list[Decision]:
    """Every decision, oldest first."""
    with database.read() as connection:
        return catalog_decisions.decisions(connection)


def decide(database: Database, kind: str, pictures: Sequence[PathLike], note: str = "") -> Decided:
    """Remember a decision; what was decided before on the same pictures is replaced.

    Parameters
    ----------
    database : Database
    kind : DecisionKind or str
        ``not-duplicate`` and ``keep-both`` are about every pair of *pictures*, ``keeper`` about each of them;
        ``keep-one`` is about the first and each of the others, and makes the first a keeper and the others none.
    pictures : sequence of path or str
        Paths, ``path#frame=12``, or content keys of which at least 8 digits are given (``#12`` for a frame).
    note : str
        For people.

    Returns
    -------
    Decided
        One decision a pair, or one a picture.

    Raises
    ------
    SettingsError
        There is no such kind; too few pictures; one is not in the index, was changed since, or is ambiguous.
    StoreError
    """
    return redecide(database, make=[(kind, pictures)], note=note)


def redecide(
    database: Database,
    *,
    make: Iterable[tuple[str, Sequence[PathLike]]] = (),
    forget: Iterable[Decision] = (),
    restore: Iterable[Decision] = (),
    note: str = "",
) -> Decided:
    """Change decisions in one transaction: forget, then restore, then make.

    Parameters
    ----------
    database : Database
    make : iterable of (kind, pictures)
        As `decide` takes them.
    forget : iterable of Decision
        Those that still stand, of the same kind.
    restore : iterable of Decision
        Put back where nothing is decided on the same pictures.
    note : str
        Of the decisions that are made; for people.

    Returns
    -------
    Decided
        The decisions that were made, and the generation of the database that holds them.

    Raises
    ------
    SettingsError
        As `decide`; nothing was changed.
    StoreError
    """
    made = [decision for kind, pictures in make for decision in _decisions_on(database, kind, pictures, note)]
    with database.write() as connection:
        current = {(decision.a, decision.b): decision.kind for decision in catalog_decisions.decisions(connection)}
        gone = [
            (decision.a, decision.b) for decision in forget if current.get((decision.a, decision.b)) == decision.kind
        ]
        gone += [(key, "") for key in surplus(made) if (key, "") in current]
        catalog_decisions.delete_decisions(connection, gone)
        left = current.keys() - set(gone)
        catalog_decisions.put_decisions(
            connection, [decision for decision in restore if (decision.a, decision.b) not in left]
        )
        catalog_decisions.put_decisions(connection, made)
        generation = catalog.generation(connection) + 1  # which the commit makes
    return Decided(tuple(made), generation)


def _decisions_on(database: Database, kind: str, pictures: Sequence[PathLike], note: str) -> list[Decision]:
    if kind not in set(DecisionKind):
        raise SettingsError(f"no decision {kind!r}; there are: {', '.join(DecisionKind)}")
    chosen = DecisionKind(kind)
    least = 1 if chosen == DecisionKind.KEEPER else 2
    if len(pictures) < least:
        raise SettingsError(f"{kind} is about {'a picture' if least == 1 else 'two pictures or more'}")
    keys = [key_of(database, picture) for picture in pictures]
    now = datetime.now(UTC)
    if chosen == DecisionKind.KEEPER:
        made = [Decision(chosen, key, "", note, now) for key in dict.fromkeys(keys)]
    elif chosen == DecisionKind.KEEP_ONE:
        first, others = keys[0], dict.fromkeys(keys[1:])
        if first in others:
            again = os.fspath(pictures[keys.index(first, 1)])
            raise SettingsError(f"{os.fspath(pictures[0])} and {again} are the same picture, byte for byte")
        made = [Decision(DecisionKind.KEEPER, first, "", note, now)]
        made += [Decision(chosen, min(first, other), max(first, other), note, now) for other in others]
    else:
        joined = dict.fromkeys((min(pair), max(pair)) for pair in itertools.combinations(keys, 2))
        same = next((a for a, b in joined if a == b), "")
        if same and chosen == DecisionKind.NOT_DUPLICATE:
            first, second = [os.fspath(p) for p, key in zip(pictures, keys, strict=True) if key == same][:2]
            raise SettingsError(f"{first} and {second} are the same picture, byte for byte")
        made = [Decision(chosen, a, b, note, now) for a, b in joined]
    return made


def undecide(database: Database, pictures: Sequence[PathLike], kind: str | None = None) -> int:
    """Forget decisions: all on one picture, or those between several.

    Parameters
    ----------
    database : Database
    pictures : sequence of path or str
        As `decide` takes them; keys of pictures that are in no database any more too.
    kind : str, optional
        Only decisions of this kind.

    Returns
    -------
    int
        How many there were.

    Raises
    ------
    SettingsError
        No picture; or one is neither in the index nor in a decision, or is ambiguous.
    StoreError
    """
    if not pictures:
        raise SettingsError("forget what was decided on which picture?")
    known = decisions(database)
    keys = {key_of(database, picture, known) for picture in pictures}
    with database.write() as connection:
        gone = [
            (decision.a, decision.b)
            for decision in known
            if (
                keys & {decision.a, decision.b}
                if len(pictures) == 1
                else decision.b and keys >= {decision.a, decision.b}
            )
            and kind in (None, decision.kind)
        ]
        return catalog_decisions.delete_decisions(connection, gone)


def take_over(database: Database, brought: Iterable[Decision]) -> tuple[int, int]:
    """Bring in decisions from elsewhere; of two on the same pictures the later one counts.

    Returns
    -------
    taken, left : int
        How many are in force now that were not, and how many were known or older than ours.

    Raises
    ------
    StoreError
    """
    latest: dict[tuple[str, str], Decision] = {}
    for decision in brought:
        other = latest.get((decision.a, decision.b))
        if other is None or decision.decided >= other.decided:
            latest[decision.a, decision.b] = decision
    with database.write() as connection:
        ours = {(decision.a, decision.b): decision for decision in catalog_decisions.decisions(connection)}
        taken = [
            decision for pair, decision in latest.items() if pair not in ours or decision.decided > ours[pair].decided
        ]
        catalog_decisions.put_decisions(connection, taken)
    return len(taken), len(latest) - len(taken)


def images_of(database: Database, keys: Collection[str]) -> dict[str, ImageRecord]:
    """The stored images among some content keys."""
    wanted = [content_of(key) for key in keys]
    with database.read() as connection:
        ids = catalog_images.ids_of_content(connection, wanted)
        return {image.key: image for image in catalog_images.by_id(connection, ids.values()).values()}


def key_of(database: Database, picture: PathLike, known: Iterable[Decision] = ()) -> str:
    """Content key of a picture.

    Parameters
    ----------
    database : Database
    picture : path or str
        Path, address, content key or its first 8 digits or more; a path of that name wins.
    known : iterable of Decision
        Where keys are looked up too.

    Returns
    -------
    str
        Hexadecimal SHA-256 of the file, with `#N` for frame N of a file of several.

    Raises
    ------
    SettingsError
        It is not in the index, was changed since it was read, or is ambiguous.
    """
    text = os.fspath(picture)
    path, frame = parse_address(text)
    place = absolute(path)
    with database.read() as connection:
        image = catalog_images.at_location(connection, place, frame or 0)
    if image is not None:
        _refuse_changed(image, place, frame or 0)
        return image.key
    match = KEY.fullmatch(text)
    if match is None:
        words = "" if path.exists() else ", and there is no such file"
        raise SettingsError(f"the index knows no picture at {text}{words}; ingest it, or give a content key")
    digits, number = match["digits"].lower(), int(match["frame"] or 0)
    first, last = bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    end = f"#{number}" if number else ""
    with database.read() as connection:
        keys = set(catalog_decisions.keys_between(connection, first, last, number, limit=3))
    for decision in known:
        for key in (decision.a, decision.b):
            if key.startswith(digits) and key[64:] == end:
                keys.add(key)
    if not keys:
        raise SettingsError(f"the index knows no picture with the content key {text}")
    if len(keys) > 1:
        raise SettingsError(f"{text} may be {' or '.join(key[:16] for key in sorted(keys)[:3])}; give more digits")
    return keys.pop()


def _refuse_changed(image: ImageRecord, path: Path, frame: int) -> None:
    place = next(location for location in image.locations if (location.path, location.frame) == (path, frame))
    try:
        status = path.stat()
    except OSError:
        return  # gone, or not plugged in: the decision is about the content that was there
    if (status.st_size, status.st_mtime_ns) != (place.size, place.mtime_ns):
        raise SettingsError(f"{path} has changed since it was read; ingest it again, then decide")


def content_of(key: str) -> tuple[bytes, int]:
    """Digest and frame number of a content key."""
    digits, _, frame = key.partition("#")
    return bytes.fromhex(digits), int(frame or 0)
