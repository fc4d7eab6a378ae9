"""What is said of odd files, counted: ``python -m tests.reliability.odd_files FOLDER...``.

Every file is decoded as every verb decodes it, in a worker with limits. Ends with exit code 1 where a message names an
exception of Python, or where a file took more than its limits.
"""

from __future__ import annotations

import argparse
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dedupindex.errors import ReadError, Reason
from dedupindex.execution.contained import within_limits
from dedupindex.execution.limits import limits_of
from dedupindex.settings import Settings
from tests.sources.test_reasons import is_in_words, what_is_said

SETTINGS = Settings(max_seconds=20.0)
READ = "read"
_VARYING = re.compile(r"0x[0-9a-fA-F]+|\d[\d,.]*|'[^']*'|\"[^\"]*\"|b'.*'")


@dataclass
class Told:
    """What was said of many files."""

    counts: Counter[str] = field(default_factory=Counter)
    words: dict[str, Counter[str]] = field(default_factory=dict)  # of each reason, with numbers taken out
    bad: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")  # resident bytes of a worker after a file, at their highest

    def add(self, path: Path, settings: Settings = SETTINGS) -> None:
        """Decode a file."""
        began = time.monotonic()
        try:
            reason, said, memory = within_limits(settings, path, looked_at, path)
        except ReadError as error:  # the worker ended
            reason, said, memory = error.reason, [error.detail], 0
        seconds = time.monotonic() - began
        self.slowest, self.largest = max(self.slowest, (seconds, str(path))), max(self.largest, (memory, str(path)))
        name = READ if reason is None else str(reason)
        self.counts[name] += 1
        self.words.setdefault(name, Counter()).update(_VARYING.sub("N", words) for words in said)
        if not is_in_words(reason, said):
            self.bad.append(f"{path}: {reason}: {said}")
        if memory > limits_of(settings).memory:
            self.bad.append(f"{path}: {memory:,} bytes")

    def table(self, examples: int = 2) -> str:
        """Reasons with their counts and the commonest words, as Markdown."""
        lines = ["| reason | files | what is said most |", "|---|---|---|"]
        for name, count in self.counts.most_common():
            common = "; ".join(words for words, _ in self.words[name].most_common(examples))
            lines.append(f"| {name} | {count:,} | {common} |")
        return "\n".join(lines)


def looked_at(path: Path) -> tuple[Reason | None, list[str], int]:
    """What is said of a file, and the highest memory of this process so far."""
    reason, said = what_is_said(path)
    return reason, said, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def look_at_all(paths: Iterable[Path]) -> Told:
    """Decode files."""
    told = Told()
    for path in paths:
        told.add(path)
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", type=Path, nargs="+")
    given = parser.parse_args(arguments)
    told = look_at_all(path for folder in given.folders for path in sorted(folder.rglob("*")) if path.is_file())
    print(told.table())
    print(f"{told.counts.total()} files, slowest {told.slowest}, largest {told.largest}, bad {len(told.bad)}")
    print("\n".join(told.bad))
    return int(bool(told.bad))


if __name__ == "__main__":
    from tests.reliability import odd_files  # what workers are sent must not be of __main__

    sys.exit(odd_files.main())
