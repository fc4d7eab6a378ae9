"""Measure what a search radius costs and finds: ``python -m tests.tools.fit_radius QUERIES OTHERS [--output FILE]``.

QUERIES and OTHERS are two folders of photographs of different sources: a picture of the one has nothing to do with a
picture of the other, so everything that a probe meets on the other side is false. Pictures that no model was trained on
belong into QUERIES. From them come

- ``false_in_a_million``: how many unrelated pictures of a million a probe meets beyond each of ``cosines``;
- ``negative_radius``: the distance within which a probe of a photographic negative meets `NEGATIVE_FALSE` strangers of
  a million.

The radius of each effort is a setting, and the reaches of tiny frames, of pictures with few keypoints and of the fast
profile are chosen (`dedupindex.features.descriptor`): the figures say what share of the copies lies within them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dedupindex.evaluation.attacks import ATTACKS, attack
from dedupindex.features import aim, probes
from dedupindex.features.describe import describe
from dedupindex.features.descriptor import FAST_REACH, FEW_KEYPOINTS, POOR_REACH, TINY, TINY_REACH, normalise_rows, unit
from dedupindex.features.negative import negative_probes
from dedupindex.prepare.pipeline import prepare
from dedupindex.records import ByteArray, Features, FloatArray, Frame
from dedupindex.settings import EFFORTS, Settings
from tests.tools import cutouts
from tests.tools.labelled_pictures import read
from tests.tools.manifest import (
    COMMANDS,
    SHIPPED,
    Manifest,
    file_digest,
    folder_digest,
    libraries,
    seen_versions,
    write_manifest,
)

COSINES = (0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40)
NEGATIVE_FALSE = 11.0
REACHES: Mapping[str, float] = {"tiny": TINY_REACH, "poor": POOR_REACH, "fast": FAST_REACH}
STRENGTHS = (0.25, 1.2)
WORKERS = 2
MILD = ("recompress", "resize", "tone", "blur", "noise", "sharpen", "mirror")  # what pictures without detail survive
TINY_COPIES = ("tone", "mirror", "quarter_turn", "noise")


@dataclass(frozen=True, slots=True)
class Query:
    """A picture and its attacked copies, described.

    Attributes
    ----------
    kind : str
        ``photo``, ``poor`` (few keypoints), ``tiny`` or ``fast`` (fast profile).
    original : Features
    copies : tuple of Features
    """

    kind: str
    original: Features
    copies: tuple[Features, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """Pictures to make of one file."""

    path: Path
    number: int
    seed: int
    copies: int


def described(pixels: ByteArray, settings: Settings) -> Features:
    """Features of (H, W, 3) uint8."""
    frame = Frame(pixels, np.ones(pixels.shape[:2], bool), full_shape=pixels.shape[:2])
    return describe(prepare(frame, settings), settings)


def make(task: Task) -> list[Query]:
    """A photograph in both profiles, a smooth picture and a tiny one, with copies; nothing where it cannot be read."""
    cv2.setNumThreads(1)
    picture = read(task.path)
    if picture is None:
        return []
    random = np.random.default_rng([task.seed, task.number])
    attacked = [_attacked(picture, list(ATTACKS), random) for _ in range(task.copies)]
    queries = []
    for kind, settings in (("photo", Settings()), ("fast", Settings(profile="fast"))):
        copies = tuple(described(copy, settings) for copy in attacked)
        queries.append(Query(kind, described(picture, settings), copies))
    smooth = (cutouts.field if task.number % 2 else cutouts.gradient)((180, 240), random)
    side = int(random.integers(6, TINY + 1))
    tiny = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    for kind, one, names in (("poor", smooth, MILD), ("tiny", tiny, TINY_COPIES)):
        copies = tuple(described(_attacked(one, names, random, 0.6), Settings()) for _ in range(task.copies))
        queries.append(Query(kind, described(one, Settings()), copies))
    return [query for query in queries if _fits(query)]


def _fits(query: Query) -> bool:
    """Whether a picture is what its kind says, and can be searched for."""
    poor = len(query.original.keypoints) < FEW_KEYPOINTS
    return not query.original.low_information and (query.kind != "poor" or poor)


def _attacked(picture: ByteArray, names: Sequence[str], random: np.random.Generator, most: float = 1.0) -> ByteArray:
    low, high = STRENGTHS
    return attack(str(random.choice(list(names))), picture, most * float(random.uniform(low, high)), random)


def describe_other(path: Path) -> list[NDArray[np.int8]]:
    """Descriptor of a file; none where it cannot be read or has nothing to search for."""
    cv2.setNumThreads(1)
    picture = read(path)
    if picture is None:
        return []
    features = described(picture, Settings())
    return [] if features.low_information else [features.descriptor]


def false_rates(probed: Sequence[FloatArray], others: FloatArray, cosines: Sequence[float]) -> list[float]:
    """Unrelated pictures of a million that a probe meets beyond each cosine, never rising.

    Parameters
    ----------
    probed : sequence of (P, D) float32
        Probes of each of N pictures, unit length.
    others : (M, D) float32
        Unit length.
    cosines : sequence of float
        Rising.

    Returns
    -------
    list of float
        At least one picture in the last place where any was met, so that a logarithm can be taken.
    """
    met = np.zeros(len(cosines))
    for probe in probed:
        met_by_probe = others @ probe.T
        met += [(met_by_probe > cosine).sum() for cosine in cosines]
    compared = max(1, sum(map(len, probed)) * len(others))
    smallest = 1e6 / compared  # what one picture met would be
    rates = np.maximum(met, 0.5) * smallest
    return [round(float(rate), 2) for rate in np.minimum.accumulate(rates)]


def cosine_at(rate: float, cosines: Sequence[float], rates: Sequence[float]) -> float:
    """Cosine beyond which *rate* strangers of a million lie, between two that were counted by their logarithms.

    Raises
    ------
    ValueError
        So few pictures were compared that such a rate cannot be told from nothing.
    """
    if rate <= min(rates):
        raise ValueError(f"{rate:g} of a million cannot be counted, the lowest rate is {min(rates):g}: more pictures")
    return float(np.interp(-np.log(rate), -np.log(rates), cosines))


def copy_cosines(queries: Sequence[Query]) -> NDArray[np.float64]:
    """Cosine of each copy with its original, in the nearest orientation that is probed."""
    cosines: list[float] = []
    for query in queries:
        copies = [copy for copy in query.copies if not copy.low_information]
        if copies:
            [probed] = probes([aim(query.original)])
            vectors = unit(np.stack([copy.descriptor for copy in copies]))
            cosines += (vectors @ probed.T).max(1).tolist()
    return np.array(cosines)


def _pooled(task: Callable[[Any], list[Any]], items: Sequence[Any]) -> Iterator[Any]:
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        yield from chain.from_iterable(pool.map(task, items, chunksize=16))


def files_of(folder: Path) -> list[Path]:
    """The files below a folder, in the order of their paths."""
    return sorted(path for path in folder.resolve().rglob("*") if path.is_file())


def drawn(files: Sequence[Path], most: int, seed: int) -> list[Path]:
    """At most so many files, drawn at random."""
    return [files[place] for place in np.random.default_rng(seed).permutation(len(files))[:most].tolist()]


def measure(queries: Sequence[Query], others: FloatArray) -> tuple[dict[str, Any], dict[str, Any]]:
    """Numbers to ship and the figures behind them."""
    by_kind: Mapping[str, list[Query]] = {
        kind: [query for query in queries if query.kind == kind] for kind in ("photo", "fast", "poor", "tiny")
    }
    photographs = [query.original for query in by_kind["photo"]]
    plain = probes([aim(features) for features in photographs])
    counted = false_rates(plain, others, COSINES)
    last = counted.index(min(counted)) + 1  # beyond, as few were met: nothing more is known
    inverted = [probe for probe in negative_probes(photographs) if len(probe)]
    fine = np.arange(0.10, 0.60, 0.02).tolist()
    negative_rates = false_rates(inverted, others, fine)
    copies = {kind: copy_cosines(members) for kind, members in by_kind.items()}
    numbers = {
        "cosines": list(COSINES[:last]),
        "false_in_a_million": counted[:last],
        "negative_radius": round(1 - cosine_at(NEGATIVE_FALSE, fine, negative_rates), 2),
    }
    within = {
        effort: round(float((copies["photo"] >= 1 - values["radius"]).mean()), 4) for effort, values in EFFORTS.items()
    }
    figures = {
        "queries": {kind: len(members) for kind, members in by_kind.items()},
        "copies": {kind: len(cosines) for kind, cosines in copies.items()},
        "others": len(others),
        "copies within the radius of each effort": within,
        "copies within the reaches": {
            kind: round(float((copies[kind] >= reach).mean()), 4) for kind, reach in REACHES.items()
        },
        "lowest percent of copies": {
            kind: round(float(np.quantile(cosines, 0.01)), 3) for kind, cosines in copies.items()
        },
    }
    return numbers, figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("queries", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--output", type=Path, default=SHIPPED["radius"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=int, default=4000, help="files of QUERIES that are used; of OTHERS all")
    parser.add_argument("--copies", type=int, default=4)
    arguments = parser.parse_args()
    seed = arguments.seed
    tasks = [
        Task(path, number, seed, arguments.copies)
        for number, path in enumerate(drawn(files_of(arguments.queries), arguments.most, seed))
    ]
    queries = list(_pooled(make, tasks))
    descriptors = list(_pooled(describe_other, files_of(arguments.others)))
    if not queries or not descriptors:
        parser.error("each folder has to hold photographs that can be read")
    try:
        numbers, figures = measure(queries, normalise_rows(np.stack(descriptors).astype(np.float32)))
    except ValueError as error:  # too few pictures
        parser.error(str(error))
    arguments.output.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    manifest = Manifest(
        file_digest(arguments.output),
        f"{COMMANDS['radius']} --seed {seed} --most {arguments.most} --copies {arguments.copies}",
        {"queries": folder_digest(arguments.queries), "others": folder_digest(arguments.others)},
        seed,
        seen_versions("radius"),
        figures,
        libraries=libraries(),
    )
    write_manifest(arguments.output, manifest)
    print(json.dumps({**numbers, **figures}, indent=1))


if __name__ == "__main__":
    main()
