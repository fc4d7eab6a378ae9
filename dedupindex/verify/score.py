"""Turn evidence into a probability by logistic rules over named measures, the same for every kind of alignment.

Two rules, one after the other. The first asks whether two pictures look the same. The second asks whether what looks
the same is more than a layout, an outline or a trend: different pages of one layout, objects cut out on one colour and
smooth fields pass the first rule as well as copies do. It is fitted on pairs that pass the first one. Both have to
accept, so the score is the lower of the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dedupindex.features.descriptor import FEW_KEYPOINTS
from dedupindex.fitted import digest, numbers
from dedupindex.records import FloatArray

EVIDENCE_VERSION = "2"  # of the measures and their terms: a change needs a new fit
UNIT = 30.0  # times the spread by chance: about the limit between copies and unrelated pictures of one layout
WEAKEST, STRONGEST = 0.2, 12.0  # limits of detail in these units; below the first there is hardly any
FEWEST_PIXELS, MOST_PIXELS = 200, 16_000  # limits of the number of pixels that is used; a whole thumbnail has 128 x 128


@dataclass(frozen=True, slots=True)
class Rule:
    """A logistic rule.

    Attributes
    ----------
    bias : float
    weights : mapping
        By the name of the term, in the order of the sum.
    """

    bias: float
    weights: Mapping[str, float]


_FITTED = numbers("score")  # by `tests.tools.fit_score`; its manifest names the data
APPEARANCE = Rule(**_FITTED["appearance"])
DETAIL = Rule(**_FITTED["detail"])
VERSION = f"{EVIDENCE_VERSION}.{digest('score')}"  # changes with the fitted numbers


def null_spread(a: FloatArray, b: FloatArray, mask: FloatArray) -> float:
    """Standard deviation of the correlation of two unrelated pictures with these spectra.

    For pictures with random phases the correlation has mean 0 and variance ``sum(Pa Pb) / (sum(Pa) sum(Pb))`` over the
    non-zero frequencies: about 1 / sqrt(number of pixels) for white noise, large for smooth pictures, whose few
    degrees of freedom agree by chance.

    Parameters
    ----------
    a, b : (H, W) float32
    mask : (H, W) float32, 0..1
        Weight; pixels with 0 do not count.

    Returns
    -------
    float
        0..1.
    """
    total = max(float(mask.sum()), 1e-6)
    power = []
    for picture in (a, b):
        centred = (picture - float((picture * mask).sum()) / total) * mask
        spectrum = np.abs(np.fft.fft2(centred)) ** 2
        spectrum[0, 0] = 0
        power.append(spectrum)
    energy = float(power[0].sum()) * float(power[1].sum())
    return float(np.sqrt((power[0] * power[1]).sum() / energy)) if energy > 1e-12 else 1.0


def significance(correlation: float, spread: float) -> float:
    """Return Fisher's z of a correlation in units of its spread under the null hypothesis."""
    return float(np.arctanh(np.clip(correlation, -0.9999, 0.9999)) / max(spread, 1e-3))


def evidence(measures: Mapping[str, float]) -> dict[str, float]:
    """Turn measures into the terms of the rule, each of order 1.

    Parameters
    ----------
    measures : mapping
        What `agreement` measures, with ``significance``, ``inliers``, ``cosine`` and ``zoom``.
    """
    agreement, exact, fine = measures["area_agreement"], measures["area_exact"], measures["fine_ncc"]
    inliers = measures["inliers"]
    held = float(inliers > 0)  # 1 = aligned by keypoints; else correlation is the only evidence
    significant = float(np.clip(measures["significance"], -5, 25)) / 10
    log_cover = float(np.log(np.clip(min(measures["cover_a"], measures["cover_b"]), 0.02, 1)))
    log_inliers = float(np.log1p(inliers))
    return {
        "log_inliers": log_inliers,
        "fine_ncc": fine,
        "area_agreement": agreement,
        "area_mean": measures["area_mean"],
        "significance": significant,
        "log_cover": log_cover,
        "log_overlap": float(np.log(np.clip(measures["overlap"], 0.05, 1))),
        "cosine": measures["cosine"],
        "textured": measures["textured"],
        "agreement_4": agreement**4,
        "fine_agreement": fine * agreement,
        "held": held,
        "bare_cover": (1 - held) * log_cover,
        "bare_ncc": (1 - held) * float(np.arctanh(np.clip(measures["ncc"], 0, 0.9995))),
        "log_zoom": float(np.log(measures["zoom"])),
        "shared_low": measures["shared_low"],
        "area_exact": exact,
        "bare_exact": (1 - held) * exact,
        "bare_pixels": (1 - held) * float(np.log(np.clip(measures["pixels"], 20, 8000) / 3000)),
        "inlier_exact": log_inliers * exact,
        "inlier_fine": log_inliers * fine,
        "inlier_shared": log_inliers * measures["shared_mean"],
        "strange": 100 * max(0.0, measures["strange_patch"] * (1 - agreement) - 0.003),
    }


def detail_evidence(measures: Mapping[str, float]) -> dict[str, float]:
    """Turn measures into the terms of the second rule: whether more than layout, outline or trend agrees.

    Most pictures are judged by their detail. Smooth ones have few keypoints and little detail, so other terms.

    Parameters
    ----------
    measures : mapping
        As for `evidence`, with ``keypoints``, ``matches``, ``turned`` and what `detail_agreement` measures.
    """
    inner, echo = measures["inner"], measures["echo"]
    # share of what remains after a shifted picture's agreement that the aligned one explains
    agreement = float(np.arctanh(np.clip((inner - echo) / max(1 - echo, 0.1), -0.9, 0.99)))
    # in units of its spread by chance: the same agreement of fewer pixels is weaker evidence
    significant = agreement * np.sqrt(np.clip(measures["inner_pixels"], FEWEST_PIXELS, MOST_PIXELS)) / UNIT
    few = float(measures["keypoints"] < FEW_KEYPOINTS)
    return {
        "detail": (1 - few) * float(np.log(np.clip(significant, WEAKEST, STRONGEST))),
        "inlier_share": measures["inliers"] / max(measures["matches"], 1.0),
        "few": few,
        "few_detail": few * agreement,
        "few_ncc": few * float(np.arctanh(np.clip(measures["ncc"], 0, 0.9995))),
        # a trend has a direction: any two trends agree after a suitable turn
        "few_turned": few * measures["turned"] * (1 - max(measures["trendless"], 0.0)),
    }


def probability(measures: Mapping[str, float]) -> float:
    """Weigh measures into the probability that two pictures show the same where they overlap, 0..1.

    The lower of two: that they look the same, and that this is more than a layout, an outline or a trend.
    """
    return min(appearance(measures), more_than_layout(measures))


def appearance(measures: Mapping[str, float]) -> float:
    """Probability that two pictures look the same where they overlap, 0..1."""
    return _logistic(APPEARANCE, evidence(measures))


def more_than_layout(measures: Mapping[str, float]) -> float:
    """Probability that pictures that look the same agree in more than layout, outline or trend, 0..1."""
    return _logistic(DETAIL, detail_evidence(measures))


def needed_agreement(threshold: float, inlier_share: float, pixels: float) -> float:
    """Fisher's z of the agreement in detail that the second rule asks for, of pictures that have keypoints.

    Parameters
    ----------
    threshold : float
        Smallest score that is accepted, 0..1.
    inlier_share : float
        Of the keypoints that match, 0..1.
    pixels : float
        In which the detail is compared.

    Returns
    -------
    float
        Minus infinity where the threshold is so low that any agreement is enough.
    """
    logit = float(np.log(max(threshold, 1e-9) / max(1 - threshold, 1e-9)))
    weights = DETAIL.weights
    units = np.exp((logit - DETAIL.bias - weights["inlier_share"] * inlier_share) / weights["detail"])
    if units <= WEAKEST:
        return -np.inf
    return float(min(units, STRONGEST) * UNIT / np.sqrt(np.clip(pixels, FEWEST_PIXELS, MOST_PIXELS)))


def needed_few_agreement(threshold: float, correlation: float) -> float:
    """The same of pictures with fewer than `FEW_KEYPOINTS`, which are judged by their correlation as well.

    Parameters
    ----------
    threshold : float
        Smallest score that is accepted, 0..1.
    correlation : float
        As it may be at most, -1..1.

    Returns
    -------
    float
        0 or less where any agreement is enough.
    """
    logit = float(np.log(max(threshold, 1e-9) / max(1 - threshold, 1e-9)))
    weights = DETAIL.weights
    by_correlation = weights["few_ncc"] * float(np.arctanh(np.clip(correlation, 0, 0.9995)))
    return (logit - DETAIL.bias - weights["few"] - by_correlation) / weights["few_detail"]


def _logistic(rule: Rule, terms: Mapping[str, float]) -> float:
    logit = rule.bias + sum(weight * terms[name] for name, weight in rule.weights.items())
    return float(1 / (1 + np.exp(-np.clip(logit, -40, 40))))
