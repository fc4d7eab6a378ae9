"""Verify from the features of two pictures whether they show the same, with the evidence; cheapest stage first.

Stages: the same pixels; a plain shift by masked NCC; keypoints, mirrored or not; where the aspects are far apart, one
stretched over the other; and where keypoints are too few, the other orientations and log-polar spectra. Each alignment
is assessed by the same measures and the same rule; the first one that is certain ends the search, else the best one is
used. Pictures that look very unlike each other are tried as negatives too: one of them is inverted, and the stages are
the same. For the best alignment a second rule decides whether more agrees than a layout, an outline or a trend.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dedupindex.features.descriptor import orientation_cosines, reach, unit
from dedupindex.features.model import load_model
from dedupindex.features.negative import Negatives, has_negative, negative
from dedupindex.features.thumbnail import SIDE
from dedupindex.records import (
    Features,
    FloatArray,
    Mask,
    Registration,
    RegistrationMethod,
    Relation,
    Side,
    Verification,
    VerificationMeasures,
)
from dedupindex.verify import orientations, score
from dedupindex.verify.agreement import Overlay, agreement, overlay
from dedupindex.verify.coarse import Details, may_agree
from dedupindex.verify.coarse_shifts import worth_aligning, worth_shifting
from dedupindex.verify.detail import detail_agreement
from dedupindex.verify.keypoint_registration import Alignment, invert, register_keypoints
from dedupindex.verify.relations import full_matrix, registration_of, relations_of, to_full

CERTAIN = 0.995  # a probability that ends the search for better alignments
WORTH = 0.02  # probability from which an alignment is simplified and its detail measured; the same at every threshold
MIN_INLIERS = 6  # matches that must agree before an alignment is looked at
# Cosines from which pictures without agreeing keypoints are still correlated, the lower the fewer keypoints one has:
# with fewer than `BLURRED` it may be a blurred copy, with fewer than `SOME_KEYPOINTS` a noisy or faint one.
LEAST_ALIKE, ALIKE, MOST_ALIKE = 0.2, 0.3, 0.45
BLURRED, SOME_KEYPOINTS = 60, 100
STRETCHED = 0.2  # the same of pictures with aspects far apart, as they are or mirrored; strangers seldom reach it
MIN_PEAK = 0.5  # NCC at 64 pixels below which such pictures are not copies
PLAIN = 0.035  # how near a fitted map must be to a plain one, relative
MOVED = 3.0  # thumbnail pixels by which it may move the centre
FEW_KEYPOINTS = 25  # in either picture: then orientations and log-polar spectra are tried too
UNLIKE = 0.15  # cosine below which a pair is no candidate as it is, unless by a thorough search: it may be negatives
UPRIGHT = np.deg2rad(25)  # up to which a picture counts as not turned
VERSION = f"5.{score.VERSION}"


@dataclass(frozen=True, slots=True)
class Assessment:
    """An alignment with its evidence.

    Attributes
    ----------
    alignment : Alignment
    overlay : Overlay
    ncc, textured : (H, W) float32 and bool
        Of its windows, from `agreement`.
    measures : mapping
    probability : float
        That the two look the same, 0..1; after `with_detail`, that they are copies.
    """

    alignment: Alignment
    overlay: Overlay
    ncc: FloatArray
    textured: Mask
    measures: Mapping[str, float]
    probability: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What the verifications of many pairs have in common: made once for each picture.

    With it, alignments that cannot be accepted are recognised at half size (`coarse`), so the verification of a pair
    that is not accepted may tell less of why.
    """

    negatives: Negatives = field(default_factory=Negatives)
    details: Details = field(default_factory=Details)


def verify(a: Features, b: Features, *, threshold: float = 0.5, shared: Shared | None = None) -> Verification:
    """Decide whether two pictures show the same, and how.

    Parameters
    ----------
    a, b : Features
    threshold : float
        Smallest score that is accepted, 0..1.
    shared : Shared, optional
        For many pairs: it saves most of what look-alikes and half of what unlike pictures cost.

    Returns
    -------
    Verification
        The same verdict and score for (b, a), with the direction turned round.
    """
    if _order(a) > _order(b):
        return turned_round(_verify(b, a, threshold, shared), b, a)
    return _verify(a, b, threshold, shared)


def same_bytes() -> Verification:
    """Verification of two locations with the same bytes."""
    return Verification(True, 1.0, (Relation.SAME_BYTES,), Registration((0.0, 0.0)), "same bytes", version=VERSION)


def same_pixels(registration: Registration | None = None) -> Verification:
    """Verification of two images whose decoded pixels are all the same; by default one lies on the other as it is."""
    return Verification(
        accepted=True,
        score=1.0,
        relations=(Relation.SAME_PIXELS,),
        registration=registration or Registration(shift=(0.0, 0.0)),
        reason="the decoded pixels are the same",
        measures=VerificationMeasures(ncc=1.0),
        version=VERSION,
    )


def _order(features: Features) -> bytes:
    return features.pixel_sha256 + features.descriptor.tobytes() + features.thumbnail.tobytes()[:64]


def _verify(a: Features, b: Features, threshold: float, shared: Shared | None) -> Verification:
    if a.pixel_sha256 and a.pixel_sha256 == b.pixel_sha256:
        identity = registration_of(np.eye(2, 3), a, b, Alignment(np.eye(2, 3), RegistrationMethod.IDENTITY), 1.0, 1.0)
        return same_pixels(identity)
    if a.low_information or b.low_information:
        nothing = Registration((0.0, 0.0), overlap=0.0, method=RegistrationMethod.NONE, confidence=0.0)
        return Verification(False, 0.0, (), nothing, "too little information to compare", version=VERSION)
    details = None if shared is None else shared.details
    if not within_reach(a, b, details):
        nothing = Registration((0.0, 0.0), overlap=0.0, method=RegistrationMethod.NONE, confidence=0.0)
        return Verification(False, 0.0, (), nothing, "descriptors too far apart", version=VERSION)
    best = best_alignment(a, b, threshold, details)
    if (best is None or best.probability < CERTAIN) and may_be_negatives(a, b):
        inverted = shared.negatives.of(b) if shared else negative(b)
        other = best_alignment(a, inverted, threshold, details)
        if other is not None and (best is None or other.probability > best.probability):
            return as_negatives(_verdict(a, inverted, other, threshold))
    if best is None:
        nothing = Registration((0.0, 0.0), overlap=0.0, method=RegistrationMethod.NONE, confidence=0.0)
        return Verification(False, 0.0, (), nothing, "no alignment found", version=VERSION)
    return _verdict(a, b, best, threshold)


def best_alignment(
    a: Features, b: Features, threshold: float = 0.5, details: Details | None = None
) -> Assessment | None:
    """Judge alignments until one is certain; return the best of them, None where there is none.

    Parameters
    ----------
    a, b : Features
    threshold : float
        Smallest score that is accepted, 0..1.
    details : Details, optional
        With it, alignments that cannot be accepted at this threshold are left out.

    Returns
    -------
    Assessment or None
    """
    best: Assessment | None = None
    for alignment in alignments(a, b, threshold, details):
        if details is not None and not may_agree(a, b, alignment, details, threshold):
            continue
        assessment = assess(a, b, alignment)
        if best is None or assessment.probability > best.probability:
            best = assessment
        if best.probability >= CERTAIN:
            break
    return best


def may_be_negatives(a: Features, b: Features) -> bool:
    """Whether one of two pictures is worth inverting: both have keypoints, and they look unlike each other."""
    return has_negative(a) and has_negative(b) and bool(orientation_cosines(a, b, quarters=0).max() < UNLIKE)


def as_negatives(verification: Verification) -> Verification:
    """Record in a verification that one of the two pictures was inverted for it."""
    relations = (Relation.NEGATIVE, *verification.relations) if verification.accepted else ()
    return replace(verification, relations=relations, reason=f"negative, {verification.reason}")


def alignments(a: Features, b: Features, threshold: float = 0.5, details: Details | None = None) -> Iterator[Alignment]:
    """Propose alignments, the most reliable first.

    Where both pictures have keypoints and those do not agree, only pictures of similar appearance are correlated:
    this rejects most false candidates.

    Parameters
    ----------
    a, b : Features
    threshold : float
        Smallest score that is accepted, 0..1.
    details : Details, optional
        With it, what cannot be accepted at this threshold is left out.

    Yields
    ------
    Alignment
    """
    fewest = min(len(a.keypoints), len(b.keypoints))
    few = fewest < FEW_KEYPOINTS
    by_keypoints = register_keypoints(a, b, load_model().local_parity, MIN_INLIERS)
    agree = by_keypoints is not None and by_keypoints.inliers >= MIN_INLIERS
    if by_keypoints is not None and agree:
        yield by_keypoints
    correlated = few or agree or cosine(a, b) >= alike_from(fewest)
    if correlated and (details is None or worth_aligning(a, b, details, threshold)):
        plain = orientations.translate(a, b)
        if plain is not None and (few or agree or plain.peak >= MIN_PEAK):
            yield plain
    if (
        orientations.may_be_stretched(a.mask.shape, b.mask.shape)
        and orientation_cosines(a, b, quarters=0).max() >= STRETCHED
    ):
        yield from orientations.stretched(a, b)
    if few and not agree:
        if details is None:
            yield from orientations.without_keypoints(a, b)
        else:
            worth = partial(worth_shifting, a, b, details=details, threshold=threshold)
            yield from orientations.without_keypoints(a, b, worth, details.polar, details.cosines)


def alike_from(keypoints: int) -> float:
    """Cosine from which two pictures are correlated though their keypoints do not agree; lower for few keypoints."""
    if keypoints < BLURRED:
        return LEAST_ALIKE
    return ALIKE if keypoints < SOME_KEYPOINTS else MOST_ALIKE


def within_reach(a: Features, b: Features, details: Details | None = None) -> bool:
    """Whether pictures without keypoints are near enough, in any orientation, to be copies; true for all others.

    Parameters
    ----------
    a, b : Features
    details : Details, optional
        Keeps the turned descriptors of each picture.

    Returns
    -------
    bool
    """
    needed = max(reach(a), reach(b))
    if needed < 0:
        return True
    poor, other = (a, b) if reach(a) >= reach(b) else (b, a)
    cosines = orientation_cosines if details is None else details.cosines
    return bool(cosines(other, poor).max() >= needed)


def cosine(a: Features, b: Features) -> float:
    """Cosine of the two descriptors, -1..1."""
    vectors = unit(np.stack([a.descriptor, b.descriptor]))
    return float(vectors[0] @ vectors[1])


def assess(a: Features, b: Features, alignment: Alignment) -> Assessment:
    """Measure an alignment and weigh the measures by the first rule.

    Parameters
    ----------
    a, b : Features
    alignment : Alignment

    Returns
    -------
    Assessment
    """
    overlaid = overlay(a, b, alignment.matrix)
    agreed, ncc, textured = agreement(overlaid)
    measures = dict(agreed)
    spread = score.null_spread(overlaid.a, overlaid.b, overlaid.mask.astype(np.float32))
    measures["significance"] = score.significance(measures["ncc"], spread)
    measures["matches"], measures["inliers"] = float(alignment.matches), float(alignment.inliers)
    measures["keypoints"] = float(min(len(a.keypoints), len(b.keypoints)))
    measures["zoom"] = max(alignment.scale, 1 / max(alignment.scale, 1e-6))
    measures["cosine"] = cosine(a, b)
    return Assessment(alignment, overlaid, ncc, textured, measures, score.appearance(measures))


def with_detail(assessment: Assessment) -> Assessment:
    """Apply the second rule to an alignment: whether more agrees than a layout, an outline or a trend."""
    laid = assessment.overlay
    measures = {
        **assessment.measures,
        **detail_agreement(laid.a, laid.b, laid.mask),
        "turned": float(is_turned(assessment.alignment.matrix)),
    }
    return replace(assessment, measures=measures, probability=score.probability(measures))


def is_turned(matrix: NDArray[np.float64]) -> bool:
    """Whether a map mirrors, or turns by more than `UPRIGHT`: then a smooth picture may agree by chance."""
    across, down = matrix[:, 0], matrix[:, 1]
    upright = np.cos(UPRIGHT) * np.linalg.norm(matrix[:, :2], axis=0)
    return bool(across[0] < upright[0] or down[1] < upright[1])


def _verdict(a: Features, b: Features, best: Assessment, threshold: float) -> Verification:
    if best.probability >= WORTH:
        best = with_detail(simplified(a, b, best))
    accepted = best.probability >= threshold
    matrix = full_matrix(best.alignment.matrix, a, b)
    registration = registration_of(matrix, a, b, best.alignment, best.overlay.overlap, best.probability)
    reason = f"{best.alignment.method}: " + ", ".join(
        f"{name} {best.measures[name]:.2f}" for name in ("ncc", "area_agreement", "inliers")
    )
    measures = VerificationMeasures.of(best.measures)
    if not accepted:
        return Verification(False, best.probability, (), registration, reason, measures=measures, version=VERSION)
    related = relations_of(a, b, best.overlay, best.ncc, best.textured, registration)
    return Verification(
        True,
        best.probability,
        related.relations,
        registration,
        reason,
        measures=measures,
        crop_box=related.crop_box,
        crop_of=related.crop_of,
        version=VERSION,
    )


def simplified(a: Features, b: Features, assessment: Assessment) -> Assessment:
    """Replace a fitted map by a nearby plain one where that agrees as well.

    Keypoints give a shifted copy a scale of 1.003 and a turn of 0.1 degrees. Where the map is near a turn or mirror at
    equal pixel scale, or near one picture laid over the whole of the other, that map with its best shift is exact.

    Parameters
    ----------
    a, b : Features
    assessment : Assessment

    Returns
    -------
    Assessment
        Of the plain map, or as given.
    """
    linear = full_matrix(assessment.alignment.matrix, a, b)[:, :2]
    to_thumbnail, from_thumbnail = invert(to_full(a))[:, :2], to_full(b)[:, :2]
    centre = np.array(b.mask.shape[::-1]) / 2
    for plain in plain_maps(a, b):
        if np.abs(plain - linear).max() > PLAIN * np.abs(plain).max():
            continue
        shifted = orientations.shift_after(
            a, b, to_thumbnail @ plain @ from_thumbnail, assessment.alignment.method, side=SIDE, min_overlap=0.15
        )
        if shifted is None:
            continue
        moved = (shifted.matrix - assessment.alignment.matrix) @ (*centre, 1.0)
        if np.abs(moved).max() > MOVED:
            continue
        alignment = replace(shifted, matches=assessment.alignment.matches, inliers=assessment.alignment.inliers)
        other = assess(a, b, alignment)
        as_good = other.measures["ncc"] > assessment.measures["ncc"] - 0.01
        if as_good and other.probability >= assessment.probability - 0.02:
            return other
    return assessment


def plain_maps(a: Features, b: Features) -> Iterator[NDArray[np.float64]]:
    """Yield linear maps between full frames to try: orientations at equal pixel scale, then filling a."""
    orientation_maps = list(orientations.eight_orientations())
    yield from orientation_maps
    for orientation in orientation_maps:
        extent = np.abs(orientation) @ np.array(b.box[:1:-1], dtype=np.float64)
        yield np.diag(np.array(a.box[:1:-1]) / extent) @ orientation


def turned_round(verification: Verification, a: Features, b: Features) -> Verification:
    """Return the verification of (b, a) from that of (a, b).

    Parameters
    ----------
    verification : Verification
    a, b : Features
        In the order of the given verification.

    Returns
    -------
    Verification
    """
    registration = verification.registration
    matrix = invert(np.array(registration.matrix, dtype=np.float64))
    alignment = Alignment(matrix, registration.method)
    other = {Side.A: Side.B, Side.B: Side.A, None: None}[verification.crop_of]
    measures = replace(
        verification.measures, cover_a=verification.measures.cover_b, cover_b=verification.measures.cover_a
    )
    return replace(
        verification,
        registration=registration_of(matrix, b, a, alignment, registration.overlap, registration.confidence),
        crop_of=other,
        measures=measures,
    )
