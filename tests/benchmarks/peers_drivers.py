"""What `tests.benchmarks.peers` runs in a peer's own environment: standard library and that peer only.

``python peers_drivers.py NAME {scan,hash} FOLDER PAIRS.csv``. ``scan`` finds duplicates at the peer's own defaults and
writes the pairs with a score, larger = more alike; ``hash`` describes every picture and searches nothing.
"""

from __future__ import annotations

import csv
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

Pairs = Iterable[tuple[str, str, float]]


def imagededup(folder: Path, search: bool) -> Pairs:
    """PHash; at most 10 of 64 bits apart."""
    # The package imports its network along with the hashes, and that PyTorch; the hashes use neither.
    for module, name in (("imagededup.methods.cnn", "CNN"), ("imagededup.utils.models", "CustomModel")):
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, None)
    hasher = import_module("imagededup.methods").PHash()
    if not search:
        hasher.encode_images(image_dir=str(folder))
        return ()
    found = hasher.find_duplicates(image_dir=str(folder), scores=True)
    return ((a, b, -float(distance)) for a, others in found.items() for b, distance in others)


def czkawka(folder: Path, search: bool) -> Pairs:
    """The binding of czkawka's core on PyPI, its similarity left as it is."""
    finder = import_module("czkawka").ImageSimilarity()
    if not search:
        for path in _files(folder):
            with suppress(OSError):  # a kind of file that it does not read
                finder.hash_image(path)
        return ()
    finder.set_directories([folder])
    return ((str(a), str(b), -float(bits)) for group in finder.find_similar_with_distances() for a, b, bits in group)


def perception(folder: Path, search: bool) -> Pairs:
    """PHash of 16 x 16 bits; at most .2 of the bits differ: what its guide to de-duplication shows."""
    np = import_module("numpy")
    hasher = import_module("perception.hashers").PHash(hash_size=16)
    made = [one for one in hasher.compute_parallel([str(path) for path in _files(folder)]) if one.get("hash")]
    if not search:
        return ()
    bits = np.array([hasher.string_to_vector(one["hash"]) for one in made]).astype(np.float32)
    both = bits @ bits.T
    ones = bits.sum(1)
    distance = (ones[:, None] + ones[None, :] - 2 * both) / bits.shape[1]
    first, second = np.nonzero(np.triu(distance < 0.2, 1))
    return (
        (made[a]["filepath"], made[b]["filepath"], -float(distance[a, b]))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    )


def difpy(folder: Path, search: bool) -> Pairs:
    """50 x 50 pixels, no mean squared error, same dimensions."""
    module = import_module("difPy")
    built = module.build(str(folder), show_progress=False)
    if not search:
        return ()
    found = module.search(built, show_progress=False).result
    return ((a, b, -float(error)) for a, others in found.items() for b, error in others)


def fastdup(folder: Path, search: bool) -> Pairs:
    """Its network's descriptors; the similarities that it lists by itself."""
    made = import_module("fastdup").create(work_dir="fastdup", input_dir=str(folder))
    made.run(overwrite=True, print_summary=False)
    if not search:
        return ()
    table = made.similarity()
    if not len(table):  # without any column then
        return ()
    return zip(table["filename_from"], table["filename_to"], map(float, table["distance"]), strict=True)


DRIVERS: dict[str, Callable[[Path, bool], Pairs]] = {
    "imagededup": imagededup,
    "czkawka": czkawka,
    "perception": perception,
    "difpy": difpy,
    "fastdup": fastdup,
}


def main(arguments: Sequence[str]) -> int:
    """Run one peer and write its pairs, each once."""
    name, what, folder, target = arguments
    best: dict[tuple[str, str], float] = {}
    for a, b, score in DRIVERS[name](Path(folder), what == "scan"):
        first, second = sorted((Path(a).name, Path(b).name))
        if first != second:
            best[first, second] = max(score, best.get((first, second), score))
    with Path(target).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("a", "b", "score"))
        writer.writerows((a, b, score) for (a, b), score in best.items())
    return 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
