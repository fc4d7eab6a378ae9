"""A plan: what would be done to which file, why, and in favour of which other one. Written, read and checked here.

A plan is a file that people read and may edit, so it is not trusted: `check_plan` refuses what could lose a picture,
and applying compares every file again just before it is changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dedupindex.errors import PlanError, SettingsError
from dedupindex.records import Outcome, Relation
from dedupindex.records.plans import PLAN_SCHEMA, Action, Evidence, Plan, PlanItem, PlannedFile
from dedupindex.records.proofs import proof_from_plain
from dedupindex.settings import Settings

COVERED = 0.955  # share of a picture that its keeper must show; from here on relations call it whole
NEAR_ACTIONS = frozenset({Action.TRASH, Action.MOVE})  # the bytes stay somewhere


def check_plan(plan: Plan) -> None:
    """Refuse a plan that could lose a picture.

    Raises
    ------
    PlanError
        A keeper is to go too; a file goes twice; files of different content are to be linked or deleted; a keeper does
        not show all of a picture; a protected file is to go; a near-duplicate is not proven to be one.
    """
    gone: set[Path] = set()
    for item in plan.items:
        path = item.file.path
        if not (path.is_absolute() and item.keeper.path.is_absolute()) or ".." in (
            *path.parts,
            *item.keeper.path.parts,
        ):
            raise PlanError(f"{path}: the plan's paths must be absolute, without '..'")
        if path in gone:
            raise PlanError(f"{path}: the plan names it twice")
        gone.add(path)
        if item.exact and (item.file.sha256 != item.keeper.sha256 or item.file.size != item.keeper.size):
            raise PlanError(f"{path}: called the same bytes as {item.keeper.path}, but the digests differ")
        if not item.exact and item.action not in NEAR_ACTIONS:
            raise PlanError(f"{path}: only the same bytes may be linked or deleted, this is {'+'.join(item.relations)}")
        if not item.relations or Relation.SHIFTED_OVERLAP in item.relations or item.covered < COVERED:
            raise PlanError(f"{path}: shows something that {item.keeper.path} does not")
        _check_evidence(plan, item)
        if (item.action is Action.MOVE) != (item.target is not None):
            raise PlanError(f"{path}: a target must be given where the action is move, and only there")
        if item.target is not None and (not item.target.is_absolute() or ".." in item.target.parts):
            raise PlanError(f"{item.target}: the plan's paths must be absolute, without '..'")
        if is_under(path, plan.protect):
            raise PlanError(f"{path}: is protected")
    targets = [item.target for item in plan.items if item.target is not None]
    if len(set(targets)) < len(targets):
        raise PlanError("two files would go to the same place")
    for item in plan.items:
        if item.keeper.path in gone:
            raise PlanError(f"{item.keeper.path}: is kept for {item.file.path} and would go itself")


def _check_evidence(plan: Plan, item: PlanItem) -> None:
    """Refuse a near-duplicate that is not proven, and what is proven to be something else.

    Raises
    ------
    PlanError
    """
    path, keeper = item.file.path, item.keeper.path
    if item.exact:
        return
    if Relation.ALTERNATE in item.relations:
        raise PlanError(f"{path}: shows other content than {keeper}")
    if Relation.SAME_BYTES in item.relations:
        raise PlanError(f"{path}: the same bytes, and yet {'+'.join(item.relations)}")
    if item.evidence is None:
        raise PlanError(f"{path}: the plan does not say how to compare it with {keeper} again")
    if item.edited and Relation.EDITED not in plan.relations:
        raise PlanError(f"{path}: is edited, which the plan was not asked for")
    if item.unproven:
        if not plan.unproven:
            raise PlanError(f"{path}: is not proven to be a copy of {keeper}")
        return
    if item.same_pixels:
        return
    wanted = Outcome.EDITED if item.edited else Outcome.SAME
    if item.evidence.proof is None or item.evidence.proof.outcome is not wanted:
        raise PlanError(f"{path}: is not proven to be a copy of {keeper}")


def is_under(path: Path, folders: Sequence[Path]) -> bool:
    """Whether a path is one of these or lies below one, as it is written or with the links on its way resolved."""
    if not folders:
        return False
    # the name itself is not resolved: of a file that was made a link, the link is meant, not the keeper behind it
    spellings = (path, Path(os.path.realpath(path.parent)) / path.name)
    roots = {*folders, *(Path(os.path.realpath(folder)) for folder in folders)}
    return any(spelling.is_relative_to(root) for spelling in spellings for root in roots)


# --------------------------------------------------------------------------------------------------------- reading
def read_plan(path: Path) -> Plan:
    """Read and check a plan.

    Raises
    ------
    PlanError
        It is no plan, of another schema, or one that could lose a picture.
    OSError
    """
    try:
        values = json.loads(path.read_bytes())
    except ValueError as error:
        raise PlanError(f"{path}: no plan: {error}") from error
    if not isinstance(values, dict) or values.get("kind") != "plan":
        raise PlanError(f"{path}: no plan")
    if values.get("schema") == 1:
        words = "was made by an older dedupindex, without what it takes to compare the files again; make the plan again"
        raise PlanError(f"{path}: {words}")
    if values.get("schema") != PLAN_SCHEMA:
        raise PlanError(f"{path}: its schema is {values.get('schema')!r}, this dedupindex reads {PLAN_SCHEMA}")
    try:
        plan = _plan(values)
    except SettingsError as error:
        raise PlanError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise PlanError(f"{path}: no whole plan: {error!r}") from error
    check_plan(plan)
    return plan


def path_of(value: Mapping[str, Any]) -> Path:
    """Return a path from its JSON: `path_bytes` (hexadecimal) where the name is no text, else `path`."""
    if "path_bytes" in value:
        return Path(os.fsdecode(bytes.fromhex(value["path_bytes"])))
    return Path(str(value["path"]))


def _plan(values: Mapping[str, Any]) -> Plan:
    return Plan(
        database=str(values["database"]),
        made=datetime.fromisoformat(values["made"]),
        version=str(values["version"]),
        action=Action(values["action"]),
        rules=tuple(str(rule) for rule in values["keep_rules"]),
        relations=tuple(Relation(name) for name in values["relations"]),
        protect=tuple(path_of(value) for value in values["protect"]),
        items=tuple(_item(value) for value in values["items"]),
        unproven=values["unproven"] is True,
        settings=_settings(values["settings"]),
    )


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check that the settings have a meaning; they stay as they are."""
    known = Settings.load(environment={}, **values).shaping()
    strange = [name for name in values if name not in known]
    if strange:
        raise SettingsError(f"{', '.join(strange)}: no setting that shapes how files are read")
    return dict(values)


def _item(value: Mapping[str, Any]) -> PlanItem:
    return PlanItem(
        group=str(value["group"]),
        action=Action(value["action"]),
        file=_file(value["file"]),
        keeper=_file(value["keeper"]),
        relations=tuple(Relation(name) for name in value["relation"].split("+")),
        rule=str(value["rule"]),
        because=str(value["because"]),
        covered=float(value["covered"]),
        target=None if value["target"] is None else path_of(value["target"]),
        score=float(value["score"]),
        evidence=None if value["evidence"] is None else _evidence(value["evidence"]),
    )


def _evidence(value: Mapping[str, Any]) -> Evidence:
    (xx, xy, x0), (yx, yy, y0) = ((float(number) for number in row) for row in value["matrix"])
    shapes = []
    for name in ("keeper_shape", "file_shape"):
        height, width = (int(side) for side in value[name])
        if height < 1 or width < 1:
            raise ValueError(f"{name} is {value[name]!r}")
        shapes.append((height, width))
    proof = None if value["proof"] is None else proof_from_plain(value["proof"])
    return Evidence(((xx, xy, x0), (yx, yy, y0)), shapes[0], shapes[1], proof)


def _file(value: Mapping[str, Any]) -> PlannedFile:
    if len(bytes.fromhex(value["sha256"])) != 32:
        raise ValueError(f"sha256 is {value['sha256']!r}")
    return PlannedFile(path_of(value), value["sha256"].lower(), int(value["size"]), int(value["mtime_ns"]))
