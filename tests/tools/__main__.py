"""One place for chores: ``python -m tests.tools`` lists them, ``python -m tests.tools NAME ...`` runs them in order.

Words after ``--`` go to the last chore: ``python -m tests.tools tests -- -k proof``.
"""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PYTHON = shlex.quote(sys.executable)


class Chore(NamedTuple):
    """A command line and what it is for."""

    command: str
    what: str


CHORES = {
    "lint": Chore(f"{PYTHON} -m ruff check . && {PYTHON} -m ruff format --check .", "style, unused code, format"),
    "types": Chore(f"{PYTHON} -m mypy --strict", "types of the package"),
    "tests": Chore(f"{PYTHON} -m pytest -n auto", "the default suite"),
    "slow": Chore(f"{PYTHON} -m pytest -m slow -s", "long programmes: kills, full disks, damage, mutants"),
    "postgres": Chore(f".ci/with_postgres {PYTHON} -m pytest -m postgres -n 2", "the same on a PostgreSQL server"),
    "browser": Chore(f"{PYTHON} -m pytest tests/web/page/test_browser*.py", "the review page in Chromium"),
    "docs": Chore(f"{PYTHON} -m mkdocs build --strict -f docs/mkdocs.yml", "the manual as a site"),
    "bench-ingest": Chore(f"{PYTHON} -m tests.benchmarks.ingest", "cost of describing, stage by stage"),
    "bench-scale": Chore(f"{PYTHON} -m tests.benchmarks.scale", "reports and queries at 10^4 to 10^6 made-up images"),
    "bench-join": Chore(f"{PYTHON} -m tests.benchmarks.join", "the self-join by cells"),
    "bench-load": Chore(f"{PYTHON} -m tests.benchmarks.load", "requests a second of the service"),
    "bench-serve": Chore(f"{PYTHON} -m tests.benchmarks.serve", "answers of the review page at 5,000 groups"),
    "bench-pace": Chore(f"{PYTHON} -m tests.benchmarks.review_pace", "decisions a minute that the review page permits"),
    "bench-panels": Chore(f"{PYTHON} -m tests.benchmarks.figure_panels", "reused figure panels: FOLDERS after --"),
    "bench-look-alikes": Chore(
        f"{PYTHON} -m tests.benchmarks.look_alikes", "what look-alikes cost against photographs"
    ),
    "bench-pieces": Chore(f"{PYTHON} -m tests.benchmarks.pieces_scale", "the pieces index: DATABASE after --"),
    "bench-hard": Chore(
        f"{PYTHON} -m tests.benchmarks.hard_copies", "hard copies, where they are lost: PHOTOS after --"
    ),
    "bench-peers": Chore(f"{PYTHON} -m tests.benchmarks.peers", "against other tools: FOLDER TRUTH.csv after --"),
    "bench-ranking": Chore(f"{PYTHON} -m tests.benchmarks.ranking", "which picture leads: DATABASE TRUTH.csv after --"),
    "fit-score": Chore(f"{PYTHON} -m tests.tools.fit_score", "weights of the score: FOLDER after --"),
    "fit-radius": Chore(f"{PYTHON} -m tests.tools.fit_radius", "search radii: QUERIES OTHERS after --"),
    "fit-proof": Chore(f"{PYTHON} -m tests.tools.fit_proof", "limits of the proof: FOLDER after --"),
    "fit-pieces": Chore(
        f"{PYTHON} -m tests.tools.fit_pieces", "pieces: words FOLDER, or score PHOTOS FILLERS, after --"
    ),
    "fit-model": Chore(f"{PYTHON} -m tests.tools.train_descriptor", "model of the descriptor: FOLDER after --"),
    "fitted": Chore(f"{PYTHON} -m tests.tools.manifest", "whether the numbers that ship agree with their manifests"),
    "supply": Chore(f"{PYTHON} -m tests.tools.supply", "licences and known weaknesses of what is installed"),
    "fill": Chore(f"{PYTHON} -m tests.tools.fill_synthetic", "a large database of made-up images: options after --"),
    "ci": Chore(".ci/run", "the whole check of a commit"),
}


def main(words: list[str]) -> int:
    """List the chores, or run some; ends with the first exit code that is not 0."""
    names, more = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    unknown = [name for name in names if name not in CHORES]
    if unknown:
        print(f"no chore {', '.join(unknown)}; there are: {', '.join(CHORES)}", file=sys.stderr)
        return 2
    if not names:
        for name, chore in CHORES.items():
            print(f"{name:<14} {chore.what}")
        return 0
    for name in names:
        command = CHORES[name].command + (f" {shlex.join(more)}" if name == names[-1] and more else "")
        print(f"== {name}: {command}", flush=True)
        code = subprocess.run(["bash", "-c", command], cwd=ROOT, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
