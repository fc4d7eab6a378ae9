"""What the routes of the service share."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request

from dedupindex import Bank, Uploads, read_bank
from dedupindex.index import Index
from dedupindex.records import DuplicateGroup, Match
from dedupindex.web.service.measures import Measures
from dedupindex.web.service.options import Options
from dedupindex.web.service.reports import Reports
from dedupindex.web.service.searching import Searcher
from dedupindex.web.shared.pictures import Pictures


@dataclass(frozen=True)
class Service:
    """One replica."""

    index: Index
    options: Options
    uploads: Uploads
    measures: Measures
    searcher: Searcher
    reports: Reports
    pictures: Pictures
    banks: tuple[Bank, ...] = ()  # of hashes, for `/api/match`
    warm: threading.Event = field(default_factory=threading.Event)  # the vector index is loaded

    @classmethod
    def over(cls, index: Index, uploads: Uploads, options: Options) -> Service:
        """Return the replica over an index.

        Parameters
        ----------
        index : Index
        uploads : Uploads
            Describes uploaded pictures.
        options : Options

        Returns
        -------
        Service
        """
        measures = Measures(index)
        searcher = Searcher(index, measures, options.search_after)
        banks = tuple(read_bank(path) for path in options.banks)
        pictures = Pictures(index, blur=options.blur)
        return cls(index, options, uploads, measures, searcher, Reports(index), pictures, banks)

    def told(self) -> Mapping[str, int | float | str]:
        """Return what the catalogue holds; but not where it lies."""
        return {name: value for name, value in self.index.info().items() if name != "path"}

    def group(self, group_id: str) -> DuplicateGroup | None:
        """Return the group of that id in the report of everything."""
        return self.reports.group(group_id)

    def answered(self, matches: Sequence[Match]) -> None:
        """Count a query and its matches."""
        self.measures.queries.inc()
        self.measures.matches.inc(len(matches))


def service_of(request: Request) -> Service:
    """Return the replica that a request is for."""
    service: Service = request.app.state.service
    return service
