"""What is installed with the package: licences, and known weaknesses: ``python -m tests.tools.supply [--strict]``.

Lists every package that dedupindex and its extras need here, with its licence. Then asks the advisory service through
pip-audit for known weaknesses; where that is not installed or the service is out of reach, it says so. With
``--strict`` known weaknesses end it with exit code 1, and so does a service that is out of reach.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution

PACKAGE = "dedupindex"
UNKNOWN = "not said"
SECONDS = 120  # for the advisory service


def needed(name: str, extras: Iterable[str] = ()) -> dict[str, Distribution]:
    """The installed packages that a package needs, and those that they need, by their names."""
    from packaging.requirements import Requirement

    found: dict[str, Distribution] = {}
    waiting = [(name, tuple(extras))]
    while waiting:
        one, wanted = waiting.pop()
        try:
            here = distribution(one)
        except PackageNotFoundError:
            continue
        key = re.sub(r"[-_.]+", "-", one).lower()
        if key in found and not wanted:
            continue
        found[key] = here
        for line in here.requires or ():
            need = Requirement(line)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in (*wanted, "")):
                other = re.sub(r"[-_.]+", "-", need.name).lower()
                if other not in found:
                    waiting.append((need.name, tuple(need.extras)))
    found.pop(PACKAGE, None)
    return dict(sorted(found.items()))


def licence(one: Distribution) -> str:
    """The licence that a package names for itself: an SPDX expression, a classifier, or the first line of a text."""
    if expression := one.metadata.get("License-Expression"):
        return str(expression)
    classifiers = [line for line in one.metadata.get_all("Classifier") or () if line.startswith("License ::")]
    if classifiers:
        return ", ".join(line.rpartition(" :: ")[2] for line in classifiers)
    lines = [line.strip() for line in str(one.metadata.get("License") or "").splitlines() if line.strip()]
    return lines[0][:60] if lines else UNKNOWN


def weaknesses(names: Iterable[str]) -> tuple[list[str], str]:
    """Known weaknesses of installed packages, a line each; and why nothing is known of them, or an empty string."""
    if importlib.util.find_spec("pip_audit") is None:
        return [], "pip-audit is not installed"
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        audited = json.loads(done.stdout)["dependencies"]
    except subprocess.TimeoutExpired:
        return [], f"the advisory service did not answer within {SECONDS} seconds"
    except (ValueError, KeyError, TypeError):
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        return [], f"the advisory service is out of reach ({last[0].strip()[:200] if last else 'it says nothing'})"
    wanted = set(names)
    lines = []
    for one in audited:
        if re.sub(r"[-_.]+", "-", one["name"]).lower() in wanted:
            for known in one.get("vulns") or ():
                mended = ", ".join(known.get("fix_versions") or ()) or "no version yet"
                lines.append(f"{one['name']} {one['version']}: {known['id']}, mended in {mended}")
    return lines, ""


def main(words: list[str]) -> int:
    """Print both lists; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strict", action="store_true", help="known weaknesses, or no answer, are a failure")
    strict = parser.parse_args(words).strict
    extras = distribution(PACKAGE).metadata.get_all("Provides-Extra") or []
    packages = needed(PACKAGE, [extra for extra in extras if extra not in ("dev", "test", "docs")])
    for name, one in packages.items():
        print(f"{name:<32} {one.version:<16} {licence(one)}")
    lines, why = weaknesses(packages)
    print("\n".join(lines) or (f"known weaknesses: skipped, {why}" if why else "known weaknesses: none"))
    return 1 if strict and (lines or why) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
