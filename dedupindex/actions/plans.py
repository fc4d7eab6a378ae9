"""A plan: what would be done to which file, why, and in favour of which other one. Written, read and checked here.

A plan is a file that people read and may edit, so nothing in it is believed: `check_plan` refuses what could lose a
picture, whoever wrote it, and applying compares every file again just before it is touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dedupindex.errors import PlanError
from dedupindex.records import Relation
from dedupindex.records.plans import PLAN_SCHEMA, Action, Plan, PlanItem, PlannedFile

COVERED = 0.955  # share of a picture that its keeper must show; from here on relations call it whole
NEAR_ACTIONS: frozenset[Action]


NEAR_ACTIONS = frozenset({Action.TRASH, Action.MOVE})  # the bytes stay somewhere


def check_plan(plan: Plan) -> None:
    """Refuse a plan that could lose a picture.

    Raises
    ------
    PlanError
        A keeper is to go too; a file goes twice; files of different content are to be linked or deleted; a keeper does
        not show all of a picture; a protected file is to go.
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
    if values.get("schema") != PLAN_SCHEMA:
        raise PlanError(f"{path}: its schema is {values.get('schema')!r}, this dedupindex reads {PLAN_SCHEMA}")
    try:
        plan = _plan(values)
    except (KeyError, TypeError, ValueError) as error:
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
    )


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
    )


def _file(value: Mapping[str, Any]) -> PlannedFile:
    if len(bytes.fromhex(value["sha256"])) != 32:
        raise ValueError(f"sha256 is {value['sha256']!r}")
    return PlannedFile(path_of(value), value["sha256"].lower(), int(value["size"]), int(value["mtime_ns"]))
