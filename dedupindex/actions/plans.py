"""A plan: what would be done to which file, why, and in favour of which other one. Written, read and checked here.

A plan is a file that people read and may edit, so it is not trusted: `check_plan` refuses what could lose a picture,
and applying compares every file again just before it is changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dedupindex.errors import PlanError, SettingsError
from dedupindex.fields import Fields, load_json
from dedupindex.records import Outcome, Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.metadata import PictureMetadata
from dedupindex.records.plans import (
    OLDER_PLAN_SCHEMA,
    PLAN_SCHEMA,
    Action,
    Evidence,
    Plan,
    PlanItem,
    PlannedCompanion,
    PlannedFile,
    PlannedMetadata,
)
from dedupindex.records.proofs import Proof, proof_from_plain
from dedupindex.settings import Settings
from dedupindex.sources.metadata.values import cleaned

COVERED = 0.955  # share of a picture that its keeper must show; from here on relations call it whole
SIDECAR = ".xmp"
NEAR_ACTIONS = frozenset({Action.TRASH, Action.MOVE})  # the bytes stay somewhere


def needed(relations: tuple[Relation, ...]) -> set[Relation]:
    """Return the relations that have to be named for a pair to count; `reencoded` where none was seen."""
    return set(relations) - {Relation.UNPROVEN} or {Relation.REENCODED}


def check_plan(plan: Plan) -> None:
    """Refuse a plan that could lose a picture.

    Raises
    ------
    PlanError
        A keeper is to go too; a file goes twice; files of different content are to be linked or deleted; a keeper does
        not show all of a picture; a protected file is to go; a near-duplicate is not proven to be one; a companion that
        the keeper lacks is to go; what is to be written is no sidecar of a keeper.
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
        shows_all = item.chosen or item.covered >= COVERED
        if not item.relations or Relation.SHIFTED_OVERLAP in item.relations or not shows_all:
            raise PlanError(f"{path}: shows something that {item.keeper.path} does not")
        _check_evidence(plan, item)
        if (item.action is Action.MOVE) != (item.target is not None):
            raise PlanError(f"{path}: a target must be given where the action is move, and only there")
        if item.target is not None and (not item.target.is_absolute() or ".." in item.target.parts):
            raise PlanError(f"{item.target}: the plan's paths must be absolute, without '..'")
        if is_under(path, plan.protect):
            raise PlanError(f"{path}: is protected")
        for companion in item.going:
            _check_companion(plan, item, companion)
            if companion.path in gone:
                raise PlanError(f"{companion.path}: the plan names it twice")
            gone.add(companion.path)
        if item.metadata is not None:
            _check_metadata(plan, item, item.metadata)
    targets = [item.target for item in plan.items if item.target is not None]
    targets += [companion.target for item in plan.items for companion in item.going if companion.target is not None]
    if len(set(targets)) < len(targets):
        raise PlanError("two files would go to the same place")
    for item in plan.items:
        if item.keeper.path in gone:
            raise PlanError(f"{item.keeper.path}: is kept for {item.file.path} and would go itself")
        for companion in item.going:
            if companion.equal is not None and companion.equal.path in gone:
                raise PlanError(f"{companion.equal.path}: is kept for {companion.path} and would go itself")
        if item.metadata is not None and item.metadata.sidecar in {*gone, *targets}:
            raise PlanError(f"{item.metadata.sidecar}: is to be written for {item.file.path} and would go itself")


def _check_companion(plan: Plan, item: PlanItem, companion: PlannedCompanion) -> None:
    """Refuse a companion that does not belong to its file, is protected, or would be lost.

    Raises
    ------
    PlanError
    """
    path, file, equal = companion.path, companion.file, companion.equal
    if plan.units is None or item.action not in (*NEAR_ACTIONS, Action.DELETE) or file is None or file.path != path:
        raise PlanError(f"{path}: cannot go with {item.file.path}")
    if path.parent != item.file.path.parent or path == item.file.path:
        raise PlanError(f"{path}: does not lie beside {item.file.path}, to which it is to belong")
    if equal is None and (companion.kind not in plan.may_lack or item.action is Action.DELETE):
        raise PlanError(f"{path}: has no equal beside {item.keeper.path}")
    if equal is not None and (equal.sha256, equal.size) != (file.sha256, file.size):
        raise PlanError(f"{path}: called the same bytes as {equal.path}, but the digests differ")
    if equal is not None and (not equal.path.is_absolute() or ".." in equal.path.parts):
        raise PlanError(f"{equal.path}: the plan's paths must be absolute, without '..'")
    if (companion.target is not None) != (item.action is Action.MOVE):
        raise PlanError(f"{path}: a target must be given where the action is move, and only there")
    if companion.target is not None and (not companion.target.is_absolute() or ".." in companion.target.parts):
        raise PlanError(f"{companion.target}: the plan's paths must be absolute, without '..'")
    if is_under(path, plan.protect):
        raise PlanError(f"{path}: is protected")


def _check_metadata(plan: Plan, item: PlanItem, metadata: PlannedMetadata) -> None:
    """Refuse to write anything but a sidecar beside a keeper.

    Raises
    ------
    PlanError
    """
    path, keeper, existing = metadata.sidecar, item.keeper.path, metadata.existing
    names = {f"{start}{SIDECAR}".casefold() for start in (keeper.name, keeper.stem)}
    if path.parent != keeper.parent or path.name.casefold() not in names or path == keeper:
        raise PlanError(f"{path}: is no sidecar of {keeper}")
    if item.action not in NEAR_ACTIONS or not plan.merge_metadata:
        raise PlanError(f"{path}: cannot be written here: the plan carries nothing over")
    if existing is not None and existing.path != path:
        raise PlanError(f"{existing.path}: is not the sidecar {path}")
    if metadata.carried and is_under(path, plan.protect):
        raise PlanError(f"{path}: is protected")


def _check_evidence(plan: Plan, item: PlanItem) -> None:
    """Refuse a near-duplicate that is not proven, and what is proven to be something else.

    Raises
    ------
    PlanError
    """
    path, keeper = item.file.path, item.keeper.path
    if item.exact:
        return
    if item.chosen:
        if not plan.alternates:
            raise PlanError(f"{path}: shows other content than {keeper}, which the plan was not asked for")
        if item.file.sha256 == item.keeper.sha256:
            raise PlanError(f"{path}: called other content than {keeper}, but the digests are the same")
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
        values = Fields.of(load_json(path.read_bytes()))
    except ValueError as error:
        raise PlanError(f"{path}: no plan: {error}") from error
    if values.values.get("kind") != "plan":
        raise PlanError(f"{path}: no plan")
    schema = values.values.get("schema")
    if schema == 1:
        words = "was made by an older dedupindex, without what it takes to compare the files again; make the plan again"
        raise PlanError(f"{path}: {words}")
    if schema not in (PLAN_SCHEMA, OLDER_PLAN_SCHEMA) or isinstance(schema, bool):
        raise PlanError(
            f"{path}: {values.wrong('schema', f'this dedupindex reads {PLAN_SCHEMA}')}"
            if "schema" in values.values
            else f"{path}: schema is missing"
        )
    try:
        plan = _plan(values)
    except ValueError as error:  # SettingsError is one too
        raise PlanError(f"{path}: {error}") from error
    check_plan(plan)
    return plan


def path_of(value: Fields) -> Path:
    """Return a path from its JSON: `path_bytes` (hexadecimal) where the name is no text, else `path`.

    Raises
    ------
    ValueError
    """
    written = "path_bytes" in value.values
    name = os.fsdecode(_bytes_of(value, "path_bytes")) if written else value.text("path")
    if "\0" in name or not name:
        raise ValueError(f"{value.where}: a path is no name of a file")
    return Path(name)


def _bytes_of(value: Fields, name: str) -> bytes:
    text = value.text(name)
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise value.wrong(name, "must be hexadecimal digits") from error


def _plan(values: Fields) -> Plan:
    try:
        made = datetime.fromisoformat(values.text("made"))
    except ValueError as error:
        raise values.wrong("made", "must be a time") if "made" in values.values else error from error
    return Plan(
        database=values.text("database"),
        made=made,
        version=values.text("version"),
        action=values.choice("action", Action),
        rules=values.texts("keep_rules"),
        relations=tuple(values.chosen("relations", name, Relation) for name in values.items("relations")),
        protect=tuple(path_of(value) for value in values.objects("protect")),
        items=tuple(_item(value) for value in values.objects("items")),
        unproven=values.values.get("unproven") is True,
        alternates=values.values.get("alternates") is True,
        settings=_settings(values.object("settings").values),
        to=_path_or_none(values, "to"),
        scanned=_path_or_none(values, "scanned"),
        merge_metadata=values.values.get("merge_metadata") is True,
        **_units(values),
    )


def _path_or_none(values: Fields, name: str) -> Path | None:
    """A path that need not be there, as in plans that were made before it was written down."""
    return None if values.values.get(name) is None else path_of(values.object(name))


def _units(values: Fields) -> dict[str, Any]:
    """What an older plan does not say."""
    if values.values["schema"] == OLDER_PLAN_SCHEMA:
        return {}
    kinds = tuple(values.chosen("may_lack", name, CompanionKind) for name in values.items("may_lack"))
    return {"units": None if values.is_null("units") else values.choice("units", Units), "may_lack": kinds}


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Check that the settings have a meaning; they stay as they are."""
    known = Settings.load(environment={}, **values).shaping()
    strange = [name for name in values if name not in known]
    if strange:
        raise SettingsError(f"{', '.join(strange)}: no setting that shapes how files are read")
    return dict(values)


def _item(value: Fields) -> PlanItem:
    return PlanItem(
        group=value.text("group"),
        action=value.choice("action", Action),
        file=_file(value.object("file")),
        keeper=_file(value.object("keeper")),
        relations=tuple(value.chosen("relation", name, Relation) for name in value.text("relation").split("+")),
        rule=value.text("rule"),
        because=value.text("because"),
        judgement=value.values.get("judgement") is True,
        covered=value.number("covered"),
        target=None if value.is_null("target") else path_of(value.object("target")),
        score=value.number("score"),
        evidence=None if value.is_null("evidence") else _evidence(value.object("evidence")),
        companions=_companions(value) if "companions" in value.values else (),
        metadata=None if value.values.get("metadata") is None else _metadata(value.object("metadata")),
    )


def _metadata(value: Fields) -> PlannedMetadata:
    return PlannedMetadata(
        sidecar=path_of(value.object("sidecar")),
        existing=None if value.is_null("existing") else _file(value.object("existing")),
        carried=_said(value.object("carried")),
        differing=_said(value.object("differing")),
    )


def _said(value: Fields) -> PictureMetadata:
    """What is said of a picture, as far as a sidecar can hold it."""
    rating = None if value.is_null("rating") else value.integer("rating")
    if rating not in (None, -1, 1, 2, 3, 4, 5):
        raise value.wrong("rating", "must be 1 to 5, or -1")
    position = None
    if not value.is_null("position"):
        latitude, longitude = value.numbers("position", 2)
        if abs(latitude) > 90 or abs(longitude) > 180:
            raise value.wrong("position", "must be a latitude and a longitude, degrees")
        position = (latitude, longitude)
    keywords, hierarchy = value.texts("keywords"), value.texts("hierarchy")
    said = PictureMetadata(rating, keywords, hierarchy, value.text("description"), position, value.text("taken"))
    if cleaned(said) != said:
        raise ValueError(f"{value.where} holds texts that no sidecar can hold")
    return said


def _companions(item: Fields) -> tuple[PlannedCompanion, ...]:
    return tuple(
        PlannedCompanion(
            kind=value.choice("kind", CompanionKind),
            path=path_of(value),
            file=_file(value) if value.flag("goes") else None,
            equal=None if value.is_null("equal") else _file(value.object("equal")),
            target=None if value.is_null("target") else path_of(value.object("target")),
        )
        for value in item.objects("companions")
    )


def _evidence(value: Fields) -> Evidence:
    rows = value.items("matrix")
    if len(rows) != 2:
        raise value.wrong("matrix", "must be two rows of 3 numbers")
    (xx, xy, x0), (yx, yy, y0) = (Fields({"matrix": row}, value.where).numbers("matrix", 3) for row in rows)
    shapes = []
    for name in ("keeper_shape", "file_shape"):
        height, width = value.integers(name, 2)
        if height < 1 or width < 1:
            raise ValueError(f"{value.where}.{name} is {height} x {width}, must be positive")
        shapes.append((height, width))
    proof = None if value.is_null("proof") else _proof(value.object("proof"))
    return Evidence(((xx, xy, x0), (yx, yy, y0)), shapes[0], shapes[1], proof)


def _proof(value: Fields) -> Proof:
    value.choice("outcome", Outcome)
    for name in ("changed", "moved", "largest", "noise", "scale_a", "scale_b", "compared"):
        if name in value.values:
            value.number(name)
    try:
        return proof_from_plain(value.values)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise ValueError(f"{value.where} is no proof as `plan` writes it") from error


def _file(value: Fields) -> PlannedFile:
    if len(_bytes_of(value, "sha256")) != 32:
        raise value.wrong("sha256", "must be 64 hexadecimal digits")
    return PlannedFile(path_of(value), value.text("sha256").lower(), value.integer("size"), value.integer("mtime_ns"))
