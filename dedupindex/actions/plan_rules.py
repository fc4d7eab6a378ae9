"""Rules for plans that are made again and again, from a TOML file: what goes from which folders, in favour of which.

A rule says: below these folders (``in``), files go that are to be had below those folders (``kept_in``) as the same
bytes, or as the relations that it names. Nothing below ``kept_in`` goes by it, and everything that holds for other
plans holds here too: decisions, keep rules, proof, coverage. A rule takes less than a plan that somebody makes for
once: edited and unproven pictures cannot be named, nor can files be deleted, so that `undo` brings all of it back.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dedupindex.actions.asked_relations import PROVEN_COPIES, relations_named
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.planning import plan
from dedupindex.actions.plans import check_plan
from dedupindex.actions.targets import with_targets
from dedupindex.errors import SettingsError
from dedupindex.fields import Fields
from dedupindex.groups.unit_files import UnitFinder
from dedupindex.places import absolute, at_home
from dedupindex.records import Relation
from dedupindex.records.companions import Units
from dedupindex.records.plans import COPY, Action, LeftOut, LeftOutReason, Plan, PlanItem, PlannedCompanion
from dedupindex.records.reports import Selection
from dedupindex.records.selected_places import below
from dedupindex.settings import Settings, read_toml
from dedupindex.store import catalog_locations
from dedupindex.store.database import Connection, Database

# Those that `undo` takes back in any case.
ACTIONS = (Action.TRASH, Action.MOVE, Action.HARDLINK, Action.SYMLINK, Action.REFLINK)
RELATIONS = (Relation.SAME_BYTES, *PROVEN_COPIES)
_FILE_KEYS = ("action", "to", "protect", "rule")
_RULE_KEYS = ("name", "in", "kept_in", "relations", "same_bytes")


@dataclass(frozen=True, slots=True)
class PlanRule:
    """Which files go from some folders, in favour of which others."""

    name: str
    folders: tuple[Path, ...]  # below these files go; absolute
    kept_in: tuple[Path, ...]  # below these their copies are kept; absolute
    relations: tuple[Relation, ...]


@dataclass(frozen=True, slots=True)
class PlanRules:
    """The rules of one file, in the order in which they are asked."""

    rules: tuple[PlanRule, ...]
    action: Action = Action.TRASH
    to: Path | None = None  # where `move` moves to
    protect: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanByRules:
    """A plan that rules made, and why some of them could not say anything."""

    plan: Plan
    idle: tuple[str, ...] = ()  # a line for each folder of which the index knows no picture


# ----------------------------------------------------------------------------------------------------- reading
def read_rules(path: Path) -> PlanRules:
    """Read rules from a TOML file.

    Parameters
    ----------
    path : Path

    Returns
    -------
    PlanRules

    Raises
    ------
    SettingsError
        The file cannot be read, is no TOML, or one of its values has no meaning; the message names the value.
    """
    try:
        return _rules(Fields.of(read_toml(at_home(path))))
    except SettingsError as error:
        words = str(error)
        raise SettingsError(words if words.startswith(f"{at_home(path)}: ") else f"{path}: {words}") from error
    except ValueError as error:
        raise SettingsError(f"{path}: {error}") from error


def _rules(values: Fields) -> PlanRules:
    _refuse_unknown(values, _FILE_KEYS)
    action = values.choice("action", Action) if "action" in values.values else Action.TRASH
    if action not in ACTIONS:
        raise values.wrong("action", f"must be one of {', '.join(ACTIONS)}: rules do nothing that cannot be taken back")
    rules = tuple(_rule(value, number) for number, value in enumerate(values.objects("rule"), 1))
    if not rules:
        raise ValueError("there is no rule; each begins with [[rule]]")
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two rules are called {name!r}")
    to = _folders(values, "to") if "to" in values.values else ()
    if (action is Action.MOVE) != (len(to) == 1):
        raise ValueError("to must be one folder where action is move, and must not be there otherwise")
    for rule in rules:  # as for every plan: near-duplicates are not linked
        PlanOptions(action, to[0] if to else None, rule.relations)
    protect = _folders(values, "protect") if "protect" in values.values else ()
    return PlanRules(rules, action, to[0] if to else None, protect)


def _rule(value: Fields, number: int) -> PlanRule:
    _refuse_unknown(value, _RULE_KEYS)
    name = value.text("name") if "name" in value.values else str(number)
    if not name.strip() or not name.isprintable():
        raise value.wrong("name", "must be text in one line")
    folders, kept_in = _folders(value, "in"), _folders(value, "kept_in")
    twice = [str(folder) for folder in folders if folder in kept_in]
    if twice:
        raise ValueError(f"{value.where}: {twice[0]} stands in both in and kept_in")
    return PlanRule(name, folders, kept_in, _relations(value))


def _relations(value: Fields) -> tuple[Relation, ...]:
    names = value.texts("relations") if "relations" in value.values else ()
    same_bytes = value.truth("same_bytes") if "same_bytes" in value.values else True
    allowed = [*RELATIONS, COPY]
    for name in names:
        if name not in allowed:
            kinds = (
                "edited, alternate and unproven pictures need a look"
                if name in set(Relation)
                else _nearest(name, allowed)
            )
            raise ValueError(
                f"{value.where}.relations names {name!r}, must be among {', '.join(allowed)}"
                + (f" ({kinds})" if kinds else "")
            )
    chosen = relations_named(names, same_bytes=same_bytes)
    if not chosen:
        raise ValueError(f"{value.where}.same_bytes is false, and relations names nothing else: the rule takes nothing")
    return chosen


def _folders(value: Fields, name: str) -> tuple[Path, ...]:
    """One or more folders, each a whole path or one that begins with ``~``: rules are read wherever somebody stands."""
    single = isinstance(value.values.get(name), str)
    texts = (value.text(name),) if single else value.texts(name)
    if not texts:
        raise value.wrong(name, "must name a folder")
    folders = []
    for text in texts:
        if "\0" in text or not at_home(Path(text)).is_absolute():
            raise ValueError(
                f"{value.where + '.' if value.where else ''}{name}: {text!r} must be a whole path, like ~/Pictures"
            )
        folders.append(absolute(Path(text)))
    return tuple(dict.fromkeys(folders))


def _refuse_unknown(value: Fields, known: Sequence[str]) -> None:
    for name in value.values:
        if name not in known:
            where = f"{value.where}: " if value.where else ""
            near = _nearest(name, known)
            raise ValueError(
                f"{where}there is no {name!r}{f' ({near})' if near else ''}; there are: {', '.join(known)}"
            )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f"did you mean {near[0]}?" if near else ""


# ---------------------------------------------------------------------------------------------------- planning
def plan_by_rules(database: Database, settings: Settings, rules: PlanRules, *, version: str) -> PlanByRules:
    """Plan what rules take. Nothing is touched.

    Parameters
    ----------
    database : Database
    settings : Settings
        Their keep rules and preferred folders count.
    rules : PlanRules
        Each file goes by the first rule that takes it. What stays for a file that goes does not go by a later rule.
    version : str
        Of dedupindex.

    Returns
    -------
    PlanByRules

    Raises
    ------
    StoreError
    SettingsError
        The keep rules of the settings have no meaning.
    PlanError
    """
    with database.read() as connection:
        unknown = _unknown(connection, rules)

    def planned(options: PlanOptions, selection: Selection) -> Plan:
        return plan(database, settings, options, version=version, selection=selection)

    return joined_plan(rules, planned, unknown, settings.shaping(), database=database.name, version=version)


def joined_plan(
    rules: PlanRules,
    planned: Callable[[PlanOptions, Selection], Plan],
    unknown: Collection[Path],
    shaping: Mapping[str, Any],
    *,
    database: str,
    version: str,
) -> PlanByRules:
    """Make one plan of what each rule takes.

    Parameters
    ----------
    rules : PlanRules
    planned : callable
        Makes the plan of a single rule.
    unknown : collection of Path
        Folders of the rules of which the index knows no picture.
    shaping : mapping
        Settings that shape how files are read.
    database, version : str
        For the record.

    Returns
    -------
    PlanByRules

    Raises
    ------
    PlanError
        It could lose a picture.
    """
    idle: dict[str, None] = {}
    made: list[tuple[PlanRule, Plan]] = []
    for rule, folder, kept_in in _parts(rules):
        missing = [place for place in (folder, kept_in) if place in unknown]
        if missing:
            idle[f"rule {rule.name}: the index knows no picture at or below {missing[0]}"] = None
            continue
        # what lies deeper within the folder may be what is kept; then it must not go itself
        protect = (*rules.protect, kept_in) if below(kept_in, folder) else rules.protect
        options = PlanOptions(rules.action, rules.to, rule.relations, protect, keeper_copies=False)
        selection = Selection(paths=(folder,), across=(folder, kept_in))
        made.append((rule, planned(options, selection)))
    items, left_out = _joined(made)
    items, torn = _whole(items, UnitFinder(str(shaping.get("mask_pattern", "")), Units.TOGETHER))
    left_out += torn
    relations = dict.fromkeys(relation for rule in rules.rules for relation in rule.relations)
    whole = Plan(
        database=database,
        made=datetime.now(UTC),
        version=version,
        action=rules.action,
        rules=made[0][1].rules if made else (),
        relations=tuple(relations),
        protect=rules.protect,
        items=tuple(with_targets(items, rules.to)),
        left_out=tuple(left_out),
        settings=dict(shaping),
        units=Units.TOGETHER,
    )
    check_plan(whole)
    return PlanByRules(whole, tuple(idle))


def _unknown(connection: Connection, rules: PlanRules) -> set[Path]:
    """Return the folders of rules of which the index knows no picture."""
    folders = {folder for rule in rules.rules for folder in (*rule.folders, *rule.kept_in)}
    return {folder for folder in folders if next(catalog_locations.paths_under(connection, folder, 1), None) is None}


def _parts(rules: PlanRules) -> Iterator[tuple[PlanRule, Path, Path]]:
    for rule in rules.rules:
        for folder in rule.folders:
            for kept_in in rule.kept_in:
                yield rule, folder, kept_in


def _joined(made: Iterable[tuple[PlanRule, Plan]]) -> tuple[list[PlanItem], list[LeftOut]]:
    """Join the plans of single rules: each file goes once, and none that another one goes for."""
    gone: dict[Path, PlanItem] = {}
    kept: dict[Path, PlanItem] = {}
    left: dict[Path, LeftOut] = {}
    for rule, single in made:
        for item in single.items:
            path, keeper = item.file.path, item.keeper.path
            if path in gone:
                continue
            if path in kept or keeper in gone:
                words = f"stays for {kept[path].file.path}" if path in kept else f"{keeper} goes by another rule"
                left.setdefault(path, LeftOut(item.group, path, keeper, LeftOutReason.OTHER_RULE, words))
                continue
            because = f"{item.because} (rule {rule.name})"
            gone[path] = kept[keeper] = dataclasses.replace(item, because=because, target=None)
        for file in single.left_out:
            if file.why is not LeftOutReason.NOT_SELECTED:  # what lies in `kept_in` is not asked about
                left.setdefault(file.path, file)
    return list(gone.values()), [file for path, file in left.items() if path not in gone]


def _whole(items: Sequence[PlanItem], finder: UnitFinder) -> tuple[list[PlanItem], list[LeftOut]]:
    """Keep units whole of which several rules take a picture each.

    A companion of pictures that do not all go stays with those that stay. Where all of them would go, each by a rule
    that left the companion with the others, the last of them stays.
    """
    whole = {item.file.path: item for item in items}
    left: list[LeftOut] = []
    while True:
        going = {companion.path for item in whole.values() for companion in item.going}
        for path, item in whole.items():
            companions = tuple(
                companion
                if _all_go(companion.path, finder, whole)
                else PlannedCompanion(companion.kind, companion.path)
                for companion in item.companions
            )
            whole[path] = dataclasses.replace(item, companions=companions)
        alone = {
            companion.path: path
            for path, item in whole.items()
            for companion in item.companions
            if companion.path not in going and companion.path not in whole and _all_go(companion.path, finder, whole)
        }
        if not alone:
            return list(whole.values()), left
        companion, path = next(iter(alone.items()))
        item = whole.pop(path)
        words = f"without it {companion.name}, which belongs to it, would be left alone"
        left.append(LeftOut(item.group, path, item.keeper.path, LeftOutReason.OTHER_RULE, words))


def _all_go(companion: Path, finder: UnitFinder, gone: Collection[Path]) -> bool:
    owners = finder.owners(companion)
    return bool(owners) and all(owner in gone for owner in owners)
