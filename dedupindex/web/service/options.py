"""How a service was started."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

from dedupindex.errors import SettingsError

ANY = "*"
_RATE = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)/([smh])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may happen."""

    most: float  # at once, and within one period
    period: float  # seconds

    @property
    def a_second(self) -> float:
        """How many a second, in the long run."""
        return self.most / self.period


@dataclass(frozen=True, slots=True)
class Options:
    """How a service was started; what each means stands with the flags of `serve`.

    Raises
    ------
    SettingsError
        A value means nothing.
    """

    hosts: frozenset[str] = frozenset()  # lower case, with or without port; "*" = any
    max_upload: int = 100_000_000  # bytes of a request
    concurrent: int = 16  # requests
    rate: Rate = Rate(100.0, 1.0)
    timeout: float = 60.0  # seconds for an answer
    drain: float = 20.0  # seconds for what is in flight when the service ends
    search_after: float = 5.0  # seconds; 0 = searches only when asked to
    allow_roots: tuple[Path, ...] = ()
    proxy: bool = False
    open_metrics: bool = False
    log_json: bool = False
    log_names: bool = False
    banks: tuple[Path, ...] = ()  # files of hashes
    blur: bool = False  # all pictures that are shown

    def __post_init__(self) -> None:
        for name, least in (("max_upload", 1), ("concurrent", 1), ("search_after", 0)):
            if not getattr(self, name) >= least:
                raise SettingsError(f"{name} is {getattr(self, name)}, must be at least {least}")
        for name in ("timeout", "drain"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"{name} is {getattr(self, name)}, must be above 0")
        for root in self.allow_roots:
            if not root.is_absolute() or ".." in root.parts:
                raise SettingsError(f"{root}: give the whole path, without ..")

    def answers_to(self, host: str) -> bool:
        """Whether a ``Host`` header names this service."""
        name = host.lower()
        bare = name.rpartition(":")[0] if re.search(r":\d+$", name) else name
        return bool({ANY, name, bare} & self.hosts)


def parse_rate(text: str) -> Rate:
    """Read a rate like ``10/s``, ``600/m``, ``5000/h``.

    Raises
    ------
    SettingsError
    """
    matched = _RATE.fullmatch(text.strip())
    if matched is None or float(matched[1]) < 1:
        raise SettingsError(f"rate is {text!r}, must be like 10/s, 600/m or 5000/h")
    return Rate(float(matched[1]), _SECONDS[matched[2]])
