"""From evidence to a probability: one logistic rule over named measures; a score means the same on every path."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dedupindex.records import FloatArray

VERSION = "1"
# Fitted by logistic regression on candidate pairs of the development benchmark (one seed) and pairs of different
# photographs under one overlay; checked on another seed. The names are those of `evidence`.
BIAS = -11.723
WEIGHTS: Mapping[str, float] = {
    "log_inliers": 0.258,
    "ncc": 2.347,
    "fine_ncc": 1.282,
    "area_agreement": 2.882,
    "area_mean": 3.220,
    "significance": 1.917,
    "log_cover": 0.824,
    "log_overlap": 0.081,
    "log_pixels": 2.088,
    "cosine": -0.790,
    "textured": -1.448,
    "fine_held": 1.740,
    "agreement_4": 4.024,
    "fine_agreement": 2.956,
}


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
        What `agreement` measures, with ``significance``, ``inliers`` and ``cosine``.
    """
    agreement, fine = measures["area_agreement"], measures["fine_ncc"]
    inliers = measures["inliers"]
    return {
        "log_inliers": float(np.log1p(inliers)),
        "ncc": measures["ncc"],
        "fine_ncc": fine,
        "area_agreement": agreement,
        "area_mean": measures["area_mean"],
        "significance": float(np.clip(measures["significance"], -5, 25)) / 10,
        "log_cover": float(np.log(np.clip(min(measures["cover_a"], measures["cover_b"]), 0.02, 1))),
        "log_overlap": float(np.log(np.clip(measures["overlap"], 0.05, 1))),
        "log_pixels": float(np.log(np.clip(measures["pixels"], 20, 3000) / 3000)),
        "cosine": measures["cosine"],
        "textured": measures["textured"],
        "fine_held": fine if inliers > 0 else 0.0,
        "agreement_4": agreement**4,
        "fine_agreement": fine * agreement,
    }


def probability(measures: Mapping[str, float]) -> float:
    """Weigh measures into the probability that two pictures show the same where they overlap, 0..1."""
    terms = evidence(measures)
    logit = BIAS + sum(WEIGHTS[name] * value for name, value in terms.items())
    return float(1 / (1 + np.exp(-np.clip(logit, -40, 40))))
