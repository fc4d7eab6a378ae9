"""A plan of groups that somebody chose one by one, from the records of these groups: no other group is made for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from dedupindex.actions.chosen_alternates import decided_images
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.actions.planning import completed, make_plan
from dedupindex.groups import roots
from dedupindex.groups.decisions import surplus
from dedupindex.groups.report import present
from dedupindex.ingest import exclusions
from dedupindex.records import DuplicateGroup, ImageRecord
from dedupindex.records.plans import Plan
from dedupindex.settings import Settings
from dedupindex.store import catalog_decisions
from dedupindex.store.database import Database


def plan_of_groups(
    database: Database,
    settings: Settings,
    groups: Sequence[DuplicateGroup],
    options: PlanOptions,
    *,
    version: str,
    without: Collection[Path] = (),
    alternates: Collection[str] = (),
) -> Plan:
    """Plan what to do about some groups, with the same rules as for all of them.

    Parameters
    ----------
    database : Database
    settings : Settings
    groups : sequence of DuplicateGroup
        As the report has them.
    options : PlanOptions
        Where it names no keep rules or preferred folders, those of the settings count.
    version : str
        Of dedupindex.
    without : collection of Path
        Files that stay although they could go.
    alternates : collection of str
        Content keys of the pictures that may go by decisions ``keep-one``; of others only where the options ask for
        all of them.

    Returns
    -------
    Plan

    Raises
    ------
    StoreError
    SettingsError
        The keep rules have no meaning.
    """
    with database.read() as connection:
        decisions = catalog_decisions.decisions(connection)
        known = roots.remembered(connection)
        scanned = None if options.to is None else exclusions.scanned_above(connection, options.to)
    options = completed(options, known, settings)
    there: dict[str, ImageRecord] = {}
    if options.alternates or alternates:
        there = decided_images(database, decisions)
    if alternates and not options.alternates:
        options = dataclasses.replace(options, alternates=True)
        going = {key: stays for key, stays in surplus(decisions).items() if key in alternates}
        there = {key: image for key, image in there.items() if key in {*going, *going.values()}}
    made = make_plan(
        [_as_they_are(group) for group in groups],
        decisions,
        options,
        known=known,
        alternates=there,
        database=database.name,
        version=version,
        made=datetime.now(UTC),
        settings=settings.shaping(),
    )
    items = tuple(item for item in made.items if item.file.path not in without)
    return dataclasses.replace(made, items=items, scanned=scanned)


def _as_they_are(group: DuplicateGroup) -> DuplicateGroup:
    """A group with present places only."""
    members = tuple(dataclasses.replace(member, image=present(member.image)) for member in group.members)
    return dataclasses.replace(group, members=members)
