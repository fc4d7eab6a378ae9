"""Classify the differences of two aligned pictures: the same, edited, an alternate, or different pictures.

An edit leaves the rest of a file as it was. So the first test is about the rest: do the windows outside the changed
places agree, and do they coincide to a fraction of a pixel? Another shot of a scene fails here, since it differs
everywhere. Where the changed places are many and small, nothing is displaced and yet the rest does not agree, the two
are pages that share a layout and no more: different pictures.

The second test is what the places contain. Writing, stickers, bars and censored boxes are few and solid: each fills its
box. Where one picture shows something and the other one nothing (writing on the sky, a black box), nothing was
exchanged, however large it is. A template that was filled in again has its differences all over, and in places where
both pictures show something. Hence the share of what *both* show that was exchanged decides between an edit and an
alternate, and the more places there are, the smaller is the limit. Two pictures are different where they do not agree
as a whole; a large exchanged share is not enough, since on a smooth picture a few words are most of the content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from dedupindex.records import Mask, Outcome
from dedupindex.verify.proof.regions import Place
from dedupindex.verify.proof.residual import BIN_CELLS, CELL, Residual
from dedupindex.verify.proof.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of the differences of two pictures.

    Attributes
    ----------
    places : int
        Changed places.
    share : float
        Of the area that differs, 0..1.
    replaced : float
        Share of the windows in which both pictures show something that differs, 0..1.
    fill : float
        Share of their boxes that the places fill, 0..1.
    agreement : float
        Mean correlation of the windows in which both pictures show something, -1..1.
    rest : float
        The same, outside the changed places.
    displaced : float
        Displacement of blocks outside the changed places, pixels of the grid.
    moved : float
        Share of the area whose content lies elsewhere in the other picture, 0..1.
    """

    places: int
    share: float
    replaced: float
    fill: float
    agreement: float
    rest: float
    displaced: float
    moved: float


def replaced_share(residual: Residual, changed: Mask) -> float:
    """Changed share of the windows in which both pictures show something; 0 where there are too few of them."""
    shown = int(residual.shown.sum())
    return float((residual.shown & changed).sum()) / shown if shown >= BIN_CELLS else 0.0


def agreements(residual: Residual, changed: Mask, whole: float) -> tuple[float, float]:
    """Mean correlation of the windows in which both pictures show something.

    Parameters
    ----------
    residual : Residual
    changed : (h, w) bool
        Changed cells.
    whole : float
        Correlation of the pictures as a whole: used where hardly any window shows anything.

    Returns
    -------
    every, kept : float
        -1..1: over all these windows, and over those away from changed cells.
    """
    near = np.asarray(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)), bool)
    kept = residual.shown & ~near
    every = float(residual.correlation[residual.shown].mean()) if residual.shown.sum() >= BIN_CELLS else whole
    return every, float(residual.correlation[kept].mean()) if kept.sum() >= BIN_CELLS else every


def filled(places: Sequence[Place]) -> float:
    """Share of their boxes that places fill; 1 where there are none."""
    boxes = sum(place.height * place.width for place in places) / CELL**2
    return sum(place.cells for place in places) / boxes if boxes else 1.0


def judge(evidence: Evidence, limits: Thresholds) -> tuple[Outcome, str]:
    """Return the outcome, and in words what decided.

    Parameters
    ----------
    evidence : Evidence
    limits : Thresholds
    """
    seen = evidence
    where = f"{seen.places} place{'' if seen.places == 1 else 's'}, {100 * seen.share:.2g} % of the area"
    exchanged = max(seen.replaced, seen.share) > limits.different
    if seen.agreement < limits.unlike or (exchanged and seen.agreement < limits.agreement):
        return Outcome.DIFFERENT, f"most of what they show differs ({where}; correlation {seen.agreement:.2f})"
    scattered = seen.places > limits.places and seen.share <= limits.alternate / 2
    if scattered and seen.rest < limits.template and seen.displaced <= limits.displaced:
        return Outcome.DIFFERENT, f"no more than a layout is the same ({where}; correlation {seen.rest:.2f} elsewhere)"
    if seen.moved > 0:
        return Outcome.ALTERNATE, f"something moved, {100 * seen.moved:.2g} % of the area ({where})"
    if seen.rest < limits.agreement:
        return Outcome.ALTERNATE, f"what they show is alike and not the same (correlation {seen.rest:.2f})"
    if seen.displaced > limits.displaced:
        text = f"parts lie up to {seen.displaced:.1f} pixels off each other"
        return Outcome.ALTERNATE, f"another view of the scene: {text}"
    if not seen.places:
        return Outcome.SAME, "no place differs beyond what tone, resampling and compression explain"
    if seen.places <= limits.places // 2:
        limit = 1.0 if seen.fill >= limits.solid and seen.share <= limits.different else limits.alternate
    else:
        limit = limits.alternate / (2 if seen.places <= limits.places else 10)
    if seen.replaced > limit:
        return Outcome.ALTERNATE, f"the same scene or template with other content ({where})"
    return Outcome.EDITED, f"changed in {where}; the rest is the same"
