"""Make a plan from duplicate groups: which file may go, which one is kept for it, and why all others stay.

Files are looked at in the order of the keep rules. A file goes when a kept one shows all of it; every other one is
kept. So a kept file is never removed later, and no file goes for one that it was not compared with. Near-duplicates go
only where their files are proven the same (or edited, where that was named), unless somebody asked for unproven ones.
Files are only looked at with `stat` here; bytes and pixels are compared when the plan is applied.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedupindex.actions.asked_relations import decided_groups, is_asked_for
from dedupindex.actions.chosen_alternates import BECAUSE, Surplus, chosen_alternates, decided_images
from dedupindex.actions.coverage import covered
from dedupindex.actions.merging import Merger
from dedupindex.actions.plan_evidence import doubt_of, evidence_of
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.plans import NEAR_ACTIONS, check_plan, is_under, needed
from dedupindex.actions.selected_groups import may_go, may_replace, selected_groups
from dedupindex.actions.targets import with_targets
from dedupindex.actions.units import LINKS, whole_units
from dedupindex.groups import roots
from dedupindex.groups.companions import is_mate
from dedupindex.groups.ranking import MORE_COMPANIONS, SHOWS_MORE, Policy, Ranked, Reason, ranking, reason, rule_order
from dedupindex.groups.unit_files import UnitFinder, group_with_companions
from dedupindex.ingest import exclusions
from dedupindex.places import absolute, is_local, shards_above
from dedupindex.records import Decision, DecisionKind, DuplicateGroup, ImageRecord, LocationRecord, Pair, Relation
from dedupindex.records.answers import DOCUMENT_FORMATS
from dedupindex.records.companions import Units
from dedupindex.records.plans import CHOSEN, Action, Evidence, LeftOut, LeftOutReason, Plan, PlanItem, PlannedFile
from dedupindex.records.reports import Selection
from dedupindex.records.roots import Root
from dedupindex.settings import Settings
from dedupindex.store.database import Database

FINER = 1.05  # ratio of resolutions from which a part of a picture shows what the whole does not
_BYTES = (Relation.SAME_BYTES,)
_BOTH = "somebody decided to keep both"


@dataclass(frozen=True, slots=True)
class _Node:
    """A file of a group."""

    ranked: Ranked
    device: int = 0
    stays: LeftOutReason | None = None  # why it may not go, whatever its copies are
    detail: str = ""

    @property
    def image(self) -> ImageRecord:
        return self.ranked.contender.image

    @property
    def path(self) -> Path:
        return self.ranked.path


@dataclass(slots=True)
class _Maker:
    """Shared state while a plan is made."""

    options: PlanOptions
    rules: tuple[str, ...]
    apart: frozenset[tuple[str, str]]  # pairs decided to be no duplicates
    both: frozenset[tuple[str, str]]  # pairs of which both are kept
    policy: Policy
    selection: Selection
    roots: tuple[Root, ...]
    finder: UnitFinder
    images: dict[Path, ImageRecord] = field(default_factory=dict)  # of the files that were looked at
    richer: set[Path] = field(default_factory=set)  # files of which is noted that they are kept for their companions
    items: list[PlanItem] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    files: dict[tuple[int, int], Path] = field(default_factory=dict)  # (device, inode) -> the first path to it
    surplus: frozenset[str] = frozenset()  # content keys of alternates that go by a decision, for no copy


def plan(
    database: Database,
    settings: Settings,
    options: PlanOptions,
    *,
    version: str,
    selection: Selection | None = None,
) -> Plan:
    """Plan what to do about the duplicates that a database knows.

    Parameters
    ----------
    database : Database
    settings : Settings
    options : PlanOptions
        Where it names no keep rules or preferred folders, those of the settings count.
    version : str
        Of dedupindex.
    selection : Selection, optional
        Which files may go, and for which ones; by default all.

    Returns
    -------
    Plan

    Raises
    ------
    StoreError
    SettingsError
        The selection has no meaning, or names what the index does not know.
    """
    with database.read() as connection:
        groups, decisions, chosen = selected_groups(connection, selection or Selection())
        known = roots.remembered(connection)
        scanned = None if options.to is None else exclusions.scanned_above(connection, options.to)
    options = completed(options, known, settings)
    made = make_plan(
        groups,
        decisions,
        options,
        selection=chosen,
        alternates=decided_images(database, decisions) if options.alternates else None,
        known=known,
        database=database.name,
        version=version,
        made=datetime.now(UTC),
        settings=settings.shaping(),
    )
    return dataclasses.replace(made, scanned=scanned)


def completed(options: PlanOptions, known: Sequence[Root], settings: Settings) -> PlanOptions:
    """Options with what a database adds: its references are protected, its settings give rules and folders.

    Parameters
    ----------
    options : PlanOptions
    known : sequence of Root
    settings : Settings
    """
    return dataclasses.replace(
        options,
        protect=(*options.protect, *roots.whole_references(known)),
        keep=options.keep or settings.keep_rules,
        prefer=options.prefer or tuple(absolute(Path(folder)) for folder in settings.prefer_paths),
    )


def make_plan(
    groups: Iterable[DuplicateGroup],
    decisions: Iterable[Decision],
    options: PlanOptions,
    *,
    database: str,
    version: str,
    made: datetime,
    selection: Selection | None = None,
    settings: Mapping[str, Any] | None = None,
    known: Sequence[Root] = (),
    alternates: Mapping[str, ImageRecord] | None = None,
) -> Plan:
    """Decide which files go. Nothing is touched.

    Parameters
    ----------
    groups : iterable of DuplicateGroup
        With present locations only.
    decisions : iterable of Decision
    options : PlanOptions
    database, version, made : str, str, datetime
        For the record.
    selection : Selection, optional
        That the groups were made for, with absolute paths.
    settings : mapping, optional
        Those that shape how files are read (`Settings.shaping`), for comparing the files again.
    known : sequence of Root
        What belongs to a reference among them stays.
    alternates : mapping of str to ImageRecord, optional
        The images of decisions ``keep-one``, by content key; looked at where the options ask for alternates.

    Returns
    -------
    Plan
    """
    decisions = list(decisions)
    groups = list(groups)
    chosen_ones = chosen_alternates(decisions, alternates or {}, groups) if options.alternates else []
    groups = decided_groups(groups, decisions) if options.decided else groups
    kinds: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for decision in decisions:
        kinds[decision.kind].add((decision.a, decision.b))
    chosen = selection or Selection()
    policy = options.policy(frozenset(a for a, _ in kinds[DecisionKind.KEEPER]))

    def stays(path: Path) -> bool:  # of two equal files the one that has to stay is kept
        return policy.protected(path) or roots.is_reference(known, path) or not may_go(chosen, path)

    maker = _Maker(
        options,
        rule_order(options.keep),
        frozenset(kinds[DecisionKind.NOT_DUPLICATE]),
        frozenset(kinds[DecisionKind.KEEP_BOTH]),
        dataclasses.replace(policy, protected=stays),
        chosen,
        tuple(known),
        UnitFinder(str((settings or {}).get("mask_pattern", "")), options.units),
        surplus=frozenset(one.going.key for one in chosen_ones),
    )
    stacks: set[bytes] = set()
    for group in groups:
        _plan_group(maker, group_with_companions(group, maker.finder, options.may_lack), stacks)
    merger = None
    if options.merge_metadata:
        merger = Merger(maker.finder, lambda path: is_under(path, options.protect) or roots.is_reference(known, path))
    for one in chosen_ones:
        _plan_surplus(maker, one)
    items, left_out = whole_units(
        maker.items,
        maker.left_out,
        maker.finder,
        maker.images,
        options,
        lambda path: may_go(maker.selection, path),
        merger,
    )
    plan = Plan(
        database,
        made,
        version,
        options.action,
        maker.rules,
        options.relations,
        options.protect,
        tuple(with_targets(items, options.to)),
        tuple(left_out),
        options.unproven,
        dict(settings or {}),
        options.to,
        units=options.units,
        may_lack=options.may_lack,
        merge_metadata=options.merge_metadata,
        alternates=options.alternates,
    )
    check_plan(plan)
    return plan


def _plan_group(maker: _Maker, group: DuplicateGroup, stacks: set[bytes]) -> None:
    pairs = [pair for pair in group.pairs if _key(pair) not in maker.apart]
    files = ranking([member.image for member in group.members], pairs, maker.policy)
    places: dict[int, list[Ranked]] = defaultdict(list)
    for file in files:
        places[file.contender.image.id].append(file)
    nodes: dict[Path, _Node] = {}
    several: dict[bytes, list[_Node]] = defaultdict(list)
    for member in group.members:
        image = member.image
        if image.is_further_picture:  # goes and stays with the first one
            continue
        if image.key in maker.surplus:  # is no keeper of anything, and needs no copy to go
            continue
        if image.is_in_stack:
            if image.sha256 not in stacks and image.sha256 not in several:  # one file, in many groups
                several[image.sha256] = _nodes(maker, group.id, places[image.id])
            continue
        nodes |= {node.path: node for node in _nodes(maker, group.id, places[image.id])}
    stacks.update(several)
    _choose(maker, group, [nodes[file.path] for file in files if file.path in nodes], pairs)
    order = {file.path: number for number, file in enumerate(files)}
    for stack in several.values():
        _choose(maker, group, sorted(stack, key=lambda node: order[node.path]), [])
    for pair in pairs:
        if any(image.is_in_stack for image in (pair.a, pair.b)):
            _leave_stack(maker, group, pair)


def _plan_surplus(maker: _Maker, one: Surplus) -> None:
    """Let a picture go that somebody decided against, where the one that was chosen instead is there and stays."""
    going = {item.file.path for item in maker.items}
    kept = [node for node in _nodes(maker, one.group, ranking([one.stays], [], maker.policy)) if node.path not in going]
    for node in _nodes(maker, one.group, ranking([one.going], [], maker.policy)):
        if not kept:
            words = "the picture that was chosen instead is not there"
            maker.left_out.append(LeftOut(one.group, node.path, None, LeftOutReason.GONE, words))
        elif any(node.image.key in both for both in maker.both):
            maker.left_out.append(LeftOut(one.group, node.path, kept[0].path, LeftOutReason.KEEP_BOTH, _BOTH))
        elif node.stays:
            maker.left_out.append(LeftOut(one.group, node.path, kept[0].path, node.stays, node.detail))
        else:
            maker.items.append(
                PlanItem(
                    group=one.group,
                    action=maker.options.action,
                    file=_planned(node),
                    keeper=_planned(kept[0]),
                    relations=(Relation.ALTERNATE,),
                    rule=CHOSEN,
                    because=BECAUSE,
                    covered=0.0,
                )
            )


def _nodes(maker: _Maker, group: str, files: Sequence[Ranked]) -> list[_Node]:
    """The files that hold an image, each as it is found now; what is not as the index knows it is left out."""
    nodes: list[_Node] = []
    present = {file.path: file for file in files if not file.contender.place.missing}
    for path, file in sorted(present.items()):
        status = _look(file.contender.place)
        if not isinstance(status, os.stat_result):
            maker.left_out.append(LeftOut(group, path, None, *status))
            continue
        identity = (status.st_dev, status.st_ino)
        first = maker.files.setdefault(identity, path)
        maker.images[path] = file.contender.image
        if first != path and status.st_nlink < 2:
            maker.left_out.append(LeftOut(group, path, first, LeftOutReason.SAME_FILE, "the same file by another path"))
            continue
        stays: LeftOutReason | None = None
        detail = ""
        reference = roots.is_reference(maker.roots, path)
        if reference or is_under(path, maker.options.protect):
            stays, detail = LeftOutReason.PROTECTED, "belongs to the reference" if reference else "is protected"
        elif not may_go(maker.selection, path):
            stays, detail = LeftOutReason.NOT_SELECTED, "is not below a path that was asked for"
        elif status.st_nlink > 1:
            stays, detail = LeftOutReason.HARD_LINK, f"has {status.st_nlink} hard links: to take one away frees nothing"
        elif (leads := maker.finder.leads(path)) and maker.options.action not in LINKS:
            stays, detail = LeftOutReason.UNIT, f"goes only with {leads[0].name}, the same shot"
        nodes.append(_Node(file, status.st_dev, stays, detail))
    return nodes


def _look(place: LocationRecord) -> tuple[LeftOutReason, str] | os.stat_result:
    """What the file is now, or why it cannot take part in the plan."""
    if not is_local(place.path):
        return LeftOutReason.ELSEWHERE, "lies in an object store or on another machine"
    try:
        status = os.lstat(place.path)
    except NotADirectoryError as error:
        if shards_above(place.path):
            return LeftOutReason.IN_ARCHIVE, "is a member of an archive"
        return LeftOutReason.GONE, error.strerror or "cannot be read"
    except OSError as error:
        return LeftOutReason.GONE, error.strerror or "cannot be read"
    if not stat.S_ISREG(status.st_mode):
        return LeftOutReason.NOT_REGULAR, "is no regular file any more"
    if (status.st_size, status.st_mtime_ns) != (place.size, place.mtime_ns):
        return LeftOutReason.CHANGED, "has changed since it was ingested"
    return status


def _choose(maker: _Maker, group: DuplicateGroup, nodes: Sequence[_Node], pairs: Sequence[Pair]) -> None:
    """Go through the files, given in the order of the ranking; keep or let go."""
    neighbours: dict[int, dict[int, Pair]] = defaultdict(dict)
    for pair in pairs:
        neighbours[pair.a.id][pair.b.id] = pair
        neighbours[pair.b.id][pair.a.id] = pair
    kept: dict[int, list[_Node]] = defaultdict(list)
    rank = {id(node): number for number, node in enumerate(nodes)}
    for node in nodes:
        own = node.image.id
        left: LeftOut | None = None
        choice: PlanItem | LeftOut | None = None
        for keeper in (n for n in kept[own] if may_replace(maker.selection, n.path, node.path)):
            choice = _same_bytes(maker, group, keeper, node)
            if isinstance(choice, PlanItem):
                break
            left = left or choice
        if not isinstance(choice, PlanItem):
            near = sorted((n for other in neighbours[own] for n in kept[other]), key=lambda n: rank[id(n)])
            for keeper in (n for n in near if may_replace(maker.selection, n.path, node.path)):
                choice = _near(maker, group, keeper, node, neighbours[own][keeper.image.id])
                if isinstance(choice, PlanItem):
                    break
                left = left or choice
        if isinstance(choice, PlanItem):
            maker.items.append(choice)
            continue
        kept[own].append(node)
        if left is not None:
            maker.left_out.append(left)


def _same_bytes(maker: _Maker, group: DuplicateGroup, keeper: _Node, node: _Node) -> PlanItem | LeftOut:
    if (node.image.key, node.image.key) in maker.both:  # decided on two places of one content
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.KEEP_BOTH, _BOTH)
    if Relation.SAME_BYTES not in maker.options.relations:
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.RELATION, str(Relation.SAME_BYTES))
    return _decide(maker, group, keeper, node, _BYTES, 1.0, 1.0)


def _near(maker: _Maker, group: DuplicateGroup, keeper: _Node, node: _Node, pair: Pair) -> PlanItem | LeftOut:
    relations = pair.relations
    if any(node.image.key in both for both in maker.both):
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.KEEP_BOTH, _BOTH)
    if node.ranked.contender.decided:
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.KEEPER, "somebody decided to keep this one")
    of_keeper = maker.options.keeper_copies and keeper.ranked.contender.decided and maker.options.action in NEAR_ACTIONS
    if not is_asked_for(pair, maker.options.relations, keeper_decided=of_keeper):
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.RELATION, "+".join(relations))
    if maker.options.units is Units.TOGETHER and is_mate(keeper.path, node.path):
        words = "the raw file and the JPEG or HEIC of one shot"
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.UNIT, words)
    doubt = doubt_of(pair)
    if doubt and not maker.options.unproven:
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.UNPROVEN, doubt)
    share = covered(pair, node.image)
    if share is None:
        words = "shows something that its copy does not"
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.SHOWS_MORE, words)
    score, evidence = pair.verification.score, evidence_of(pair, keeper.image)
    return _decide(maker, group, keeper, node, relations, share, score, evidence)


def _decide(
    maker: _Maker,
    group: DuplicateGroup,
    keeper: _Node,
    node: _Node,
    relations: tuple[Relation, ...],
    covered: float,
    score: float,
    evidence: Evidence | None = None,
) -> PlanItem | LeftOut:
    if node.stays:
        _leave_richer(maker, group, keeper, node)
        return LeftOut(group.id, node.path, keeper.path, node.stays, node.detail)
    if maker.options.action in (Action.HARDLINK, Action.REFLINK) and keeper.device != node.device:
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.OTHER_DEVICE, "lies on another file system")
    why = reason(maker.rules, keeper.ranked, node.ranked) or Reason("", "")
    if not why.rule:
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.TIE, "no keep rule tells the two apart")
    fine = keeper.ranked.contender.fineness, node.ranked.contender.fineness
    if why.rule == SHOWS_MORE and fine[1] > fine[0] * FINER:
        detail = "shows only a part, but that in finer detail"
        return LeftOut(group.id, node.path, keeper.path, LeftOutReason.FINER, detail)
    return PlanItem(
        group=group.id,
        action=maker.options.action,
        file=_planned(node),
        keeper=_planned(keeper),
        relations=relations,
        rule=why.rule,
        because=why.words,
        judgement=why.judgement,
        covered=covered,
        score=score,
        evidence=evidence,
    )


def _leave_richer(maker: _Maker, group: DuplicateGroup, keeper: _Node, node: _Node) -> None:
    """Note that a file stays although its copy does too, where it is kept for its companions alone."""
    why = reason(maker.rules, keeper.ranked, node.ranked)
    if why is not None and why.rule == MORE_COMPANIONS and not keeper.stays and keeper.path not in maker.richer:
        maker.richer.add(keeper.path)
        maker.left_out.append(LeftOut(group.id, keeper.path, node.path, LeftOutReason.COMPANIONS, why.words))


def _leave_stack(maker: _Maker, group: DuplicateGroup, pair: Pair) -> None:
    """Note that pictures which match a frame of a stack stay, where their relation was asked for."""
    if not needed(pair.relations) <= set(maker.options.relations):
        return
    stack, other = (pair.a, pair.b) if pair.a.is_in_stack else (pair.b, pair.a)
    what = "a document or video" if stack.format in DOCUMENT_FORMATS else "a file of several frames"
    detail = f"{what} goes only for one with the same bytes"
    maker.left_out.append(
        LeftOut(group.id, stack.locations[0].path, other.locations[0].path, LeftOutReason.STACK, detail)
    )


def _planned(node: _Node) -> PlannedFile:
    place = node.ranked.contender.place
    return PlannedFile(place.path, node.image.sha256.hex(), place.size, place.mtime_ns)


def _key(pair: Pair) -> tuple[str, str]:
    first, second = sorted((pair.a.key, pair.b.key))
    return (first, second)
