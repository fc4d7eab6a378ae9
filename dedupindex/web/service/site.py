"""What the routes of the service share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from starlette.requests import Request

from dedupindex import Uploads
from dedupindex.index import Index
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
    warm: threading.Event = field(default_factory=threading.Event)  # the vector index is loaded

    @classmethod
    def over(cls, index: Index, uploads: Uploads, options: Options) -> Service:
        """Return the replica over an index."""
        measures = Measures(index)
        searcher = Searcher(index, measures, options.search_after)
        return cls(index, options, uploads, measures, searcher, Reports(index), Pictures(index))


def service_of(request: Request) -> Service:
    """Return the replica that a request is for."""
    service: Service = request.app.state.service
    return service
