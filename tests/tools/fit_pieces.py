"""Fit what finds pieces: ``python -m tests.tools.fit_pieces words FOLDER`` and ``... score PHOTOS FILLERS ALIKE``.

``words`` clusters keypoint codes of a folder of varied pictures into the words of the pieces index, and weighs each by
the share of pictures that have it. ``score`` makes composites of photographs (`dedupindex.evaluation.piece_attacks`),
lets the index propose pairs, measures and proves every part that keypoints agree on, and fits the logistic model of
`dedupindex.verify.pieces.scoring` to those that keep the hard limits. The third folder holds shots of scenes that were
taken from several places (``groups.csv``: file, group, kind): each shot is a photograph of its own, so that pairs of
two are false and hard. The ridge is chosen by cross-validation. The bias is set last: of the pairs that are accepted,
scored by models that have not seen them, at most `FALSE_SHARE` may be false. Pairs of shots do not count there: they
are many more than in people's pictures, and of a small distant part two shots show the same pixels. How many of them
are accepted is told.
The fillers are pictures of which nobody knows whether two are alike. Where a person has seen that two of them show the
same picture, a file with their names (``--same``: two names a line) leaves out the pairs of composites that hold them.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import pickle
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dedupindex.errors import ReadError
from dedupindex.evaluation.piece_attacks import PIECE_ATTACKS, piece_attack
from dedupindex.features import piece_keypoints, thumbnail
from dedupindex.features.model import load_model
from dedupindex.features.piece_entries import ENTRIES, pack_pieces, unpack_entries, unpack_keypoints, unpack_pieces
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
from dedupindex.verify.pieces.confirmation import examined
from dedupindex.verify.pieces.matching import maps_between
from dedupindex.verify.pieces.scoring import EVIDENCE, evidence
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
# Fillers of each attack, one more than it uses: some cannot be read.
FILLERS = {"inset_40": 2, "inset_25": 2, "collage_2": 4, "collage_3": 9, "collage_4": 16, "wall": 2, "panel": 6}
ALIKE_COPIES = 3  # composites of a shot of a scene
ALIKE_KINDS = ("sfm", "stereo", "triple", "video", "viewpoint_pair")  # no shot of these holds a part of another one
FALSE_SHARE = 0.001  # of accepted pairs
# More agreement never lowers a score; drawn texture, thin regions and differences never raise it.
SIGNS = (1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1)
RIDGES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4)
FOLDS = 5
SPLIT = 64  # pairs that a worker measures at once


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


def tasks_of(photos: Sequence[Path], fillers: Sequence[Path], seed: int, shots: Sequence[Path] = ()) -> Iterator[Task]:
    """A task for each photograph and shot; no filler is used twice while there are others."""
    random = np.random.default_rng(seed)
    supply = itertools.cycle([fillers[i] for i in random.permutation(len(fillers))])
    names = itertools.cycle(PIECE_ATTACKS)
    for number, path in enumerate((*photos, *shots)):
        attacks = tuple(itertools.islice(names, COPIES if number < len(photos) else ALIKE_COPIES))
        taken = tuple(tuple(itertools.islice(supply, FILLERS.get(name, 0))) for name in attacks)
        yield Task(number, path, attacks, taken, seed * 10_007 + number)


def shots_of(folder: Path) -> list[Path]:
    """Shots of scenes of `ALIKE_KINDS`, sorted."""
    with (folder / "groups.csv").open(encoding="utf-8", newline="") as lines:
        return sorted(folder / row["file"] for row in csv.DictReader(lines) if row["kind"] in ALIKE_KINDS)


@dataclass(frozen=True, slots=True)
class Row:
    """A part that two pictures seem to share.

    Attributes
    ----------
    a, b : int
        Numbers of the pictures.
    groups : (int, int)
        Of the photographs that they show; the part is true where both are the same.
    measures : PieceMeasures
    shots : bool
        Both show shots of scenes, which are alike on purpose.
    """

    a: int
    b: int
    groups: tuple[int, int]
    measures: PieceMeasures
    shots: bool = False

    @property
    def same(self) -> bool:
        """Whether both pictures show the same photograph."""
        return self.groups[0] == self.groups[1]


Pair = tuple[int, int, bool]


def measured(
    packed: Sequence[dict[str, bytes]], groups: Sequence[int], photos: int, pool: ProcessPoolExecutor | None = None
) -> list[Row]:
    """Every part of proposed pairs that keypoints agree on and that keeps the hard limits.

    Parameters
    ----------
    packed : sequence of dict
        Features of the pictures.
    groups : sequence of int
        Of the photograph that each shows.
    photos : int
        Groups from here on are shots of scenes.
    pool : ProcessPoolExecutor, optional
        Its workers measure.

    Returns
    -------
    list of Row
    """
    entries = [unpack_entries(one[ENTRIES]) for one in packed]
    lists = file_entries(range(len(packed)), entries)
    points = {number: unpack_keypoints(one) for number, one in enumerate(packed)}
    near = proposed([LiveLists(lists, np.zeros(len(packed), bool))], points, dict.fromkeys(points, SIDE))
    pairs = sorted({(min(a, b), max(a, b), turned) for a, row in near.items() for b, (_, turned) in row.items()})
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    parts = [pairs[start : start + SPLIT] for start in range(0, len(pairs), SPLIT)]
    asked = ((part, {n: packed[n] for a, b, _ in part for n in (a, b)}) for part in parts)
    found = map(measured_pairs, asked) if pool is None else pool.map(measured_pairs, asked)
    return [
        Row(a, b, (groups[a], groups[b]), measures, min(groups[a], groups[b]) >= photos)
        for part in found
        for a, b, measures in part
    ]


def measured_pairs(
    asked: tuple[Sequence[Pair], Mapping[int, dict[str, bytes]]],
) -> list[tuple[int, int, PieceMeasures]]:
    """The parts of some pairs."""
    pairs, packed = asked
    features = {number: unpack_pieces(one) for number, one in packed.items()}
    parity = load_model().local_parity
    rows = []
    for a, b, turned in pairs:
        one, other = features[a], features[b]
        for found in maps_between(one.keypoints, other.keypoints, other.mask.shape[1], parity, mirrored=turned):
            seen = examined(one, other, found)
            if seen is not None:
                rows.append((a, b, seen.measures))
    return rows


def fit_score(rows: Sequence[Row]) -> tuple[dict[str, object], dict[str, object]]:
    """Fit the model, and set its bias by the scores of models that have not seen a pair.

    Returns
    -------
    model, figures : dict
    """
    terms = np.array([evidence(row.measures) for row in rows], np.float64)
    true = np.array([row.same for row in rows])
    if true.all() or not true.any():
        raise ValueError("pairs of both kinds are needed")
    counts = Counter((row.a, row.b) for row in rows)
    weight = np.array([1 / counts[row.a, row.b] for row in rows])
    weight[true] /= weight[true].sum()
    weight[~true] /= weight[~true].sum()
    fold = np.array([min(row.groups) for row in rows]) % FOLDS
    losses, unseen = {}, {}
    for ridge in RIDGES:
        logits = np.zeros(len(rows))
        for number in range(FOLDS):
            out = fold == number
            bias, weights = fit_logistic(terms[~out], true[~out], weight[~out], SIGNS, ridge)
            logits[out] = bias + terms[out] @ weights
        losses[ridge] = float((weight * np.logaddexp(0, np.where(true, -logits, logits))).sum())
        unseen[ridge] = logits
    ridge = min(losses, key=losses.__getitem__)
    bias, weights = fit_logistic(terms, true, weight, SIGNS, ridge)
    ranked = best_of_pairs([row for row in rows if not row.shots], unseen[ridge][[not row.shots for row in rows]])
    false = np.cumsum([not same for _, same in ranked])
    good = np.flatnonzero(false <= FALSE_SHARE * np.arange(1, len(ranked) + 1))
    last = int(good[-1]) if len(good) else 0
    limit = ranked[last][0]
    alike = [row.shots and not row.same for row in rows]
    shots = best_of_pairs([row for row, taken in zip(rows, alike, strict=True) if taken], unseen[ridge][alike])
    surest = [round(float(expit(logit - limit)), 3) for logit, same in ranked if not same][:10]
    model: dict[str, object] = {
        "constant": float(bias - limit),
        "weights": [float(value) for value in weights],
        "threshold": 0.5,
    }
    figures: dict[str, object] = {
        "pairs": len(ranked),
        "true": sum(same for _, same in ranked),
        "accepted": last + 1,
        "accepted_false": int(false[last]),
        "ridge": ridge,
        "scores_of_the_surest_false": surest,
        "pairs_of_shots": len(shots),
        "pairs_of_shots_accepted": sum(logit >= limit for logit, _ in shots),
    }
    return model, figures


def known_apart(
    rows: Sequence[Row], names: Sequence[tuple[int, str]], tasks: Sequence[Task], same: set[frozenset[str]]
) -> list[Row]:
    """Rows without the false ones whose two composites hold fillers that are known to be the same picture.

    Parameters
    ----------
    rows : sequence of Row
    names : sequence of (int, str)
        Group and attack of each picture.
    tasks : sequence of Task
        That they were made by.
    same : set of frozenset of str
        Two names of fillers each.

    Returns
    -------
    list of Row
    """

    def fillers(number: int) -> tuple[Path, ...]:
        group, name = names[number]
        return () if name == "original" else tasks[group].fillers[tasks[group].attacks.index(name)]

    def hold(row: Row) -> bool:
        pairs = itertools.product(fillers(row.a), fillers(row.b))
        return any(frozenset((one.name, other.name)) in same for one, other in pairs)

    return [row for row in rows if row.same or not hold(row)]


def best_of_pairs(rows: Sequence[Row], logits: Sequence[float] | NDArray[np.float64]) -> list[tuple[float, bool]]:
    """The largest logit of each pair and whether it is true, largest first."""
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    for row, logit in zip(rows, logits, strict=True):
        best[row.a, row.b] = max((float(logit), row.same), best.get((row.a, row.b), (-np.inf, row.same)))
    return sorted(best.values(), reverse=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    words = verbs.add_parser("words")
    words.add_argument("folder", type=Path)
    score = verbs.add_parser("score")
    score.add_argument("photos", type=Path)
    score.add_argument("fillers", type=Path)
    score.add_argument("alike", type=Path)
    for verb in (words, score):
        verb.add_argument("--seed", type=int, default=1)
        verb.add_argument("--limit", type=int, default=0, help="files that are used; 0 = all")
        verb.add_argument("--output", type=Path)
    score.add_argument("--same", type=Path, help="file of fillers that show the same picture, two names a line")
    score.add_argument("--keep", type=Path, help="file for what was measured; where there is one, it is used")
    chosen = parser.parse_args()
    name = "piece_words" if chosen.verb == "words" else "pieces"
    output: Path = chosen.output or SHIPPED[name]
    files = sorted(path for path in (chosen.folder if name == "piece_words" else chosen.photos).iterdir())
    random = np.random.default_rng(chosen.seed)
    files = [files[i] for i in random.permutation(len(files))][: chosen.limit or None]
    figures: dict[str, object]
    data: dict[str, object]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        if chosen.verb == "words":
            codes = list(pool.map(codes_of, files, chunksize=8))
            fitted = fit_words(codes, chosen.seed)
            save_words(output, fitted)
            figures = {"pictures": len(codes), "codes": sum(map(len, codes))}
            data = {"pictures": folder_digest(chosen.folder)}
        else:
            fillers, shots = sorted(chosen.fillers.iterdir()), shots_of(chosen.alike)
            tasks = list(tasks_of(files, fillers, chosen.seed, shots))
            if chosen.keep is not None and chosen.keep.exists():
                names, rows = pickle.loads(chosen.keep.read_bytes())
            else:
                made = [one for part in pool.map(make, tasks) for one in part]
                names = [one[:2] for one in made]
                rows = measured([one[2] for one in made], [group for group, _ in names], len(files), pool)
            if chosen.keep is not None:
                chosen.keep.write_bytes(pickle.dumps((names, rows)))
            lines = chosen.same.read_text(encoding="utf-8").splitlines() if chosen.same is not None else []
            same = {frozenset(line.split(",")) for line in lines}
            model, figures = fit_score(known_apart(rows, names, tasks, same))
            print(json.dumps(figures, indent=1))
            output.write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
            figures |= {"pictures": len(names), "parts": len(rows), "evidence": list(EVIDENCE)}
            data = {
                "photos": folder_digest(chosen.photos),
                "fillers": folder_digest(chosen.fillers),
                "alike": folder_digest(chosen.alike),
            }
            if same:
                data["same"] = sorted(sorted(one) for one in same)
    arguments = f" --limit {chosen.limit}" if chosen.limit else ""
    arguments += " --same FILE" if chosen.verb == "score" and chosen.same is not None else ""
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
