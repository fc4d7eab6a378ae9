"""Fit what finds pieces: ``python -m tests.tools.fit_pieces words FOLDER`` and ``... score PHOTOS FILLERS``.

``words`` clusters keypoint codes of a folder of varied pictures into the words of the pieces index, and weighs each by
the share of pictures that have it. ``score`` makes composites of photographs (`dedupindex.evaluation.piece_attacks`),
lets the index propose pairs, measures every part that keypoints agree on, and fits the logistic model of
`dedupindex.verify.pieces.scoring`. Its bias is set last: at most `FALSE_SHARE` of the accepted pairs may be
false, and `MARGIN` comes off for look-alikes.
The fillers are pictures of which nobody knows whether two are alike; only pairs of two composites count that hold them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import pickle
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from scipy.special import expit

from dedupindex.errors import ReadError
from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS, piece_attack
from dedupindex.features import piece_keypoints, thumbnail
from dedupindex.features.model import load_model
from dedupindex.features.piece_entries import ENTRIES, pack_pieces, unpack_entries, unpack_pieces
from dedupindex.features.piece_words import WORDS, PieceWords, assign, save_words
from dedupindex.prepare.pipeline import prepare
from dedupindex.records import ByteArray, CodeArray, Frame
from dedupindex.records.pictures import PieceFeatures
from dedupindex.records.pieces import PieceMeasures
from dedupindex.search.piece_cache import LiveLists
from dedupindex.search.pieces import proposed
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.vectors import cluster
from dedupindex.vectors.piece_lists import file_entries
from dedupindex.verify.pieces.agreement import region_of
from dedupindex.verify.pieces.confirmation import measures_of
from dedupindex.verify.pieces.matching import maps_between
from dedupindex.verify.pieces.scoring import EVIDENCE, accepts, evidence
from tests.tools.logistic import fit_logistic
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

SAMPLED = 150  # codes a picture that the clustering sees
SIDE = 1_024  # longest side of the photographs, pixels
COPIES = 5  # composites a photograph
FALSE_SHARE = 0.0005  # of accepted pairs
SIGNS = (1, 1, 1, 1, 1, -1, 1, -1)  # more agreement never lowers a score, more drawn texture never raises it
RIDGE = 1e-2
# Taken off the bias, in units of the logit. Two photographs of one product or of one person, taken nearly alike, are
# rarer among fillers than among people's pictures. Chosen by hand; see the notes of the manifest.
MARGIN = 1.7


def described(picture: ByteArray) -> PieceFeatures | None:
    """What pieces are found by, of one picture, as the database would return it."""
    cv2.setNumThreads(1)
    frame = Frame(picture, np.ones(picture.shape[:2], bool), full_shape=picture.shape[:2])
    prepared = prepare(frame, Settings(), working_side=piece_keypoints.SIDE)
    if prepared.low_information:
        return None
    stretched = thumbnail.stretch(prepared.luminance, prepared.mask)
    return PieceFeatures(piece_keypoints.extract(stretched, prepared.mask), stretched, prepared.mask)


def read(path: Path) -> ByteArray | None:
    """A file's picture in RGB, at most `SIDE` pixels; None where it is none of 8 bits."""
    try:
        pixels = decode_file(path, Settings(), min_side=None).frames[0].pixels
    except ReadError:
        return None
    if pixels.dtype != np.uint8 or min(pixels.shape[:2]) < 64:
        return None
    picture = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    factor = SIDE / max(picture.shape[:2])
    if factor < 1:
        size = (round(picture.shape[1] * factor), round(picture.shape[0] * factor))
        picture = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture, np.uint8)


# ------------------------------------------------------------------------------------------------------ words
def codes_of(path: Path) -> CodeArray:
    """Codes of a file's picture."""
    picture = read(path)
    features = None if picture is None else described(picture)
    return np.zeros((0, 64), np.int8) if features is None else features.keypoints.codes


def fit_words(codes: Sequence[CodeArray], seed: int) -> PieceWords:
    """Cluster codes of pictures into words, and weigh them."""
    sample = np.concatenate([one[:SAMPLED] for one in codes]).astype(np.float32)
    centres = np.rint(cluster(sample, WORDS, seed=seed)).clip(-127, 127).astype(np.float32)
    random = np.random.default_rng(seed)
    axes = np.linalg.qr(random.standard_normal((64, 64)))[0].astype(np.float32)
    bare = PieceWords(centres, axes, np.ones(WORDS, np.float32), "")
    having = np.zeros(WORDS)
    for one in codes:
        if len(one):
            having[np.unique(assign(one, bare))] += 1
    weights = np.log(len(codes) / np.maximum(having, 1)).astype(np.float32)
    return PieceWords(centres, axes, weights, "")


# ------------------------------------------------------------------------------------------------------ score
@dataclass(frozen=True, slots=True)
class Task:
    """A photograph with the composites that are made of it, each with the files that fill it."""

    group: int
    path: Path
    attacks: tuple[str, ...]
    fillers: tuple[tuple[Path, ...], ...]
    seed: int


def make(task: Task) -> list[tuple[int, str, dict[str, bytes]]]:
    """Describe a photograph and its composites: (group, attack or "original", packed features)."""
    picture = read(task.path)
    if picture is None:
        return []
    made = [("original", picture)]
    random = np.random.default_rng(task.seed)
    for name, fillers in zip(task.attacks, task.fillers, strict=True):
        others = itertools.cycle([other for path in fillers if (other := read(path)) is not None])
        copy = piece_attack(name, picture, others, random)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.choice([75, 82, 90, 95]))]
        encoded = cv2.imencode(".jpg", copy, quality)[1]
        made.append((name, np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)))
    found = [(task.group, name, described(one)) for name, one in made]
    return [(group, name, pack_pieces(features)) for group, name, features in found if features is not None]


def tasks_of(photos: Sequence[Path], fillers: Sequence[Path], seed: int) -> Iterator[Task]:
    """A task for each photograph; no filler is used twice while there are others."""
    random = np.random.default_rng(seed)
    supply = itertools.cycle([fillers[i] for i in random.permutation(len(fillers))])
    names = itertools.cycle(PIECE_ATTACKS)
    for number, path in enumerate(photos):
        attacks = tuple(itertools.islice(names, COPIES))
        taken = tuple(
            tuple(itertools.islice(supply, 15 if name == "collage_4" else 8 if name == "collage_3" else 5))
            for name in attacks
        )
        yield Task(number, path, attacks, taken, seed * 10_007 + number)


def measured(packed: Sequence[dict[str, bytes]], groups: Sequence[int]) -> list[tuple[int, int, bool, PieceMeasures]]:
    """Every part that keypoints of proposed pairs agree on: (a, b, of one group, measures)."""
    entries = [unpack_entries(one[ENTRIES]) for one in packed]
    features = [unpack_pieces(one) for one in packed]
    lists = file_entries(range(len(packed)), entries)
    live = [LiveLists(lists, np.zeros(len(packed), bool))]
    points = {number: one.keypoints for number, one in enumerate(features)}
    near = proposed(live, points, {number: one.mask.shape[1] for number, one in enumerate(features)})
    parity = load_model().local_parity
    pairs = {(min(a, b), max(a, b), turned) for a, row in near.items() for b, (_, turned) in row.items() if a != b}
    rows = []
    for a, b, turned in sorted(pairs):
        one, other = features[a], features[b]
        for found in maps_between(one.keypoints, other.keypoints, other.mask.shape[1], parity, mirrored=turned):
            region = region_of(one.picture, one.mask, other.picture, other.mask, found.matrix, found.points_a)
            if region is not None:
                rows.append((a, b, groups[a] == groups[b], measures_of(found, region)))
    return rows


def fit_score(rows: Sequence[tuple[int, int, bool, PieceMeasures]]) -> dict[str, object]:
    """Fit the model to all parts that keypoints agree on, and its bias to those that the hard limits let pass.

    Few false parts pass the limits; all of them together tell how much a place or a pixel that agrees is worth.
    """
    passing = list(rows)
    terms = np.array([evidence(row[3]) for row in passing], np.float64)
    true = np.array([row[2] for row in passing])
    if true.all() or not true.any():
        raise ValueError("pairs of both kinds are needed")
    pairs = defaultdict(int)
    for a, b, *_ in passing:
        pairs[a, b] += 1
    weight = np.array([1 / pairs[a, b] for a, b, *_ in passing])
    weight[true] *= 1 / weight[true].sum()
    weight[~true] *= 1 / weight[~true].sum()
    bias, weights = fit_logistic(terms, true, weight, SIGNS, RIDGE)
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    for (a, b, same, measures), logit in zip(passing, (bias + terms @ weights).tolist(), strict=True):
        if not accepts(measures):
            continue
        best[a, b] = max((logit, same), best.get((a, b), (-np.inf, same)))
    ranked = sorted(best.values(), reverse=True)
    false = np.cumsum([not same for _, same in ranked])
    good = np.flatnonzero(false <= FALSE_SHARE * np.arange(1, len(ranked) + 1))
    last = int(good[-1]) if len(good) else 0
    limit = ranked[last][0]
    scores = expit(np.array([logit for logit, _ in ranked]) - limit - MARGIN)
    print(f"{len(ranked)} pairs, {sum(same for _, same in ranked)} true; accepted {last + 1}, false {false[last]}")
    print(
        "scores of the surest false pairs:",
        [round(float(s), 3) for s, (_, t) in zip(scores, ranked, strict=True) if not t][:10],
    )
    return {"constant": float(bias - limit - MARGIN), "weights": [float(value) for value in weights], "threshold": 0.5}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    words = verbs.add_parser("words")
    words.add_argument("folder", type=Path)
    score = verbs.add_parser("score")
    score.add_argument("photos", type=Path)
    score.add_argument("fillers", type=Path)
    for verb in (words, score):
        verb.add_argument("--seed", type=int, default=1)
        verb.add_argument("--limit", type=int, default=0, help="files that are used; 0 = all")
        verb.add_argument("--output", type=Path)
    score.add_argument("--keep", type=Path, help="file for what was measured")
    chosen = parser.parse_args()
    name = "piece_words" if chosen.verb == "words" else "pieces"
    output: Path = chosen.output or SHIPPED[name]
    files = sorted(path for path in (chosen.folder if name == "piece_words" else chosen.photos).iterdir())
    random = np.random.default_rng(chosen.seed)
    files = [files[i] for i in random.permutation(len(files))][: chosen.limit or None]
    figures: dict[str, object]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        if chosen.verb == "words":
            codes = list(pool.map(codes_of, files, chunksize=8))
            fitted = fit_words(codes, chosen.seed)
            save_words(output, fitted)
            figures = {"pictures": len(codes), "codes": sum(map(len, codes))}
            data = {"pictures": folder_digest(chosen.folder)}
        else:
            fillers = sorted(chosen.fillers.iterdir())
            made = [one for part in pool.map(make, tasks_of(files, fillers, chosen.seed)) for one in part]
            rows = measured([one[2] for one in made], [one[0] for one in made])
            if chosen.keep is not None:
                chosen.keep.write_bytes(pickle.dumps(rows))
            model = fit_score(rows)
            output.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
            figures = {"pictures": len(made), "parts": len(rows), "evidence": list(EVIDENCE)}
            data = {"photos": folder_digest(chosen.photos), "fillers": folder_digest(chosen.fillers)}
    arguments = f" --limit {chosen.limit}" if chosen.limit else ""
    write_manifest(
        output,
        Manifest(
            sha256=file_digest(output),
            command=COMMANDS[name] + arguments,
            data=data,
            seed=chosen.seed,
            versions=seen_versions(name),
            figures=figures,
            libraries=libraries(),
        ),
    )


if __name__ == "__main__":
    main()
