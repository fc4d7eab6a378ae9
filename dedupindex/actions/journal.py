"""The journal of an applied plan: one JSON object a line, appended and synced before and after every operation.

First a line says what is about to be done, with all that undoing it needs; then the operation is done; then a line
says so. Wherever the run ends, the journal and the files together tell how far it came (`file_operations.state_of`). A
last line that was not written whole announces nothing that has begun, and is cut off.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from dedupindex import durable
from dedupindex.errors import PlanError
from dedupindex.fields import Fields, load_json
from dedupindex.records.plans import Action
from dedupindex.system import HELD, WRITE_NO_LINK, lock

JOURNAL_SCHEMA = 1


class SidecarAction(StrEnum):
    """What is done to a file that does not go."""

    WRITE = "write_sidecar"  # the sidecar of a keeper takes over what a file that goes says of the picture


class JournalState(StrEnum):
    """How far an operation has come, as the journal writes it."""

    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class FileOperation:
    """One operation with everything that is needed to finish it or to undo it."""

    number: int  # of the plan's item; those of companions follow after the last item, those of sidecars after these
    action: Action | SidecarAction
    file: Path
    keeper: Path
    sha256: str  # of the file; "" = there was none
    size: int
    mtime_ns: int
    atime_ns: int
    mode: int  # permission bits
    uid: int
    gid: int
    identity: tuple[int, int]  # device and inode of the file
    keeper_identity: tuple[int, int]
    temporary: Path  # made first; a name that nobody else uses
    target: Path | None = None
    info: Path | None = None  # the trash's note of where the file came from
    made: tuple[Path, ...] = ()  # folders that the target needs and that were not there, outermost first
    xattrs: tuple[tuple[str, str], ...] = ()  # name, value in hexadecimal
    unit: int = -1  # number of the item with which it is done and undone; -1: older journals, where each stands alone
    before: str | None = None  # of a sidecar that is written: its old content, hexadecimal; None = there was none
    after: str = ""  # SHA-256 of its new content


@dataclass(slots=True)
class JournalEntry:
    """An operation and its last state in the journal."""

    operation: FileOperation
    state: JournalState


@dataclass(slots=True)
class Journal:
    """An open journal; nobody else can have it open. Made by `open_journal`."""

    path: Path
    plan: str  # digest of the plan
    token: str  # part of the names of temporary files
    database: str
    descriptor: int
    entries: dict[int, JournalEntry] = field(default_factory=dict)  # in the order in which they last began
    _sidecars: dict[Path, list[int]] = field(default_factory=dict)  # numbers of the operations on each, in that order

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def begin(self, operation: FileOperation) -> None:
        """Write that an operation begins."""
        _append(self, {"n": operation.number, "state": JournalState.BEGUN, "deed": _plain(operation)})
        _begin(self, operation)

    def note(self, number: int, state: JournalState) -> None:
        """Write the new state of an operation."""
        _append(self, {"n": number, "state": state})
        self.entries[number].state = state

    def written(self, sidecar: Path) -> tuple[str, str] | None:
        """Digests of a sidecar before it was first written, and after it last was; None = it was not, or not for long.

        The first digest is empty where there was no such file.
        """
        entries = [self.entries[number] for number in self._sidecars.get(sidecar, ())]
        done = [entry.operation for entry in entries if entry.state == JournalState.DONE]
        return (done[0].sha256, done[-1].after) if done else None

    @property
    def undone(self) -> bool:
        """Whether undoing has begun."""
        return any(entry.state == JournalState.UNDONE for entry in self.entries.values())


def _begin(journal: Journal, operation: FileOperation) -> None:
    number = operation.number
    journal.entries.pop(number, None)
    journal.entries[number] = JournalEntry(operation, JournalState.BEGUN)
    if isinstance(operation.action, SidecarAction):
        numbers = journal._sidecars.setdefault(operation.file, [])
        if number in numbers:
            numbers.remove(number)
        numbers.append(number)


def open_journal(path: Path, *, plan: str | None = None, database: str = "") -> Journal:
    """Open a journal, or with *plan* make one where there is none.

    Parameters
    ----------
    path : Path
    plan : str, optional
        Digest of the plan that it belongs to.
    database : str
        Goes into a new journal.

    Returns
    -------
    Journal
        A context manager; closing it lets others open it.

    Raises
    ------
    PlanError
        It is no journal, belongs to another plan, or somebody else has it open.
    OSError
    """
    flags = WRITE_NO_LINK | os.O_APPEND
    descriptor = os.open(path, flags | (os.O_CREAT if plan is not None else 0), 0o600)
    try:
        try:
            lock(descriptor)
        except OSError as error:
            if error.errno in HELD:
                raise PlanError(f"{path}: another process is using it") from error
            if error.errno != errno.ENOSYS:
                raise
        lines = _whole_lines(path, descriptor)
        if not lines:
            if plan is None:
                raise PlanError(f"{path}: no journal")
            token = os.urandom(6).hex()
            made = Journal(path, plan, token, database, descriptor)
            head = {"kind": "journal", "schema": JOURNAL_SCHEMA, "plan": plan, "token": token, "database": database}
            _append(made, head)
            durable.sync_folder(path.parent)
            return made
        return _read(path, descriptor, lines, plan)
    except BaseException:
        os.close(descriptor)
        raise


def _read(path: Path, descriptor: int, lines: list[bytes], plan: str | None) -> Journal:
    number = 1
    try:
        head = Fields.of(load_json(lines[0]))
        if head.values.get("kind") != "journal" or head.values.get("schema") != JOURNAL_SCHEMA:
            raise PlanError(f"{path}: no journal that this dedupindex can read")
        journal = Journal(path, head.text("plan"), head.text("token"), head.text("database"), descriptor)
        for number, data in enumerate(lines[1:], 2):  # noqa: B007  (the error names it)
            line = Fields.of(load_json(data))
            state, operation = line.choice("state", JournalState), line.integer("n")
            if state == JournalState.BEGUN:
                begun = _operation(line.object("deed"))
                if begun.number != operation:
                    raise ValueError(f"operation {operation} calls itself {begun.number}")
                _begin(journal, begun)
            elif operation in journal.entries:
                journal.entries[operation].state = state
            else:
                raise ValueError(f"operation {operation} has not begun")
    except ValueError as error:
        raise PlanError(f"{path}: no journal: line {number}: {error}") from error
    if plan is not None and journal.plan != plan:
        raise PlanError(f"{path}: is the journal of another plan; name another one with --journal")
    return journal


def _whole_lines(path: Path, descriptor: int) -> list[bytes]:
    """Return the lines that were written whole; what follows them is cut off."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if data and not data.startswith(b'{"kind": "journal"'[: len(data)]):
        raise PlanError(f"{path}: no journal")  # not a journal of ours: change nothing
    if len(whole) < len(data):
        durable.point("truncate", path)
        os.ftruncate(descriptor, len(whole))
    return whole.splitlines()


def _append(journal: Journal, line: Mapping[str, Any]) -> None:
    data = (json.dumps(line, ensure_ascii=True) + "\n").encode("ascii")
    durable.point("write", journal.path)
    end = os.fstat(journal.descriptor).st_size
    try:
        written = 0
        while written < len(data):
            written += os.write(journal.descriptor, data[written:])
        durable.point("fsync", journal.path)
        os.fsync(journal.descriptor)
    except OSError:
        os.ftruncate(journal.descriptor, end)  # a half line would spoil the next one
        raise


def _plain(operation: FileOperation) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in FileOperation.__dataclass_fields__:
        value = getattr(operation, name)
        if isinstance(value, Path):
            values[name] = _path(value)
        elif name == "made":
            values[name] = [_path(folder) for folder in value]
        else:
            values[name] = value
    return values


def _operation(values: Fields) -> FileOperation:
    identity, keeper_identity = values.integers("identity", 2), values.integers("keeper_identity", 2)
    xattrs = [Fields({"xattrs": pair}, values.where).texts("xattrs") for pair in values.items("xattrs")]
    if any(len(pair) != 2 for pair in xattrs):
        raise values.wrong("xattrs", "must be pairs of texts")
    return FileOperation(
        number=values.integer("number"),
        action=_action(values),
        file=_path_in(values.object("file")),
        keeper=_path_in(values.object("keeper")),
        sha256=values.text("sha256"),
        size=values.integer("size"),
        mtime_ns=values.integer("mtime_ns"),
        atime_ns=values.integer("atime_ns"),
        mode=values.integer("mode"),
        uid=values.integer("uid"),
        gid=values.integer("gid"),
        identity=(identity[0], identity[1]),
        keeper_identity=(keeper_identity[0], keeper_identity[1]),
        temporary=_path_in(values.object("temporary")),
        target=None if values.is_null("target") else _path_in(values.object("target")),
        info=None if values.is_null("info") else _path_in(values.object("info")),
        made=tuple(_path_in(folder) for folder in values.objects("made")),
        xattrs=tuple((name, value) for name, value in xattrs),
        unit=values.integer("unit") if "unit" in values.values else -1,
        before=None if values.values.get("before") is None else values.text("before"),
        after=values.text("after") if "after" in values.values else "",
    )


def _action(values: Fields) -> Action | SidecarAction:
    if values.values.get("action") not in set(SidecarAction):
        return values.choice("action", Action)
    try:
        bytes.fromhex(values.values.get("before") or "")
    except (ValueError, TypeError) as error:
        raise values.wrong("before", "must be hexadecimal digits") from error
    return values.choice("action", SidecarAction)


def _path_in(value: Fields) -> Path:
    try:
        name = bytes.fromhex(value.text("bytes"))
    except ValueError as error:
        raise ValueError(f"{value.where} is no path") from error
    if not name or b"\0" in name:
        raise ValueError(f"{value.where} is no path")
    return Path(os.fsdecode(name))


def _path(path: Path) -> dict[str, str]:
    name = os.fsencode(path)
    return {"path": name.decode("utf-8", "backslashreplace"), "bytes": name.hex()}  # to read; to follow
