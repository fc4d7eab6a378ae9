"""How long work reports its progress, whatever listens."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """A listener: `start`, then `advance` any number of times, then `finish`; several stages one after the other."""

    def start(self, total: int | None, what: str) -> None:
        """A stage begins; *total* is None where the amount is not known yet."""

    def advance(self, n: int) -> None:
        """*n* more are done."""

    def fail(self, n: int) -> None:
        """*n* of those that are done failed."""

    def finish(self) -> None:
        """The stage is over."""


@runtime_checkable
class Expecting(Protocol):
    """A listener that wants to know how much there is as soon as that is known."""

    def expect(self, total: int) -> None:
        """The stage has *total* in all, those that are done among them; it may be said again with another number."""


def expect(progress: Progress, total: int) -> None:
    """Tell a listener that wants to know how much the stage has in all."""
    if isinstance(progress, Expecting):
        progress.expect(total)


class Silent:
    """A listener that does nothing."""

    def start(self, total: int | None, what: str) -> None:
        """Nothing."""

    def advance(self, n: int) -> None:
        """Nothing."""

    def fail(self, n: int) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


SILENT = Silent()
