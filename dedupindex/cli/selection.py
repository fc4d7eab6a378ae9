"""Reports of some relations only."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from dedupindex.errors import SettingsError
from dedupindex.records import ImageRecord, Relation
from dedupindex.workflows.outcome import Report


def with_relations(report: Report, names: Sequence[str]) -> Report:
    """Return the report with only those pairs that have one of the relations, and the groups that they make.

    Raises
    ------
    SettingsError
        There is no such relation.
    """
    from dedupindex.workflows.groups import build_groups

    unknown = [name for name in names if name not in set(Relation)]
    if unknown:
        raise SettingsError(f"no relation {', '.join(unknown)}; there are: {', '.join(Relation)}")
    wanted = {Relation(name) for name in names}
    pairs = tuple(pair for pair in report.pairs if wanted & set(pair.verification.relations))
    copies: list[ImageRecord] = []
    if Relation.SAME_BYTES in wanted:
        copies = [m.image for group in report.groups for m in group.members if len(m.image.locations) > 1]
    return dataclasses.replace(report, pairs=pairs, groups=build_groups(pairs, copies))
