"""Ingest on disks that are too small: run in a mount namespace of its own, as ``unshare -m python -m ...``.

For every size: ingest until the disk is full, look while it is full, free the space, go on.
"""

import os
import subprocess
import sys
from pathlib import Path

from dedupindex import Index
from tests.ingest.test_ingest import content
from tests.reliability.harness import Machine, Tally, look_after, readable

SIZES = int(os.environ.get("RELIABILITY_DISKS", "200"))
LARGEST = float(os.environ.get("RELIABILITY_LARGEST", "1"))  # of what is needed


def main(pictures: Path, folder: Path) -> None:
    with Index.open(folder / "whole.db", create=True, workers=1) as index:
        index.ingest([pictures])
        index.find_duplicates()
        wanted = content(index, pictures)
    needed = sum(file.stat().st_size for file in folder.rglob("whole.db*") if file.is_file()) * 3
    disk = folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={needed}", "none", str(disk)]
    subprocess.run(mount, check=True)
    results = folder / "results"
    results.mkdir()
    machine = Machine(folder, results)
    tally = Tally(f"disks with 0 to {needed:,} bytes free")
    refused = 0

    def attempt(room: int) -> None:
        nonlocal refused
        for file in sorted(disk.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        ballast = disk / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, needed - room))
        outcome = machine.run("ingest", disk / "a.db", pictures, disk / "b.db", acknowledge=True, then="look")
        assert outcome.traceback is None, outcome.traceback
        assert outcome.exit in (0, 2), outcome
        if outcome.exit == 2:
            refused += 1
            words = outcome.last("error")
            assert any(
                word in words.lower() for word in ("disk is full", "no space left", "i/o error", "unable to open")
            ), words
        readable(outcome, {"leftover_file"})
        ballast.unlink()
        look_after(disk / "a.db", pictures, wanted, outcome.last("has") or [])

    for number in range(SIZES):
        room = int(number * needed * LARGEST) // SIZES
        tally.attempt(f"{room} bytes", attempt, room)
    machine.close()
    print(f"of these {refused} were too small")
    tally.finish()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
