"""What Prometheus reads: counters of this replica, and the state of the catalogue at the time of reading."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dedupindex import __version__
from dedupindex.errors import DedupIndexError
from dedupindex.index import Index
from dedupindex.records.upkeep import Vitals

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
KEPT = 5.0  # seconds that the state of the catalogue is kept: counting a large one takes a while
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds


class Measures:
    """The measures of one replica, in a registry of their own."""

    def __init__(self, index: Index) -> None:
        registry = self._registry = CollectorRegistry()
        labels = ("endpoint", "method", "status")
        self.requests = Counter("dedupindex_requests", "Requests answered.", labels, registry=registry)
        self.seconds = Histogram(
            "dedupindex_request_seconds", "Time to answer.", ("endpoint",), buckets=BUCKETS, registry=registry
        )
        self.in_flight = Gauge("dedupindex_requests_in_flight", "Requests being answered.", registry=registry)
        self.queries = Counter("dedupindex_queries", "Pictures searched for.", registry=registry)
        self.matches = Counter("dedupindex_matches", "Confirmed matches given.", registry=registry)
        self.uploads = Counter("dedupindex_uploads", "Uploaded pictures, by outcome.", ("outcome",), registry=registry)
        self.searches = Counter("dedupindex_searches", "Searches for duplicates begun here.", registry=registry)
        for outcome in ("added", "placed", "unchanged", "refused"):
            self.uploads.labels(outcome)
        about = Gauge("dedupindex_info", "Version of the program.", ("version",), registry=registry)
        about.labels(__version__).set(1)
        ProcessCollector(registry=registry)
        registry.register(_Catalogue(index))

    def text(self) -> bytes:
        """Return all of it in Prometheus' text format."""
        return bytes(generate_latest(self._registry))


class _Catalogue(Collector):
    """The state of the catalogue, asked for when it is read."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._turn = threading.Lock()
        self._known: Vitals | None = None
        self._until = 0.0

    def describe(self) -> Iterator[Metric]:
        """Nothing is read while it is registered."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; of a catalogue that does not answer only that."""
        vitals = self._vitals()
        yield _gauge("up", "Whether the catalogue answers.", float(vitals is not None))
        if vitals is None:
            return
        for name in ("images", "locations", "missing", "unsearched", "pairs", "failures"):
            yield _gauge(name, f"The catalogue's {name}, as `info` counts them.", vitals.counts[name])
        yield _gauge("generation", "Write transactions that the catalogue has seen.", vitals.generation)
        yield _gauge("vector_index_images", "Images in the vector index of this replica.", vitals.vectors)
        for name, moment in (("ingest", vitals.ingested), ("search", vitals.searched)):
            if moment is not None:
                words = f"Seconds since the last {name} ended, whoever made it."
                yield _gauge(f"last_{name}_age_seconds", words, max(0.0, time.time() - moment.timestamp()))

    def _vitals(self) -> Vitals | None:
        with self._turn:
            if self._known is None or time.monotonic() > self._until:
                try:
                    self._known = self._index.vitals()
                except DedupIndexError as error:
                    log.warning("no state of the catalogue: %s", error)
                    self._known = None
                self._until = time.monotonic() + KEPT
            return self._known


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dedupindex_{name}", words, value=value)
