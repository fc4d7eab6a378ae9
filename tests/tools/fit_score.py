"""Fit the weights of the score: ``python -m tests.tools.fit_score FOLDER [--seed 0] [--output FILE]``.

Labelled pictures are made of a folder of photographs (`labelled_pictures`), pairs of them are aligned and measured
(`measured_pairs`), and a logistic regression weighs the terms of `dedupindex.verify.score.evidence`. No weight is
set by hand. What is decided here, and why:

- Each family's copies weigh as much as its strangers, and all families the same: a rule that serves photographs and
  fails on pages is no use, however many more photographs there are.
- Weights of agreement may not be negative and those of disagreement not positive (`SIGNS`): a pair that agrees better
  must not score lower.
- The bias is set last, so that at score 0.5 at most `FALSE_RATE` of the strangers of a family that a search proposes
  are accepted, in the worst family. That replaces a bias that is raised by hand.
- Files of a folder may be copies of each other unknown. Strangers among them that the rule in force takes for copies
  are left out and counted.

Figures in the report are from two halves of the subjects, each judged by the fit on the other one.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dedupindex.verify import score
from tests.tools.labelled_pictures import FAMILIES, Counts, Labelled
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
from tests.tools.measured_pairs import Measured, Pair, choose_pairs, make_pictures, measure_pairs

FALSE_RATE = 0.002
RIDGE = 1e-5
SIGNS: Mapping[str, int] = {
    "fine_ncc": 1, "area_agreement": 1, "area_mean": 1, "significance": 1, "agreement_4": 1, "fine_agreement": 1,
    "bare_ncc": 1, "shared_low": -1, "inlier_shared": 1, "strange": -1,
}  # fmt: skip
DIGITS = 4  # of a weight


@dataclass(frozen=True, slots=True)
class Rows:
    """What the regression sees.

    Attributes
    ----------
    terms : (N, M) float64
        In the order of `names`.
    copies : (N,) bool
    family : (N,) int
        Number within `FAMILIES`.
    pair : (N,) int
        Rows of one pair belong together: the best one counts.
    half : (N,) int
        0 or 1 where both subjects belong to that half, else -1.
    shipped : (N,) float64
        Probability by the numbers that ship.
    """

    names: tuple[str, ...]
    terms: NDArray[np.float64]
    copies: NDArray[np.bool_]
    family: NDArray[np.intp]
    pair: NDArray[np.intp]
    half: NDArray[np.intp]
    shipped: NDArray[np.float64]

    def some(self, which: NDArray[np.bool_]) -> Rows:
        """The rows that *which* (N,) bool chooses."""
        parts = (self.terms, self.copies, self.family, self.pair, self.half, self.shipped)
        return Rows(self.names, *(part[which] for part in parts))  # type: ignore[arg-type]


def rows_of(pictures: Sequence[Labelled], pairs: Sequence[Pair], measured: Sequence[Measured]) -> tuple[Rows, int]:
    """Make rows of measured pairs; and how many pairs are left out because nobody knows what they are."""
    doubtful = {one.pair for one in measured if not pairs[one.pair].certain and one.probability >= 0.5}
    kept = [one for one in measured if one.pair not in doubtful]
    evidence = [score.evidence(one.measures) for one in kept]
    names = tuple(evidence[0])
    halves = [hash_half(picture.subject) for picture in pictures]
    own = [pairs[one.pair] for one in kept]
    half = [halves[p.first] if halves[p.first] == halves[p.second] else -1 for p in own]
    rows = Rows(
        names,
        np.array([[terms[name] for name in names] for terms in evidence], np.float64),
        np.array([p.copies for p in own], np.bool_),
        np.array([FAMILIES.index(p.family) for p in own], np.intp),
        np.array([one.pair for one in kept], np.intp),
        np.array(half, np.intp),
        np.array([one.probability for one in kept], np.float64),
    )
    return rows, len(doubtful)


def hash_half(subject: str) -> int:
    """Half, 0 or 1, that a subject's task belongs to: pictures of one group are in one half."""
    return int(subject.split(" ")[1].split(".")[0]) % 2


def row_weights(rows: Rows) -> NDArray[np.float64]:
    """Weight of each row: every family counts 1, half for its copies, half for its strangers, shared by their rows."""
    cell = 2 * rows.family + rows.copies
    size = np.bincount(cell, minlength=2 * len(FAMILIES))
    return 1.0 / size[cell]


def fit(rows: Rows) -> tuple[float, NDArray[np.float64]]:
    """Fit bias and weights, the bias by `FALSE_RATE`."""
    signs = [SIGNS.get(name, 0) for name in rows.names]
    bias, weights = fit_logistic(rows.terms, rows.copies, row_weights(rows), signs, RIDGE)
    logit = bias + rows.terms @ weights
    highest = max(
        float(np.quantile(_best(logit, rows, rows.family == number, False), 1 - FALSE_RATE, method="higher"))
        for number in set(rows.family[~rows.copies].tolist())
    )
    return bias - max(highest, 0.0) - 1e-6, weights


def _best(score: NDArray[np.float64], rows: Rows, which: NDArray[np.bool_], copies: bool) -> NDArray[np.float64]:
    """Highest score of each pair of copies, or of strangers, among the rows that *which* chooses."""
    chosen = np.flatnonzero(which & (rows.copies == copies))
    pair, place = np.unique(rows.pair[chosen], return_inverse=True)
    best = np.full(len(pair), -np.inf)
    np.maximum.at(best, place, score[chosen])
    return best


def figures(rows: Rows, probability: NDArray[np.float64]) -> dict[str, Any]:
    """By family: how many copies are accepted at 0.5 and at which score one stranger in a thousand lies."""
    found: dict[str, Any] = {}
    for number, family in enumerate(FAMILIES):
        which = rows.family == number
        copies, strangers = (_best(probability, rows, which, kind) for kind in (True, False))
        if len(copies) and len(strangers):
            found[family] = {
                "copies": len(copies),
                "accepted": round(float((copies >= 0.5).mean()), 4),
                "strangers": len(strangers),
                "falsely accepted": int((strangers >= 0.5).sum()),
                "highest of strangers": round(float(strangers.max()), 4),
            }
    return found


def report(rows: Rows) -> dict[str, Any]:
    """Figures of the numbers that ship and of a fit on one half, judged on the other."""
    crossed = np.full(len(rows.pair), np.nan)
    for half in (0, 1):
        bias, weights = fit(rows.some(rows.half == half))
        other = rows.half == 1 - half
        crossed[other] = expit(bias + rows.terms[other] @ weights)
    seen = ~np.isnan(crossed)
    held = rows.some(seen)
    return {"shipped before": figures(held, held.shipped), "fitted on the other half": figures(held, crossed[seen])}


def numbers_of(rows: Rows, bias: float, weights: NDArray[np.float64]) -> dict[str, Any]:
    """What goes into the file: few digits, in the order in which terms are summed."""
    rounded = {name: round(float(value), DIGITS) for name, value in zip(rows.names, weights, strict=True)}
    return {"bias": round(bias, DIGITS), "weights": rounded}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs, all different or nearly so; some thousands")
    parser.add_argument("--output", type=Path, default=SHIPPED["score"], help="file of numbers to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="so many times as many pictures")
    arguments = parser.parse_args()
    pictures = make_pictures(arguments.folder, Counts().scaled(arguments.scale), arguments.seed)
    print(f"{len(pictures)} pictures:", dict(Counter(picture.family for picture in pictures)), flush=True)
    pairs = choose_pairs(pictures, arguments.seed)
    print(f"{len(pairs)} pairs, {sum(pair.copies for pair in pairs)} of them copies", flush=True)
    rows, doubtful = rows_of(pictures, pairs, measure_pairs(pictures, pairs))
    print(f"{len(rows.pair)} alignments; {doubtful} pairs left out", flush=True)
    reached = report(rows)
    bias, weights = fit(rows)
    arguments.output.write_text(json.dumps(numbers_of(rows, bias, weights), indent=1) + "\n", encoding="utf-8")
    manifest = Manifest(
        file_digest(arguments.output),
        f"{COMMANDS['score']} --seed {arguments.seed} --scale {arguments.scale:g}",
        {"photographs": folder_digest(arguments.folder)},
        arguments.seed,
        seen_versions("score"),
        {"pictures": len(pictures), "pairs": len(pairs), "pairs left out": doubtful, **reached},
        libraries=libraries(),
    )
    write_manifest(arguments.output, manifest)
    print(json.dumps(reached, indent=1))


if __name__ == "__main__":
    main()
