"""dedupindex: an image de-duplication index with a database.

The public names are loaded when they are first used, so that ``dedupindex --help`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dedupindex.errors import (
        DedupIndexError,
        IndexBusyError,
        IndexNotFoundError,
        LimitExceededError,
        NoValidPixelsError,
        ReadError,
        Reason,
        SchemaVersionError,
        SettingsError,
        SettingsMismatchError,
        StoreError,
        UnsupportedImageError,
        VectorIndexError,
    )
    from dedupindex.evaluation.evaluate import Evaluation, evaluate
    from dedupindex.index import Index
    from dedupindex.records import (
        Decision,
        DuplicateGroup,
        DuplicatesSummary,
        Failure,
        Features,
        Frame,
        GroupMember,
        ImageRecord,
        IngestSummary,
        LocationRecord,
        Match,
        Pair,
        PreparedFrame,
        Problem,
        Registration,
        Relation,
        RunRecord,
        Verification,
    )
    from dedupindex.records.reports import Change, Coverage, Report, Selection
    from dedupindex.records.upkeep import MergeSummary
    from dedupindex.settings import Settings
    from dedupindex.sources import SourceList

__all__ = [
    "Change",
    "Coverage",
    "Decision",
    "DedupIndexError",
    "DuplicateGroup",
    "DuplicatesSummary",
    "Evaluation",
    "Failure",
    "Features",
    "Frame",
    "GroupMember",
    "ImageRecord",
    "Index",
    "IndexBusyError",
    "IndexNotFoundError",
    "IngestSummary",
    "LimitExceededError",
    "LocationRecord",
    "Match",
    "MergeSummary",
    "NoValidPixelsError",
    "Pair",
    "PreparedFrame",
    "Problem",
    "ReadError",
    "Reason",
    "Registration",
    "Relation",
    "Report",
    "RunRecord",
    "SchemaVersionError",
    "Selection",
    "Settings",
    "SettingsError",
    "SettingsMismatchError",
    "SourceList",
    "StoreError",
    "UnsupportedImageError",
    "VectorIndexError",
    "Verification",
    "__version__",
    "evaluate",
]

_MODULES = ("dedupindex.errors", "dedupindex.records", "dedupindex.settings")
_HEAVY = {
    "Change": "dedupindex.records.reports",
    "Coverage": "dedupindex.records.reports",
    "Index": "dedupindex.index",
    "MergeSummary": "dedupindex.records.upkeep",
    "Report": "dedupindex.records.reports",
    "Selection": "dedupindex.records.reports",
    "SourceList": "dedupindex.sources",
    "Evaluation": "dedupindex.records.evaluations",
    "evaluate": "dedupindex.evaluation.evaluate",
}


def __getattr__(name: str) -> Any:
    if name in __all__:
        modules = (_HEAVY[name],) if name in _HEAVY else _MODULES
        for module in modules:
            found = getattr(import_module(module), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'dedupindex' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
