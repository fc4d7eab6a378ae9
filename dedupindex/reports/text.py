"""Reports as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dedupindex.places import fragment_of
from dedupindex.records import (
    Decision,
    DuplicateGroup,
    DuplicatesSummary,
    Failure,
    GroupMember,
    ImageRecord,
    IngestSummary,
    LocationRecord,
    Match,
    Pair,
    Relation,
    RunRecord,
    Series,
)
from dedupindex.records.reports import Change, ChangeKind, Coverage, FolderChoice, Report, Selection
from dedupindex.records.upkeep import MergeSummary
from dedupindex.reports.amounts import count, pace
from dedupindex.reports.laid_pairs import pairs_with
from dedupindex.reports.names import short, shown
from dedupindex.reports.summary import ReportSummary, files_of
from dedupindex.reports.wording import (
    companions_words,
    flag_words,
    pair_words,
    percent,
    proof_words,
    rank_words,
    shift_text,
)

INDENT = "    "
LEFT_OUT = {
    "system_folder": ("system folder", "system folders"),
    "pattern": ("file or folder by patterns", "files and folders by patterns"),
    "too_small": ("file for its size", "files for their size"),
    "other_extension": ("file for its extension", "files for their extension"),
}
MOVES = 5  # moved folders that are told
MANY = 20  # files without a duplicate that are listed for people


def ingest_text(summary: IngestSummary, *, dry_run: bool = False) -> str:
    """Return what an ingest did, in a few lines."""
    would = "to read" if dry_run else "read"
    parts = [f"{count(summary.found, 'file')}: {summary.read:,} {would}, {summary.unchanged:,} unchanged"]
    if summary.recognised:
        parts.append(f"{summary.recognised:,} recognised")
    if summary.failures:
        parts.append(f"{len(summary.failures):,} failed")
    lines = [", ".join(parts) + ("" if dry_run else f" ({pace(summary.read, summary.seconds)})")]
    if not dry_run:
        lines.append(
            f"{count(summary.added, 'new picture')}, {count(summary.known, 'new copy', 'new copies')} of known ones"
        )
    lines += move_lines(summary)
    if summary.missing:
        lines.append(f"{count(summary.missing, 'file')} gone")
    if summary.left_out:
        what = ", ".join(count(number, *LEFT_OUT[why]) for why, number in summary.left_out.items())
        lines.append(f"left out: {what}")
    lines += [
        f"left out of {shown(folder)}: {shown('  '.join(kept))}" for folder, kept in sorted(summary.patterns.items())
    ]
    if summary.still_known:
        lines.append(
            f"{count(summary.still_known, 'file')} in the index, though left out now: `forget PATH` takes them out"
        )
    others = {why: number for why, number in summary.skipped.items() if why not in summary.left_out}
    if others:
        what = ", ".join(f"{number:,} {why.replace('_', ' ')}" for why, number in others.items())
        lines.append(f"skipped: {what}")
    return "\n".join(lines)


def move_lines(summary: IngestSummary) -> Iterator[str]:
    """Yield what an ingest found to have moved, or may have, and which places are a reference."""
    for move in summary.moved[:MOVES]:
        yield f"moved: {shown(move.old)} -> {shown(move.new)} ({count(move.files, 'file')})"
    if len(summary.moved) > MOVES:
        yield f"moved: {len(summary.moved) - MOVES:,} more"
    for move in summary.perhaps_moved[:MOVES]:
        yield (
            f"not there: {shown(move.old)}, of which {move.files:,} of {count(move.of, 'file')} are in "
            f"{shown(move.new)} too; if it was moved there: dedupindex relocate OLD NEW; if it was deleted: "
            "dedupindex forget OLD"
        )
    if len(summary.perhaps_moved) > MOVES:
        yield f"not there: {len(summary.perhaps_moved) - MOVES:,} more of this kind"
    for path in summary.references:
        yield f"reference: {shown(path)} (compared with others, not searched itself, never planned)"


def merge_text(summary: MergeSummary) -> str:
    """Return what a merge brought, in a few lines."""
    lines = [
        f"{count(summary.images, 'new picture')}, {summary.known:,} known; "
        f"{count(summary.places, 'file')} new or changed",
        f"{count(summary.pairs, 'confirmed pair')}, {count(summary.decisions, 'decision')}, "
        f"{count(summary.failures, 'failed file')} taken over ({summary.seconds:.1f} s)",
    ]
    if summary.missing:
        lines.append(f"{count(summary.missing, 'file')} gone")
    if summary.pairs_left:
        lines.append(f"{count(summary.pairs_left, 'pair')} of other rules or thresholds left out, to be searched again")
    if summary.undescribed:
        lines.append(f"{count(summary.undescribed, 'picture')} left out: not described there, or damaged")
    return "\n".join(lines)


def search_text(summary: DuplicatesSummary) -> str:
    """Return what a search for duplicates did, in a line."""
    line = (
        f"{count(summary.searched, 'picture')} searched, {count(summary.verified, 'candidate pair')} compared, "
        f"{summary.accepted:,} confirmed ({pace(summary.searched, summary.seconds)})"
    )
    if summary.overflowed:
        line += f"; {count(summary.overflowed, 'picture')} had more candidates than are compared"
    if summary.unreached:
        line += (
            f"; {count(summary.unreached, 'pair')} not compared, as a file is out of reach; the next run tries again"
        )
    if summary.left:
        line += f"; {count(summary.left, 'picture')} left for the next run when time was up"
    if summary.pieces is not None:
        search = summary.pieces
        line += (
            f"\n{count(search.searched, 'picture')} searched for pieces, {count(search.candidates, 'pair')} compared, "
            f"{count(search.pieces, 'part')} found ({pace(search.searched, search.seconds)})"
        )
        if search.lost:
            line += f"; {count(search.lost, 'pair')} lost with a worker"
        if search.pieces:
            line += "; `report --pieces` shows them"
    return line


def failure_lines(failures: Sequence[Failure]) -> list[str]:
    """Return a line a failed file."""
    return [f"{shown(f.path)}: {f.reason}: {shown(f.detail)}" for f in failures]


def report_text(
    report: Report,
    base: Path | None = None,
    *,
    alternates: bool = False,
    summary: ReportSummary | None = None,
) -> str:
    """Return groups with their members, and how each relates to the first one.

    Parameters
    ----------
    report : Report
    base : Path, optional
        Paths below it are shown relative to it.
    alternates : bool
        The series of alternates instead of the groups.
    summary : ReportSummary, optional
        Of all groups, where some were left off; by default of those of the report.

    Returns
    -------
    str
        Lines without a line break at the end.
    """
    summary = summary or ReportSummary.of(report)
    lines = list(heading_lines(report, summary, base, alternates=alternates))
    if alternates:
        for series in report.series:
            lines.append("")
            lines += series_lines(series, base)
        return "\n".join(lines)
    for group in report.groups:
        lines.append("")
        lines += group_lines(group, base)
    closing = closing_lines(report)
    if summary.groups > len(report.groups):
        closing.insert(0, left_off_words(summary.groups - len(report.groups)))
    return "\n".join([*lines, *(["", *closing] if closing else [])])


def heading_lines(
    report: Report, summary: ReportSummary, base: Path | None = None, *, alternates: bool = False
) -> Iterator[str]:
    """Yield the first lines of a report: how much there is, what it was narrowed to, what one path covers of another.

    Parameters
    ----------
    report : Report
    summary : ReportSummary
        Of all groups.
    base : Path, optional
        Paths below it are shown relative to it.
    alternates : bool
        Of a report of alternates.
    """
    yield series_summary(report) if alternates else summary_line(report, summary)
    words = selection_words(report.selection, base)
    if words:
        yield f"only {words}"
    if report.coverage is not None:
        yield from coverage_lines(report.coverage, base)


def left_off_words(number: int) -> str:
    """Return how many groups a report leaves off, in a line."""
    return f"and {count(number, 'group')} more (--top)"


def closing_lines(report: Report) -> list[str]:
    """Return the last lines of a report of groups: what is not proven, and the alternates."""
    lines = []
    unproven = report.unproven
    if unproven:
        lines.append(f"{count(unproven, 'pair')} not proven, so never planned: dedupindex prove compares their files")
    if report.series:
        pictures = sum(len(series.members) for series in report.series)
        lines.append(
            f"{count(pictures, 'picture')} in {count(len(report.series), 'series', 'series')} of alternates "
            "(one scene or template, other content): dedupindex report --alternates"
        )
    return lines


def series_summary(report: Report) -> str:
    """Return how many series of alternates there are, in a line."""
    if not report.series:
        return f"no alternates, among {count(report.images, 'picture')}"
    pictures = sum(len(series.members) for series in report.series)
    return (
        f"{count(len(report.series), 'series', 'series')} of alternates with {count(pictures, 'picture')}, "
        f"among {count(report.images, 'picture')}"
    )


def series_lines(series: Series, base: Path | None = None) -> Iterator[str]:
    """Yield the lines of a series; each picture with how it differs from one before it, where that is known."""
    yield f"series {series.id}: {count(len(series.members), 'picture')}"
    before: set[int] = set()
    for member in series.members:
        image = member.image
        group = f", group {member.group}" if member.group else ""
        yield f"    {place_words(image, base)}  ({image_words(image)}{group})"
        for pair in series.pairs:
            ends = {pair.a.id: pair.b, pair.b.id: pair.a}
            if image.id in ends and ends[image.id].id in before:
                yield f"{INDENT}  {proof_words(pair.proof)} (against {place_words(ends[image.id], base)})"
                break
        before.add(image.id)


def summary_line(report: Report, summary: ReportSummary) -> str:
    """Return how much there is, in a line."""
    grouped = f"{count(summary.groups, 'duplicate group')} with {summary.files:,} of" if summary.groups else ""
    line = f"{grouped or 'no duplicates, among'} {count(report.files, 'file')}"
    if report.hidden:
        line += f"; {count(report.hidden, 'pair')} left out as was decided"
    return line


def selection_words(selection: Selection, base: Path | None = None) -> str:
    """Return what a report was narrowed to; nothing for a report of everything."""
    parts = []
    if selection.relations:
        parts.append("pairs that are " + " or ".join(selection.relations))
    if selection.not_relations:
        parts.append("pairs that are not " + " or ".join(selection.not_relations))
    if selection.min_score > 0:
        parts.append(f"scores from {selection.min_score:g}")
    if selection.across is not None:
        parts.append(f"pairs of {short(selection.across[0], base)} with {short(selection.across[1], base)}")
    if selection.folder:
        parts.append(
            "pairs within one folder" if selection.folder == FolderChoice.SAME else "pairs of different folders"
        )
    if selection.groups:
        parts.append("group " + " or ".join(selection.groups))
    if selection.paths:
        parts.append("groups that touch " + " or ".join(short(path, base) for path in selection.paths))
    return ", ".join(parts)


def coverage_lines(coverage: Coverage, base: Path | None = None) -> Iterator[str]:
    """Yield which pictures of one path have a duplicate below another."""
    source, target = short(coverage.source, base), short(coverage.target, base)
    covered = coverage.places - len(coverage.uncovered)
    exact = f", {coverage.exact:,} of them in the same bytes or pixels" if covered else ""
    share = f"{covered:,} of" if coverage.uncovered else "all"
    without = "; without:" if coverage.uncovered else ""
    yield f"{source}: {share} {count(coverage.places, 'file')} with a duplicate in {target}{exact}{without}"
    for place in coverage.uncovered[:MANY]:
        yield f"{INDENT}{location_words(place, base)}"
    if len(coverage.uncovered) > MANY:
        yield f"{INDENT}and {len(coverage.uncovered) - MANY:,} more (--json lists all)"
    if coverage.unproven:
        yield f"{source}: {count(coverage.unproven, 'file')} with a duplicate that is not proven, and no other"
    if coverage.unread:
        yield f"{source}: {count(len(coverage.unread), 'file')} could not be read, duplicates not known"


def changes_text(report: Report, base: Path | None = None) -> str:
    """Return what is different since an earlier run; nothing where nothing is."""
    if not report.changes:
        return ""
    lines = [f"since {run_words(report.since)}: {changes_words(report.changes)}"]
    words = selection_words(report.selection, base)
    if words:
        lines.append(f"only {words}")
    for change in report.changes:
        lines.append("")
        lines += change_lines(change, base)
    return "\n".join(lines)


def run_words(run: RunRecord | None) -> str:
    """Return which run it was, and when."""
    if run is None:
        return "the beginning"
    ended = run.finished or run.started
    return f"run {run.id} ({ended.astimezone():%Y-%m-%d %H:%M})"


def changes_words(changes: Sequence[Change]) -> str:
    """Return how many groups are new, grown, shrunk and resolved."""
    counted = {kind: sum(change.kind == kind for change in changes) for kind in ChangeKind}
    parts = [(kind, number) for kind, number in counted.items() if number]
    first = [count(parts[0][1], f"{parts[0][0]} group")] if parts else []
    return ", ".join(first + [f"{number:,} {kind}" for kind, number in parts[1:]])


def change_lines(change: Change, base: Path | None = None) -> Iterator[str]:
    """Yield the lines of a changed group: ``+`` before places that are new in it, ``-`` before those that left it."""
    gone = [location_words(place, base) for place in change.removed]
    if change.group is None:
        yield f"{change.kind} group {change.id}"
        yield from (f"-   {words}" for words in gone)
        return
    origins = [group for group in change.before if group != change.id]
    came = ""
    if len(change.before) > 1:
        came = f", from groups {' and '.join(change.before)}"
    elif origins:
        came = f", was group {origins[0]}"
    added = {place.address for place in change.added}
    heading, *rest = marked_lines(change.group, base)
    yield f"{change.kind} {heading[1]}{came}"
    for place, line in rest:
        yield "+" + line[1:] if place is not None and place.address in added else line
    yield from (f"-   {words}" for words in gone)


def group_lines(group: DuplicateGroup, base: Path | None = None) -> Iterator[str]:
    """Yield the lines of a group."""
    return (line for _, line in marked_lines(group, base))


def marked_lines(group: DuplicateGroup, base: Path | None = None) -> Iterator[tuple[LocationRecord | None, str]]:
    """Yield the lines of a group, each with its place."""
    weakest = "" if group.weakest is None else f", weakest link {group.weakest.verification.score:.3f}"
    yield None, f"group {group.id}: {extent_words(group)}{weakest}"
    names = {member.image.key: place_words(member.image, base) for member in group.members}
    for flag in group.flags:
        about = " and ".join(names[key] for key in flag.keys if key in names)
        yield None, f"{INDENT}! {flag_words(flag)}: {about}"
    with_first = pairs_with(group.members[0], group.pairs)
    for member in group.members:
        image = member.image
        first, *others = image.locations
        yield first, f"  {member_mark(member)} {location_words(first, base)}  ({image_words(image)})"
        if beside := companions_words(image, first):
            yield None, f"{INDENT}  {beside}"
        if member.keeper:
            yield None, f"{INDENT}  the keeper, as was decided"
        words = member_words(member, with_first.get(image.id))
        if words:
            yield None, f"{INDENT}  {words}"
        ranked = rank_words(member)
        if ranked:
            yield None, f"{INDENT}  {shown(ranked)}"
        for place in others:
            yield place, f"  = {location_words(place, base)}"
            if beside := companions_words(image, place):
                yield None, f"{INDENT}  {beside}"
    outside = {i.key: (i, pair) for pair in group.alternates for i in (pair.a, pair.b) if i.key not in names}
    for image, pair in list(outside.values())[:MANY]:
        yield None, f"  ~ {place_words(image, base)}, not in the group: {proof_words(pair.proof)}"
    if len(outside) > MANY:
        yield None, f"  ~ and {len(outside) - MANY:,} more alternates"


def extent_words(group: DuplicateGroup) -> str:
    """Return how many files a group holds; where it holds frames of one file, how many frames of how many."""
    places = sum(len(member.image.locations) for member in group.members)
    files = len(files_of(member.image for member in group.members))
    return count(files, "file") if files == places else f"{count(places, 'frame')} of {count(files, 'file')}"


def member_mark(member: GroupMember) -> str:
    """Return the sign before a member: ``*`` for the representative."""
    return "*" if member.relation == "representative" else " "


def member_words(member: GroupMember, pair: Pair | None) -> str:
    """Return how a member relates to the representative, with the score."""
    if member.relation == "representative":
        return ""
    if pair is None:
        return f"score {member.score:.3f} with another member of the group"
    names = ("the first", "this") if pair.b.id == member.image.id else ("this", "the first")
    return f"score {pair.verification.score:.3f}: " + ", ".join(pair_words(pair, *names))


def image_words(image: ImageRecord) -> str:
    """Return size, depth and format."""
    depth = f" {image.bits} bit" if image.bits != 8 else ""
    return f"{image.width} x {image.height}{depth} {image.format}"


def frame_words(place: LocationRecord) -> str:
    """Return what names the picture in its file: the part of an address after the path."""
    return fragment_of(place.path, place.frame)


def place_words(image: ImageRecord, base: Path | None = None) -> str:
    """Return an image's first place, or the beginning of its key where it has none."""
    if not image.locations:
        return f"content {image.key[:12]}"
    return location_words(image.locations[0], base)


def location_words(place: LocationRecord, base: Path | None = None) -> str:
    """Return a place, with a mark where its file is not there any more."""
    return f"{short(place.path, base)}{frame_words(place)}{gone_words(place)}"


def gone_words(place: LocationRecord) -> str:
    """Return the mark of a place whose file is not there any more; nothing for others."""
    return "  (gone)" if place.missing else ""


def decision_line(decision: Decision, names: Mapping[str, str]) -> str:
    """Return a decision in a line.

    Parameters
    ----------
    names : mapping
        What to call pictures, by content key; others are called by it.
    """
    called = [
        shown(names.get(key, f"content {key[:12]} (not in the index)")) for key in (decision.a, decision.b) if key
    ]
    if decision.a == decision.b:
        called = [f"every place of {called[0]}"]
    note = f"  ({shown(decision.note)})" if decision.note else ""
    return f"{decision.decided:%Y-%m-%d}  {decision.kind}  {'  and  '.join(called)}{note}"


def matches_text(name: str, matches: Sequence[Match], base: Path | None = None) -> str:
    """Return the answers to a query.

    Parameters
    ----------
    name : str
        Of the picture that was asked for.
    matches : sequence of Match
        Best first.
    base : Path, optional
        Paths below it are shown relative to it.

    Returns
    -------
    str
        Lines without a line break at the end.
    """
    lines = [f"{shown(name)}: {count(len(matches), 'match', 'matches')}"]
    for match in matches:
        registration, first = match.registration, match.image.locations[0]
        lines.append(f"  {match.score:.3f}  {location_words(first, base)}  ({image_words(match.image)})")
        lines.append(
            f"         {match.relation}{_match_proof(match)}; shift {shift_text(match.verification)} px, "
            f"scale {registration.scale:.3f}, rotation {registration.rotation:.1f}°, "
            f"{percent(registration.overlap)} in common"
        )
        lines += [f"       = {location_words(place, base)}" for place in match.image.locations[1:]]
    return "\n".join(lines)


def _match_proof(match: Match) -> str:
    if match.proof is None or Relation.SAME_BYTES in match.relations:
        return ""
    return f" ({proof_words(match.proof)})"
