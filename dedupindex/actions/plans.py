"""A plan: what would be done to which file, why, and in favour of which other one. Written, read and checked here.

A plan is a file that people read and may edit, so nothing in it is believed: `check_plan` refuses what could lose a
picture, whoever wrote it, and applying compares every file again just before it is touched.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedupindex.errors import PlanError
from dedupindex.records import Relation

PLAN_SCHEMA = 1
COVERED = 0.955  # share of a picture that its keeper must show; from here on relations call it whole
NEAR_ACTIONS: frozenset[Action]


class Action(StrEnum):
    """What is done to a file that is not kept."""

    TRASH = "trash"  # to the desktop's trash
    MOVE = "move"  # to a folder of the user's choice
    HARDLINK = "hardlink"  # its name becomes another name of the keeper
    SYMLINK = "symlink"  # its name becomes a symbolic link to the keeper
    DELETE = "delete"


NEAR_ACTIONS = frozenset({Action.TRASH, Action.MOVE})  # the bytes stay somewhere


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file as it was when the plan was made."""

    path: Path
    sha256: str  # hexadecimal
    size: int  # bytes
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One file that is to go, and the one that is kept for it."""

    group: str
    action: Action
    file: PlannedFile
    keeper: PlannedFile
    relations: tuple[Relation, ...]
    rule: str  # the keep rule that decided
    because: str  # its words
    covered: float  # share of the file that the keeper shows, 0..1
    target: Path | None = None  # where it goes; None: the trash chooses, or it goes nowhere
    score: float = 1.0

    @property
    def exact(self) -> bool:
        """Whether the two hold the same bytes."""
        return self.relations == (Relation.SAME_BYTES,)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that stays although it has a copy, and why (``tie``, ``protected``, ``relation``, ...)."""

    group: str
    path: Path
    keeper: Path | None
    why: str
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done."""

    database: str
    made: datetime
    version: str  # of dedupindex
    action: Action
    rules: tuple[str, ...]
    relations: tuple[Relation, ...]
    protect: tuple[Path, ...]
    items: tuple[PlanItem, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def bytes(self) -> int:
        """Size of all files that would go."""
        return sum(item.file.size for item in self.items)

    def digest(self) -> str:
        """Return what identifies the plan, made when it was: a journal belongs to one plan."""
        return _digest([self.made.isoformat(timespec="seconds"), self._operations()])

    def deeds_digest(self) -> str:
        """Return what identifies the plan's operations: the same for a plan that is made anew and says the same."""
        return _digest(self._operations())

    def _operations(self) -> list[tuple[str, ...]]:
        return [
            (i.action, os.fsencode(i.file.path).hex(), i.file.sha256, os.fsencode(i.keeper.path).hex(), str(i.target))
            for i in self.items
        ]


def _digest(said: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


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
