"""What a start of the page has before there is an index: secrets, folders that may be chosen, and scans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dedupindex.web.page.folders import Folders
from dedupindex.web.page.guard import Keys
from dedupindex.web.page.scans import Scans


class NoIndexError(Exception):
    """A page was asked for that needs an index, and there is no database yet."""


@dataclass(frozen=True)
class Start:
    """One start of the page.

    Attributes
    ----------
    keys : Keys
        Secrets and host names.
    folders : Folders
        That may be scanned.
    scans : Scans
        The scan that runs, and the one that ran last.
    make : callable
        Makes the database with a profile, where there is none, and lets the pages show it.
    """

    keys: Keys
    folders: Folders
    scans: Scans
    make: Callable[[str], None]
