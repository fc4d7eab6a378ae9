"""From evidence to a probability: one logistic rule over named measures; a score means the same on every path."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dedupindex.fitted import numbers
from dedupindex.records import FloatArray

VERSION = "6"
EVIDENCE_VERSION = "1"  # of what is measured and how it becomes terms: another one wants another fit
_FITTED = numbers("score")  # by `tests.tools.fit_score`; the manifest beside it says on what
BIAS: float = _FITTED["bias"]
WEIGHTS: Mapping[str, float] = _FITTED["weights"]  # the names are those of `evidence`, the order that of the sum


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
    held = float(inliers > 0)  # keypoints hold the alignment; without, correlation alone has to speak
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


def probability(measures: Mapping[str, float]) -> float:
    """Weigh measures into the probability that two pictures show the same where they overlap, 0..1."""
    terms = evidence(measures)
    logit = BIAS + sum(WEIGHTS[name] * value for name, value in terms.items())
    return float(1 / (1 + np.exp(-np.clip(logit, -40, 40))))
