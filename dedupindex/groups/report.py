"""Reports: made from stored rows; nothing is compared."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dedupindex.errors import SettingsError
from dedupindex.groups import roots, snapshots
from dedupindex.groups.decisions import DecidedPairs, decided_pairs, sift
from dedupindex.groups.grouping import build_groups, largest_first
from dedupindex.groups.pieces import shown_pieces
from dedupindex.groups.ranking import Policy
from dedupindex.groups.selection import Selected, select, settled
from dedupindex.groups.series import build_series
from dedupindex.groups.unit_files import UnitFinder, with_companions
from dedupindex.records import (
    Decision,
    DuplicateGroup,
    ImageRecord,
    Link,
    LocationRecord,
    Pair,
    Relation,
    RunRecord,
    Series,
)
from dedupindex.records.reports import Change, ChangeKind, Coverage, Report, Selection
from dedupindex.records.selected_places import below, side, touches
from dedupindex.settings import Settings, seconds_of
from dedupindex.store import catalog, catalog_decisions, catalog_images, catalog_locations, catalog_pairs
from dedupindex.store.catalog_decisions import Places
from dedupindex.store.database import Connection

LAST = "last"
EVERYTHING = Selection()
EXACT = {Relation.SAME_BYTES, Relation.SAME_PIXELS}


def present_pairs(
    connection: Connection, *, min_score: float | None = None, among: Collection[int] | None = None
) -> list[Pair]:
    """Confirmed pairs of images that both still have a location; missing locations are left out.

    Pairs of two images that are in a reference only are left out too (see `dedupindex.groups.roots`).

    Parameters
    ----------
    connection : Connection
    min_score : float, optional
        Leave out weaker pairs, 0..1.
    among : collection of int, optional
        Only pairs of these image ids.

    Returns
    -------
    list of Pair
        Best first, without the pairs that the proof withdrew.
    """
    references = roots.reference_images(connection)
    return [
        dataclasses.replace(pair, a=present(pair.a), b=present(pair.b))
        for pair in catalog_pairs.pairs(connection, min_score=min_score, among=among)
        if is_present(pair.a)
        and is_present(pair.b)
        and pair.link is not Link.WITHDRAWN
        and not (references and pair.a.id in references and pair.b.id in references)
    ]


def present_copies(connection: Connection, *, among: Collection[int] | None = None) -> list[ImageRecord]:
    """Images at several present places, with these; without those that are in a reference only.

    Parameters
    ----------
    connection : Connection
    among : collection of int, optional
        Only these image ids.

    Returns
    -------
    list of ImageRecord
    """
    references = roots.reference_images(connection)
    several = [
        image
        for image in catalog_images.several_locations(connection)
        if image not in references and (among is None or image in among)
    ]
    return [present(image) for image in catalog_images.by_id(connection, several).values()]


def present(image: ImageRecord) -> ImageRecord:
    """The image without its missing locations."""
    if not any(place.missing for place in image.locations):
        return image
    return dataclasses.replace(image, locations=tuple(place for place in image.locations if not place.missing))


def is_present(image: ImageRecord) -> bool:
    """Whether the image is at some place (present locations come first)."""
    return bool(image.locations) and not image.locations[0].missing


def report(
    connection: Connection,
    selection: Selection = EVERYTHING,
    *,
    since: int | str | datetime | None = None,
    settings: Settings = Settings(),
) -> Report:
    """Duplicate groups as stored in the database.

    Parameters
    ----------
    connection : Connection
        In a read transaction, so that the whole report is of one state.
    selection : Selection
        Which pairs they are made of.
    since : int, str or datetime, optional
        Only what is different from the groups as they stood after that run: its number; a time ("2026-11-01", "7d"
        ago), for the last run before it; "last", for the search for duplicates before the latest one.
    settings : Settings
        The keep rules and preferred folders among them say which picture leads a group.
        Say how mask files are called, which belong to pictures as other companions do.

    Returns
    -------
    Report

    Raises
    ------
    SettingsError
        *since* is no run; the selection has no meaning, or goes across a path of which the index knows nothing.
    """
    selection = settled(selection)
    searches = catalog.runs(connection, catalog.RunKind.DUPLICATES, limit=2)
    decided = decided_pairs(catalog_decisions.decisions(connection))
    counts = catalog.counts(connection)
    bare = Report(
        run=searches[0] if searches else None,
        groups=(),
        pairs=(),
        images=counts["images"],
        locations=counts["locations"],
        files=counts["files"],
        failures=tuple(catalog.failures(connection)),
        selection=selection,
        generation=catalog.generation(connection),
    )
    policy, finder = Policy.of(settings, decided.keepers), UnitFinder(settings.mask_pattern)
    if since is None:
        return _with_groups(connection, bare, decided, policy, finder, None)
    run = run_before(connection, since)
    differences = snapshots.compare(snapshots.before(connection, run.id) if run else {}, snapshots.current(connection))
    images = {
        image for difference in differences if difference.kind != ChangeKind.RESOLVED for image, _ in difference.places
    }
    bare = _with_groups(connection, bare, decided, policy, finder, images)
    return _with_changes(connection, bare, run, differences)


def _with_groups(
    connection: Connection,
    report: Report,
    decided: DecidedPairs,
    policy: Policy,
    finder: UnitFinder,
    among: set[int] | None,
) -> Report:
    """Fill in the groups; *among*: only those of these images."""
    selection = report.selection
    confirmed = present_pairs(connection, min_score=selection.min_score, among=among)
    copies = present_copies(connection, among=among)
    away = roots.absent(connection)
    if away:
        confirmed = [
            dataclasses.replace(pair, a=roots.marked(pair.a, away), b=roots.marked(pair.b, away)) for pair in confirmed
        ]
        copies = [roots.marked(image, away) for image in copies]
    asked = [pair for pair in confirmed if selection.wants(pair.relations)]
    pairs = sift(asked, decided, show_kept=selection.decided)
    shown = [i for i in copies if not decided.leaves_out(i.key, i.key, decided=selection.decided)]
    pairs, shown = with_companions(pairs, shown, finder)
    slices = select(selection, pairs, shown)
    groups, kept, series = _grouped(selection, slices, decided, policy)
    hidden = 0
    if len(pairs) < len(asked) or len(shown) < len(copies):
        hidden = _count(selection, select(selection, asked, copies)) - _count(selection, slices)
    coverage = None
    if selection.across is not None:  # a duplicate that is to be kept too is one all the same
        everything = sift(asked, decided, show_kept=True)
        known = [i for i in copies if not decided.leaves_out(i.key, i.key, decided=True)]
        coverage = _coverage(connection, report, selection.across, select(selection, everything, known))
    return dataclasses.replace(
        report,
        groups=groups,
        pairs=kept,
        series=series,
        hidden=hidden,
        decisions=_concerning(decided, groups),
        coverage=coverage,
        pieces=() if among is not None else shown_pieces(connection, selection, decided, away),
    )


def _grouped(
    selection: Selection, slices: Iterable[Selected], decided: DecidedPairs, policy: Policy
) -> tuple[tuple[DuplicateGroup, ...], tuple[Pair, ...], tuple[Series, ...]]:
    groups: list[DuplicateGroup] = []
    series: list[Series] = []
    for part in slices:
        salt = b"" if part.folder is None else os.fsencode(part.folder)
        made = build_groups(part.pairs, part.alone, policy=policy, apart=decided.apart.values(), salt=salt)
        groups += made
        series += build_series(made, part.pairs, salt=salt)
    groups = [g for g in groups if touches(selection, (p for m in g.members for p in m.image.locations))]
    series = [s for s in series if touches(selection, (p for m in s.members for p in m.image.locations))]
    groups = only_groups(selection, groups)
    series = [] if selection.groups else series
    groups.sort(key=largest_first)
    series.sort(key=lambda one: -len(one.members))
    return tuple(groups), listed_pairs(groups, series), tuple(series)


def only_groups(selection: Selection, groups: Sequence[DuplicateGroup]) -> list[DuplicateGroup]:
    """Those of the groups that a selection names.

    Raises
    ------
    SettingsError
        It names one that is not there.
    """
    there = {group.id for group in groups}
    unknown = [name for name in selection.groups if name not in there]
    if unknown:
        raise SettingsError(f"there is no group {', '.join(unknown)}; `report` with the same options lists them")
    return [group for group in groups if not selection.groups or group.id in selection.groups]


def _count(selection: Selection, slices: Iterable[Selected]) -> int:
    """How many pairs, and images at several places, there are at the paths asked for."""
    return sum(
        sum(touches(selection, (*pair.a.locations, *pair.b.locations)) for pair in part.pairs)
        + sum(touches(selection, image.locations) for image in part.alone)
        for part in slices
    )


def listed_pairs(groups: Iterable[DuplicateGroup], series: Iterable[Series] = ()) -> tuple[Pair, ...]:
    """All pairs, those of alternates too, best first, then by content."""
    pairs = [pair for group in groups for pair in (*group.pairs, *_alternates_inside(group))]
    pairs += [pair for one in series for pair in one.pairs]
    pairs.sort(key=lambda p: (-p.verification.score, p.a.sha256, p.a.frame, p.b.sha256, p.b.frame))
    return tuple(pairs)


def _alternates_inside(group: DuplicateGroup) -> list[Pair]:
    """Alternates that a group holds both of: other pictures link them, an edit for example. No series has them."""
    images = {member.image.id for member in group.members} if group.alternates else set()
    return [pair for pair in group.alternates if pair.a.id in images and pair.b.id in images]


def _concerning(decided: DecidedPairs, groups: Sequence[DuplicateGroup]) -> tuple[Decision, ...]:
    """Decisions on images of these groups, oldest first."""
    if not decided.all:
        return ()
    keys = {member.image.key for group in groups for member in group.members}
    return tuple(decision for decision in decided.all if decision.a in keys and (not decision.b or decision.b in keys))


# --------------------------------------------------------------------------------------------------- coverage
def _coverage(
    connection: Connection, report: Report, across: tuple[Path, Path], slices: Iterable[Selected]
) -> Coverage:
    selection = report.selection
    source, target = across
    there = [catalog_locations.present_under(connection, root) for root in (source, target)]
    sides = [[place for place in part if side(selection, place.path) == number] for number, part in enumerate(there)]
    unread = tuple(f for f in report.failures if below(f.path, source) and side(selection, f.path) == 0)
    for root, places in zip((source, target), sides, strict=True):
        if not places and not (root == source and unread):
            raise SettingsError(f"the index knows no picture at or below {root}; scan it first")
    covered: set[tuple[str, int]] = set()
    exact: set[tuple[str, int]] = set()
    proven: set[tuple[str, int]] = set()
    for part in slices:
        for image in part.alone:
            _note(selection, image, exact)
        for pair in part.pairs:
            copies = pair.link in (Link.COPY, Link.UNPROVEN)  # an alternate shows something else
            same = bool(EXACT & set(pair.relations))
            for image in (pair.a, pair.b):
                if copies:
                    _note(selection, image, covered)
                if pair.link is Link.COPY:
                    _note(selection, image, proven)
                if same or (selection.wants_copies and _both_sides(selection, image)):
                    _note(selection, image, exact)
    covered |= exact
    return Coverage(
        source=source,
        target=target,
        places=len(sides[0]),
        exact=len(exact),
        uncovered=roots.marked_places(
            [p for p in sides[0] if (os.fspath(p.path), p.frame) not in covered], roots.absent(connection)
        ),
        unread=unread,
        unproven=len(covered - proven - exact),
    )


def _note(selection: Selection, image: ImageRecord, covered: set[tuple[str, int]]) -> None:
    covered.update((os.fspath(p.path), p.frame) for p in image.locations if side(selection, p.path) == 0)


def _both_sides(selection: Selection, image: ImageRecord) -> bool:
    return {0, 1} <= {side(selection, place.path) for place in image.locations}


# ---------------------------------------------------------------------------------------------------- changes
def run_before(connection: Connection, since: int | str | datetime) -> RunRecord | None:
    """The run with whose groups to compare; None: there was none yet.

    Raises
    ------
    SettingsError
        *since* is no run, no time and not "last".
    """
    if since == LAST:
        searches = catalog.runs(connection, catalog.RunKind.DUPLICATES, limit=2)
        return searches[1] if len(searches) > 1 else None
    if not isinstance(since, datetime):
        try:
            number = int(since)
        except ValueError:
            since = _moment(str(since))
        else:
            run = catalog.run_record(connection, number) if abs(number) < 1 << 63 else None
            if run is None and number != 0:
                raise SettingsError(f"there is no run {number}")
            return run
    return catalog.last_run_before(connection, _utc(since))


def _utc(moment: datetime) -> datetime:
    """A time as UTC; one that the calendar cannot hold there, as on its first day, is the first or last that it can."""
    try:
        return moment.astimezone(UTC)
    except (OverflowError, ValueError, OSError):
        end = datetime.min if moment.year < 1970 else datetime.max
        return end.replace(tzinfo=UTC)


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)  # without a zone: local time
    except ValueError:
        pass
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds_of(text))
    except (SettingsError, OverflowError) as error:
        words = f"since is {text!r}, must be {LAST!r}, the number of a run, a date like 2026-11-01, or a time like 7d"
        raise SettingsError(words) from error


def _with_changes(
    connection: Connection, report: Report, run: RunRecord | None, differences: Sequence[snapshots.Difference]
) -> Report:
    selection = report.selection
    ids = {place for difference in differences for _, place in (*difference.added, *difference.removed)}
    known = catalog_decisions.locations_by_id(connection, ids)
    group_of: dict[int, list[DuplicateGroup]] = {}
    for group in report.groups:
        for member in group.members:
            group_of.setdefault(member.image.id, []).append(group)

    def places(of: Places) -> tuple[LocationRecord, ...]:
        listed = (
            # a place that shows another image now is gone for this one
            dataclasses.replace(known[place][1], missing=known[place][1].missing or known[place][0] != image)
            for image, place in of
            if place in known
        )
        return tuple(sorted(listed, key=lambda place: (place.path, place.frame)))

    changes: list[Change] = []
    seen: set[tuple[str, str]] = set()
    for difference in differences:
        added, removed = places(difference.added), places(difference.removed)
        if difference.kind == ChangeKind.RESOLVED:
            if _plain(selection) and touches(selection, removed):
                changes.append(Change(difference.kind, difference.id, None, difference.before, (), removed))
            continue
        newer = {image for image, _ in difference.added} or {image for image, _ in difference.places}
        for group in (group for image in sorted(newer) for group in group_of.get(image, ())):
            if (difference.kind, group.id) not in seen:
                seen.add((difference.kind, group.id))
                inside = {place for member in group.members for place in member.image.locations}
                here = added if _plain(selection) else tuple(place for place in added if place in inside)
                changes.append(Change(difference.kind, group.id, group, difference.before, here, removed))
    changed = {id(change.group) for change in changes}
    groups = tuple(group for group in report.groups if id(group) in changed)
    return dataclasses.replace(
        report,
        groups=groups,
        pairs=listed_pairs(groups),
        series=(),
        decisions=tuple(difference for difference in report.decisions if _stands_in(difference, groups)),
        since=run,
        changes=tuple(changes),
    )


def _stands_in(decision: Decision, groups: Sequence[DuplicateGroup]) -> bool:
    keys = {member.image.key for group in groups for member in group.members}
    return decision.a in keys and (not decision.b or decision.b in keys)


def _plain(selection: Selection) -> bool:
    """Whether the groups are those that are remembered of runs, or some of them."""
    return dataclasses.replace(selection, paths=(), decided=False) == EVERYTHING
