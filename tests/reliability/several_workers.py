"""A process that has imported everything and forks for every run it is sent; each run has worker processes of its own.

Reads a JSON object a line: what to do, with which index, whom to kill and when; answers with what became of it. A run
has a session of its own, so that all its processes are known. Killed are: ``main`` the process of the run, ``worker``
one of the others (workers, and what they are forked from), ``all`` every process at once.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

SECONDS_TO_END = 30.0  # for workers whose parent was killed


def serve() -> None:
    from tests.cli.warm import load

    load()
    warm_up()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os.setsid()
            os._exit(perform(order))
        print(json.dumps(watch(child, order)), flush=True)


def warm_up() -> None:
    """Do once here what each run would do for its first time."""
    from dedupindex.execution import contained
    from tests.pictures import half, picture, save

    asked, contained.is_worker = contained.is_worker, lambda: True
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "p0.png", picture(0, 72, 96))
        save(Path(folder) / "half.png", half(picture(0, 72, 96)))
        with opened(Path(folder) / "a.db", {"workers": 1}, create=True) as index:
            index.ingest([Path(folder)])
            index.find_duplicates()
            index.query(Path(folder) / "p0.png")
            index.check(deep=True)
    contained.is_worker = asked


def watch(child: int, order: dict) -> dict:
    """Wait for a run, kill as it is ordered, and wait until none of its processes is left."""
    began = time.monotonic()
    kill = order.get("kill")
    status, killed = None, 0
    if kill is not None:
        status = ended(child, began + kill["after"])
        if status is None:
            killed = strike(child, kill["whom"], random.Random(kill["after"]))
    if status is None:
        status = ended(child, began + 600)
    if status is None:
        os.killpg(child, signal.SIGKILL)
        raise TimeoutError(f"a run does not end: {order}")
    until = time.monotonic() + SECONDS_TO_END
    while (left := alive(child)) and time.monotonic() < until:
        time.sleep(0.02)
    return {"exit": os.waitstatus_to_exitcode(status), "killed": killed, "left": len(left)}


def ended(child: int, until: float) -> int | None:
    """The status of a run once it has ended, None where it has not by then."""
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.002)
    return None


def strike(child: int, whom: str, rng: random.Random) -> int:
    """Kill; how many processes."""
    others = sorted(alive(child) - {child})
    victims = {"main": [child], "worker": rng.sample(others, min(1, len(others))), "all": [child, *others]}[whom]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(victims)


def alive(session: int) -> set[int]:
    """The processes of a session that have not ended."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, _, of = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            except (OSError, ValueError):
                continue
            if int(of) == session and state not in "ZX":
                found.add(int(entry.name))
    return found


def perform(order: dict) -> int:
    """Do a run in this fork; 0 = done, 2 = refused with an error of ours, 3 = a traceback."""
    from dedupindex import durable
    from dedupindex.errors import DedupIndexError
    from dedupindex.execution import contained
    from dedupindex.execution.worker import fork_workers_here
    from tests.reliability.machine import stored

    database, pictures = Path(order["database"]), Path(order["pictures"])
    said = Path(order["said"])

    def say(*words) -> None:
        with said.open("a") as file:
            file.write(json.dumps(words) + "\n")

    def listen(step: str, name: str) -> None:
        if step == "committed":
            say("has", stored(database))

    if order["options"].get("workers") == 1:
        contained.is_worker = lambda: True  # decode here
    else:
        assert fork_workers_here()
        durable.listen(listen)
    try:
        said_at_end = WORK[order["work"]](database, pictures, order["options"])
    except (DedupIndexError, OSError) as error:
        say("error", str(error))
        return 2
    except BaseException:
        say("traceback", traceback.format_exc())
        return 3
    say("end", said_at_end)
    return 0


# -------------------------------------------------------------------------------------------------------- work
def opened(database: Path, options: dict, **more):
    from dedupindex import Index

    return Index.open(database, batch=2, **options | more)


def scan(database: Path, pictures: Path, options: dict) -> None:
    """Ingest, find and prove; with the profile pieces, find those too."""
    with opened(database, options, create=True) as index:
        index.ingest([pictures])
        index.find_duplicates()


def unproven(database: Path, pictures: Path, options: dict) -> None:
    """An index whose pairs are not proven."""
    with opened(database, options, create=True, proof="off") as index:
        index.ingest([pictures])
        index.find_duplicates()


def prove(database: Path, pictures: Path, options: dict) -> None:
    """Prove the pairs of an index."""
    with opened(database, options) as index:
        index.prove()


def finish(database: Path, pictures: Path, options: dict) -> dict:
    """What an interrupted run left behind, and what it is once it is brought to its end."""
    from tests.reliability.harness import answers
    from tests.reliability.machine import stored

    thorough = options.pop("thorough", True)
    there = stored(database) if database.exists() else []
    with opened(database, options, create=True) as index:
        problems = [str(problem) for problem in index.check(deep=True)]
        same = True
        if thorough:
            before = answers(index, pictures)
            index.rebuild()
            same = answers(index, pictures) == before
        index.ingest([pictures])
        index.find_duplicates()
        problems += [str(problem) for problem in index.check(deep=True)]
        return {"there": there, "problems": problems, "same answers": same, "content": whole(index, pictures)}


def whole(index, pictures: Path) -> str:
    """A digest of all that is stored and must not depend on what happened before: images, pairs, proofs, pieces."""
    import dataclasses
    import hashlib

    from tests.ingest.test_ingest import content

    rows, pairs, failures = content(index, pictures)
    proofs = [(pair.a.key, pair.b.key, pair.relations, pair.proof and pair.proof.outcome) for pair in index.pairs()]
    pieces = sorted(
        (piece.container.key, piece.part.key, dataclasses.asdict(piece.found))
        for piece in index.report(find=False).pieces
    )
    assert all(not places_missing for _, places, *_ in rows for *_, places_missing in places)
    parts = {"images": rows, "pairs": pairs, "failures": failures, "proofs": proofs, "pieces": pieces}
    return ", ".join(
        f"{len(part)} {name} {hashlib.sha256(repr(part).encode()).hexdigest()[:12]}" for name, part in parts.items()
    )


WORK = {function.__name__: function for function in (scan, unproven, prove, finish)}

if __name__ == "__main__":
    serve()
