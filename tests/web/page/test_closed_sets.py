"""The names that routes and the command line write out are those of the enums."""

from typing import get_args

import pytest

from dedupindex.cli import decide
from dedupindex.records import DecisionKind
from dedupindex.records.reports import FolderChoice
from dedupindex.web.page import api
from dedupindex.web.page.listed import ListOrder, ListState, ProofState
from dedupindex.web.page.overview import CHOICES, ORDERS, PROOFS, STATES, Bulk
from dedupindex.web.service import routes


def literals(annotation) -> tuple[str, ...]:
    """Strings anywhere inside an annotation."""
    inside = [name for part in get_args(annotation) for name in ([part] if isinstance(part, str) else literals(part))]
    return tuple(inside)


@pytest.mark.parametrize(
    ("written", "kinds"),
    [
        (literals(api.DecisionOrder.model_fields["kind"].annotation) or (), DecisionKind),
        (decide.KINDS, DecisionKind),
        (tuple(STATES), ListState),
        (tuple(ORDERS), ListOrder),
        (tuple(PROOFS), ProofState),
        ((*CHOICES, Bulk.COLLECT), Bulk),
    ],
)
def test_names_are_those_of_the_enum(written, kinds):
    assert written == tuple(kinds)


@pytest.mark.parametrize(
    ("route", "name", "kinds"),
    [
        (api.groups, "state", ListState),
        (api.groups, "order", ListOrder),
        (routes.report, "folder", [kind for kind in FolderChoice if kind]),
    ],
)
def test_queries_take_the_values_of_the_enum(route, name, kinds):
    from typing import get_type_hints

    assert literals(get_type_hints(route)[name]) == tuple(kinds)
