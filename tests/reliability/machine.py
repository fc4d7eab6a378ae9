"""A process that has imported everything and forks for every scenario it is sent: what is killed is the fork.

Reads a JSON object a line: scenario, database, arguments, fault; answers with what became of it. A fault is
["seam", "kill:7"] (see `dedupindex.durable`), or ["call", code, number, lasting] for the shim's system calls.

The argument is a folder in which results are shared: pictures are described and compared once; see
`tests/remembered.py`.
"""

import ctypes
import json
import os
import sqlite3
import sys
import traceback
from pathlib import Path


def serve() -> None:
    from dedupindex.execution import contained
    from tests.databases import databases_shared
    from tests.remembered import stages_remembered

    contained.is_worker = lambda: True  # decode in the fork: it is killed as a whole
    with databases_shared(), stages_remembered(Path(sys.argv[1])):
        answer_orders()


def answer_orders() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os._exit(perform(order, writing))
        os.close(writing)
        limit = order.get("kill_after")
        if limit is not None:
            _, ready, _ = wait_or_kill(child, limit)
            status = ready
        else:
            _, status = os.waitpid(child, 0)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read().decode().splitlines()
        print(json.dumps({"exit": os.waitstatus_to_exitcode(status), "said": said}), flush=True)


def wait_or_kill(child, seconds):
    import signal
    import time

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return done, status, False
        time.sleep(min(0.002, seconds))
    os.kill(child, signal.SIGKILL)
    done, status = os.waitpid(child, 0)
    return done, status, True


def perform(order, writing) -> int:
    """Do a scenario in this fork; 0 = done, 2 = refused with a DedupIndexError or OSError, 3 = a traceback."""
    from dedupindex import durable
    from dedupindex.errors import DedupIndexError

    def say(*words) -> None:
        os.write(writing, (json.dumps(words) + "\n").encode())

    database, arguments = Path(order["database"]), order["arguments"]
    kind, *rest = order["fault"] or ["none"]
    fault = durable._Fault(rest[0]) if kind == "seam" else None
    count = 0

    def listen(step, name) -> None:
        nonlocal count
        count += 1
        if fault is not None:
            fault(step, name)
        if step == "committed" and order.get("acknowledge"):
            say("has", stored(database))

    durable.listen(listen)
    shim = ctypes.CDLL(None)
    if kind == "call":
        code, number, lasting = rest
        shim.arm(os.fsencode(order["folder"]), code, ctypes.c_long(number), lasting)
    try:
        SCENARIOS[order["scenario"]](database, *arguments)
        code = 0
    except (DedupIndexError, OSError) as error:
        say("error", str(error))
        code = 2
    except BaseException:
        say("traceback", traceback.format_exc())
        code = 3
    if order.get("then"):  # while the disk is still full
        try:
            say("then", SCENARIOS[order["then"]](database, *arguments))
        except BaseException:
            say("traceback", traceback.format_exc())
            code = 3
    say("points", count)
    if kind == "call":
        say("calls", shim.calls_seen())
    return code


def stored(database: Path) -> list[str]:
    """Content keys that a reader sees at this moment; one that may roll back what a dead writer began."""
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True)
    try:
        if not connection.execute("select 1 from sqlite_master where name = 'image'").fetchone():
            return []
        return [f"{sha.hex()}#{frame}" for sha, frame in connection.execute("select sha256, frame from image")]
    finally:
        connection.close()


# ---------------------------------------------------------------------------------------------------- scenarios
def opened(database, **options):
    from dedupindex import Index

    return Index.open(database, workers=1, batch=4, **options)


def seal(index) -> None:
    """Make the index write a vector file although it is small."""
    cache = index._vectors
    cache.forget()
    cache.flat_limit = 0
    cache.current()
    cache.save()
    cache.flat_limit = 50_000


def ingest(database, pictures, *_):
    with opened(database, create=True) as index:
        index.ingest([pictures])
        index.find_duplicates()
        seal(index)


def rebuild(database, *_):
    with opened(database) as index:
        index._vectors.flat_limit = 0
        index.rebuild()


def describe(database, *_):
    with opened(database, scaling="minmax", allow_mismatch=True) as index:
        index.rebuild(describe=True)
        index.find_duplicates()


def backup(database, _, target):
    with opened(database, read_only=True) as index:
        index.backup(target)


def restore(database, _, source):
    from dedupindex import Index

    Index.restore(source, database)


def forget(database, pictures, *_):
    with opened(database) as index:
        index.forget([Path(pictures) / "copies"])


def look(database, pictures, *_):
    """Reading and checking, as on a full disk."""
    if not os.path.exists(database):  # noqa: PTH110
        return [0, []]
    from dedupindex.errors import SchemaVersionError, StoreError

    try:
        with opened(database, read_only=True) as index:
            index.query(Path(pictures) / "p0.png")
            codes = [problem.code for problem in index.check(deep=True)]
            return [index.info()["images"], codes]
    except (SchemaVersionError, StoreError) as error:
        return [-1, [str(error)]]


SCENARIOS = {f.__name__: f for f in (ingest, rebuild, describe, backup, restore, forget, look)}

if __name__ == "__main__":
    serve()
