"""The numbers behind a verification and behind a proof; None is "not measured"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Numbers:
    """Named numbers of which some may be missing."""

    @classmethod
    def of(cls, named: Mapping[str, Any] | None) -> Self:
        """Numbers by their names; names that this version does not know, of older or newer records, are left out.

        Raises
        ------
        ValueError
            A value is no number.
        """
        known = {field.name for field in fields(cls)}
        try:
            return cls(**{name: float(value) for name, value in (named or {}).items() if name in known})
        except (TypeError, ValueError) as error:
            raise ValueError(f"no number: {error}") from error

    def named(self) -> dict[str, float]:
        """What was measured, by name."""
        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: float(value) for name, value in values if value is not None}


@dataclass(frozen=True, slots=True)
class VerificationMeasures(Numbers):
    """What was measured of two aligned thumbnails.

    Attributes
    ----------
    ncc : float or None
        Correlation over the overlap, -1..1.
    fine_ncc : float or None
        The same of detail finer than some 4 pixels, -1..1.
    area_agreement, area_exact, area_mean : float or None
        Of the windows with texture: the shares that agree and that agree exactly, 0..1, and their mean correlation.
    shared_mean, shared_low : float or None
        Mean correlation, and share of disagreement, weighted by the contrast that both have in a window.
    strange_patch : float or None
        Share of the overlap in the largest patch in which both have contrast and do not correlate, 0..1.
    textured : float or None
        Share of the overlap that has texture, 0..1.
    overlap : float or None
        Common valid area over the smaller one's, 0..1.
    cover_a, cover_b : float or None
        Share of each picture's valid area that the other one shows, 0..1.
    pixels : float or None
        Size of the overlap on the coarser grid.
    significance : float or None
        Correlation in units of its spread between unrelated pictures of such spectra.
    matches, inliers : float or None
        Keypoints matched, and those that agree on the alignment.
    keypoints : float or None
        Of the picture that has fewer.
    zoom : float or None
        Ratio of the pixel scales, at least 1.
    cosine : float or None
        Of the two descriptors, -1..1.
    detail, inner, inner_pixels, echo, trendless, turned : float or None
        What the second rule of the score sees (`dedupindex.verify.detail`): agreement without layout, without the
        outline, its pixels, the best agreement of a shifted picture, agreement without a smooth trend, and 1 where the
        alignment mirrors or turns. Measured only where the two may look the same.
    """

    ncc: float | None = None
    fine_ncc: float | None = None
    area_agreement: float | None = None
    area_exact: float | None = None
    area_mean: float | None = None
    shared_mean: float | None = None
    shared_low: float | None = None
    strange_patch: float | None = None
    textured: float | None = None
    overlap: float | None = None
    cover_a: float | None = None
    cover_b: float | None = None
    pixels: float | None = None
    significance: float | None = None
    matches: float | None = None
    inliers: float | None = None
    keypoints: float | None = None
    zoom: float | None = None
    cosine: float | None = None
    detail: float | None = None
    inner: float | None = None
    inner_pixels: float | None = None
    echo: float | None = None
    trendless: float | None = None
    turned: float | None = None


@dataclass(frozen=True, slots=True)
class ProofMeasures(Numbers):
    """Further numbers behind a proof.

    Attributes
    ----------
    peak : float or None
        Largest difference that is not explained, grey levels.
    weight : float or None
        Weight of the heaviest changed place (`dedupindex.verify.proof.thresholds`).
    places : float or None
        Changed places, also those that the proof does not list.
    replaced : float or None
        Share of the windows in which both show something that differs, 0..1.
    fill : float or None
        Share of their boxes that the places fill, 0..1.
    agreement, rest : float or None
        Mean correlation of the windows in which both show something: of all, and outside the changed places, -1..1.
    displaced : float or None
        Displacement of blocks outside the changed places, pixels of the grid.
    doubt : float or None
        Largest difference of fine texture that is not explained, grey levels (`dedupindex.verify.proof.finer`).
    step_a, step_b : float or None
        Typical step of the JPEG's quantisation, levels. These and the next ones are of copies, from
        `dedupindex.verify.proof.information`; names that end in ``_a`` and ``_b`` are of that picture.
    lattice_a, lattice_b : float or None
        How well the other picture's coefficients lie on the steps of this JPEG, 0..1.
    colours_a, colours_b : float or None
        Colours of its palette.
    outside_a, outside_b : float or None
        Share of its valid area that the other picture does not show, 0..1.
    plain_a, plain_b : float or None
        Share of that area that is of one colour, 0..1.
    middle_a, middle_b, fine_a, fine_b : float or None
        Share of its detail in a band of frequencies that the other picture has too; 1 = all, above 1 = amplified.
    detail_a, detail_b, noise_a, noise_b : float or None
        Amplitude of its fine detail and of its noise, levels.
    unexplained_a, unexplained_b : float or None
        Standard deviation of its levels that the other picture's do not explain, over its contrast.
    colour_a, colour_b : float or None
        Strength of colours that do not follow from luminance, levels.
    ratio : float or None
        Pixels along a side of the finer picture for one of the coarser one.
    beyond : float or None
        Energy of the finer picture above the limit of the coarser one, over that of the coarser one enlarged.
    derived : float or None
        1 where the proof follows from those of other pairs.
    unreachable : float or None
        1 where a file could not be read.
    """

    peak: float | None = None
    weight: float | None = None
    places: float | None = None
    replaced: float | None = None
    fill: float | None = None
    agreement: float | None = None
    rest: float | None = None
    displaced: float | None = None
    doubt: float | None = None
    step_a: float | None = None
    step_b: float | None = None
    lattice_a: float | None = None
    lattice_b: float | None = None
    colours_a: float | None = None
    colours_b: float | None = None
    outside_a: float | None = None
    outside_b: float | None = None
    plain_a: float | None = None
    plain_b: float | None = None
    middle_a: float | None = None
    middle_b: float | None = None
    fine_a: float | None = None
    fine_b: float | None = None
    detail_a: float | None = None
    detail_b: float | None = None
    noise_a: float | None = None
    noise_b: float | None = None
    unexplained_a: float | None = None
    unexplained_b: float | None = None
    colour_a: float | None = None
    colour_b: float | None = None
    ratio: float | None = None
    beyond: float | None = None
    derived: float | None = None
    unreachable: float | None = None


NO_MEASURES = VerificationMeasures()
NO_PROOF_MEASURES = ProofMeasures()
