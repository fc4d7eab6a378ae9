"""Stages that tests give to executors; in a module of their own, so that workers find them."""

import os
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class Double:
    notes: str  # a folder: a file there for every time it ran
    version: str = "1"

    def __call__(self, table, folder):
        (Path(self.notes) / f"{os.getpid()}-{len(list(Path(self.notes).iterdir()))}").touch()
        return pa.table({"key": table["key"], "value": pa.array(2 * table["value"].to_numpy())})


@dataclass(frozen=True)
class Sum:
    """The sum of a group; of a shared one, of every so manieth row."""

    version: str = "1"

    def __call__(self, table, share, shares):
        key, value = table["key"].to_numpy(), table["value"].to_numpy()
        return pa.table({"key": key[:1], "sum": [int(value[share::shares].sum())]})


@dataclass(frozen=True)
class DieOnce:
    """Ends its process the first time."""

    mark: str
    version: str = "1"

    def __call__(self, table, folder):
        if not Path(self.mark).exists():
            Path(self.mark).touch()
            os.kill(os.getpid(), 9)
        return table


@dataclass(frozen=True)
class DieAlways:
    version: str = "1"

    def __call__(self, table, folder):
        os.kill(os.getpid(), 9)


@dataclass(frozen=True)
class Fail:
    version: str = "1"

    def __call__(self, table, folder):
        raise ZeroDivisionError("of a stage")
