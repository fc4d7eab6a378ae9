"""From a picture to confirmed matches: probes, candidates by distance, verification of each, best first."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from dedupindex.features import DESCRIPTOR_DIMENSIONS, Aim, aim, packed_aim, probes, unpack
from dedupindex.features.descriptor import TURNED_REACH, turned_probes
from dedupindex.features.model import load_model
from dedupindex.features.negative import negative_probes
from dedupindex.fitted import numbers
from dedupindex.groups.roots import absent, looked_up, marked
from dedupindex.records import Candidate, Features, FloatArray, Match, Relation, Verification
from dedupindex.search.crowds import CROWD, most_alike
from dedupindex.search.file_features import complete, lacking
from dedupindex.settings import Settings
from dedupindex.store import catalog_images
from dedupindex.store.database import Connection, Database
from dedupindex.store.rows import NewImage
from dedupindex.vectors import Neighbours, VectorIndex
from dedupindex.verify.verification import Shared, same_bytes, same_pixels, verify
from dedupindex.verify.vetting import Sketch, plausible, sketch

SAME_PIXELS = same_pixels()
# Of animations only the first frame is stored: nothing is known of the others until the files are compared.
SAME_FIRST_FRAME = dataclasses.replace(
    SAME_PIXELS, relations=(Relation.REENCODED,), reason="the first frames have the same pixels"
)


_FITTED = numbers("radius")  # by `tests.tools.fit_radius`; its manifest names the data
NEGATIVE_RADIUS: float = _FITTED["negative_radius"]  # whole negatives lie beyond a cosine of .9, halves about .4
NEAR, NEAR_CELLS = 0.25, 16  # distance up to which so many times fewer cells are enough
NO_PROBES = np.empty((0, DESCRIPTOR_DIMENSIONS), np.float32)
READ_AT_ONCE = 512  # images whose features are in memory at once
CROWDED_AT_ONCE = 64  # images in crowds whose candidates are searched for at once
SKETCHES_AT_ONCE = 4_096  # in memory, 6 kB each, and those of one more picture's candidates
CELLS_ALONE = 4  # times as many cells where only one picture of a pair is searched for: one search finds fewer pairs
SMALL, FALLING = 10_000, 1 / 3
# Unrelated pictures of a million beyond a cosine of a descriptor
FALSE_COSINES: tuple[float, ...] = tuple(_FITTED["cosines"])
FALSE_IN_A_MILLION: tuple[float, ...] = tuple(_FITTED["false_in_a_million"])


def first_frames(verification: Verification) -> Verification:
    """Verdict on two animations from the verdict on their first frames."""
    return SAME_FIRST_FRAME if verification.relations == (Relation.SAME_PIXELS,) else verification


def radius_for(settings: Settings, images: int) -> float:
    """Largest distance of a candidate in a collection of *images*.

    The setting, or less where more unrelated images than allowed would lie within it. Allowed are
    `settings.false_candidates` for a probe among `SMALL` images, and half as many for ten times the images, so that the
    cost of a first report grows a little faster than the collection, not with its square. The radius depends only on
    the number of images when a run begins, not on the order of files or the number of workers. Pairs that were
    confirmed while the collection was smaller stay.
    """
    met = settings.false_candidates * min(1.0, (SMALL / max(images, 1)) ** FALLING)
    allowed = met * 1e6 / max(images, 1)
    cosine = np.interp(-np.log(allowed), -np.log(FALSE_IN_A_MILLION), FALSE_COSINES)
    return settings.radius if allowed >= FALSE_IN_A_MILLION[0] else min(settings.radius, 1 - float(cosine))


def candidates(
    index: VectorIndex,
    aims: Sequence[Aim],
    settings: Settings,
    *,
    negatives: Sequence[FloatArray] = (),
    alone: bool = False,
) -> list[tuple[list[Candidate], bool]]:
    """Stored images near each picture, nearest first.

    Parameters
    ----------
    index : VectorIndex
    aims : sequence of Aim
        Of N pictures.
    negatives : sequence of (P, 384) float32
        Probes of the negatives of each (`negative_probes`), N of them or none.
    alone : bool
        The stored images are not searched for in turn, so search more cells.
    settings : Settings
        Search radius, caps and cells.

    Returns
    -------
    list of (list of Candidate, bool)
        One a picture; True where a probe found more than `settings.candidates` within the radius.
    """
    radius = radius_for(settings, len(index))
    nprobe = settings.nprobe * (CELLS_ALONE if alone else 1)
    limits = [min(radius, 1 - aim.reach) for aim in aims]
    probed = probes(aims)
    wide = [vectors if limit > NEAR else NO_PROBES for vectors, limit in zip(probed, limits, strict=True)]
    near = [vectors if limit <= NEAR else NO_PROBES for vectors, limit in zip(probed, limits, strict=True)]
    sought: list[tuple[Sequence[FloatArray], float, int]] = [(wide, radius, nprobe)]
    sought.append((near, NEAR, max(1, nprobe // NEAR_CELLS)))
    if any(one.turned for one in aims):
        sought.append((turned_probes(aims), min(radius, 1 - TURNED_REACH), nprobe))
    if negatives:
        sought.append((negatives, min(radius, NEGATIVE_RADIUS), nprobe))
    neighbours = [_neighbours(index, vectors, away, settings.candidates, cells) for vectors, away, cells in sought]
    return [merge(itertools.chain(*parts), limit) for *parts, limit in zip(*neighbours, limits, strict=True)]


def stored_candidates(
    database: Database, index: VectorIndex, settings: Settings, ids: Sequence[int]
) -> dict[int, tuple[list[Candidate], bool]]:
    """`candidates` of images that are stored.

    Parameters
    ----------
    database : Database
    index : VectorIndex
    settings : Settings
    ids : sequence of int
        Image ids; those without features are left out.

    Returns
    -------
    dict of int to (list of Candidate, bool)
        By image id; True where there were more than `settings.candidates` within the radius: those stay whose
        keypoints match best.

    Raises
    ------
    StoreError
    """
    aims: dict[int, Aim] = {}
    negatives: list[FloatArray] = []
    negatives_too = len(index) <= settings.negatives  # read once: the index may grow meanwhile
    for start in range(0, len(ids), READ_AT_ONCE):
        chunk = ids[start : start + READ_AT_ONCE]
        with database.read() as connection:
            if negatives_too:
                pictures = {image: unpack(parts) for image, parts in catalog_images.features(connection, chunk).items()}
                aims |= {image: aim(picture, settings.profile) for image, picture in pictures.items()}
                negatives += negative_probes(list(pictures.values()))
            else:
                sketches = catalog_images.sketches(connection, chunk, "frame")
                aims |= {image: packed_aim(parts, settings.profile) for image, parts in sketches.items()}
    proposed = dict(zip(aims, candidates(index, list(aims.values()), settings, negatives=negatives), strict=True))
    beside = dict(zip(aims, negatives or [NO_PROBES] * len(aims), strict=True))
    crowded = [
        image
        for image, (near, overflow) in proposed.items()
        if overflow or is_crowded(image, near, settings.candidates)
    ]
    wide = _wide(settings)
    for start in range(0, len(crowded), CROWDED_AT_ONCE):
        chunk = crowded[start : start + CROWDED_AT_ONCE]
        more = [image for image in chunk if proposed[image][1]]
        own_negatives = [beside[image] for image in more] if negatives else ()
        wider = candidates(index, [aims[image] for image in more], wide, negatives=own_negatives) if more else ()
        proposed |= dict(zip(more, wider, strict=True))
        with database.read() as connection:
            proposed |= thinned(connection, {image: proposed[image][0] for image in chunk}, settings.candidates)
    return proposed


def is_crowded(image: int, near: Iterable[Candidate], most: int) -> bool:
    """Whether a stored image has more candidates, itself apart, than are compared.

    Parameters
    ----------
    image : int
        Its id.
    near : iterable of Candidate
    most : int
        How many are compared.
    """
    return sum(one.image_id != image for one in near) > most


def thinned(
    connection: Connection, crowded: Mapping[int, Sequence[Candidate]], most: int
) -> dict[int, tuple[list[Candidate], bool]]:
    """The best candidates of stored images that have too many (`crowds`), as `stored_candidates` returns them.

    Parameters
    ----------
    connection : Connection
    crowded : mapping of int to sequence of Candidate
        By image id.
    most : int
        How many candidates stay of each.
    """
    kept: dict[int, tuple[list[Candidate], bool]] = {}
    known: dict[int, Sketch] = {}  # pictures in one crowd are each other's candidates
    for image, near in crowded.items():
        if len(known) > SKETCHES_AT_ONCE:
            known.clear()
        unknown = {image, *(one.image_id for one in near)}.difference(known)
        known |= {number: sketch(parts) for number, parts in catalog_images.sketches(connection, unknown).items()}
        others = [one for one in near if one.image_id != image]
        chosen = most_alike(known[image], others, known, most) if image in known else others[:most]
        kept[image] = chosen, True
    return kept


def _wide(settings: Settings) -> Settings:
    """Settings for pictures in a crowd."""
    return dataclasses.replace(settings, candidates=settings.candidates * CROWD)


def _neighbours(
    index: VectorIndex, probed: Sequence[FloatArray], radius: float, most: int, nprobe: int
) -> list[list[Neighbours]]:
    """What each picture's probes find."""
    filled = [probe for probe in probed if len(probe)]
    answers = iter(index.search(np.concatenate(filled), radius, most, nprobe=nprobe) if filled else ())
    return [[next(answers) for _ in range(len(probe))] for probe in probed]


def merge(neighbours: Iterable[Neighbours], radius: float) -> tuple[list[Candidate], bool]:
    """Join what the probes of one picture found within its radius, nearest first; whether a probe found too many."""
    nearest: dict[int, float] = {}
    overflow = False
    for answer in neighbours:
        overflow |= answer.overflow and bool((answer.distances <= radius).all())
        for image, distance in zip(answer.ids.tolist(), answer.distances.tolist(), strict=True):
            if distance <= radius:
                nearest[image] = min(distance, nearest.get(image, distance))
    merged = [Candidate(image, distance) for image, distance in nearest.items()]
    merged.sort(key=lambda candidate: (candidate.distance, candidate.image_id))
    return merged, overflow


def query(
    database: Database,
    index: VectorIndex,
    settings: Settings,
    image: NewImage,
    features: Features,
    *,
    limit: int = 10,
) -> list[Match]:
    """Stored images that are confirmed to show what *image* shows.

    Parameters
    ----------
    database : Database
    index : VectorIndex
    settings : Settings
    image : NewImage
        The query picture; it need not be stored.
    features : Features
        Of it, as they come back from the database (`dedupindex.features.rounded`).
    limit : int
        Most matches.

    Returns
    -------
    list of Match
        Best first: by score, then those that are still there, then equal bytes, then distance, then content. Images
        without a location are left out; places that are not there any more are marked as missing.
    """
    negatives = negative_probes([features]) if len(index) <= settings.negatives else ()
    aims = [aim(features, settings.profile)]
    [(near, overflow)] = candidates(index, aims, settings, negatives=negatives, alone=True)
    if overflow:
        [(near, _)] = candidates(index, aims, _wide(settings), negatives=negatives, alone=True)
    distance = {candidate.image_id: candidate.distance for candidate in near}
    verifications: dict[int, Verification] = {}
    with database.read() as connection:
        for same in catalog_images.ids_of_content(connection, [image.key]).values():
            verifications[same] = same_bytes()
        if not features.low_information:
            pixels = (image.pixel_sha256, image.width, image.height)
            twins = catalog_images.ids_of_pixels(connection, *pixels, settings.candidates)
            animated = catalog_images.animations(connection, twins)
            alone = not image.frame and image.frame_count > 1 and image.format in catalog_images.ANIMATED
            for same in twins:
                verifications.setdefault(same, SAME_FIRST_FRAME if alone or same in animated else SAME_PIXELS)
        unknown = [candidate.image_id for candidate in near if candidate.image_id not in verifications]
        sketches = catalog_images.sketches(connection, unknown)
        if len(unknown) > settings.candidates:
            others = [candidate for candidate in near if candidate.image_id in sketches]
            known = {number: sketch(parts) for number, parts in sketches.items()}
            near = most_alike(sketch(image.features), others, known, settings.candidates)
            sketches = {candidate.image_id: sketches[candidate.image_id] for candidate in near}
        wanted = _plausible(image, sketches)
        shared = Shared()
        stored = catalog_images.features(connection, wanted)
        for image_id, parts in complete(stored, lacking(connection, stored), settings).items():
            verification = verify(features, unpack(parts), threshold=settings.threshold, shared=shared)
            if verification.accepted:
                verifications[image_id] = verification
        away = absent(connection)
        records = {number: marked(one, away) for number, one in catalog_images.by_id(connection, verifications).items()}
    matches = [
        Match(records[image_id], verification, distance.get(image_id, 0.0))
        for image_id, verification in verifications.items()
        if records[image_id].locations
    ]
    matches.sort(key=lambda match: _match_order(match, image))
    best = [dataclasses.replace(match, image=looked_up(match.image)) for match in matches[:limit]]
    return sorted(best, key=lambda match: _match_order(match, image))


def _match_order(match: Match, image: NewImage) -> tuple[object, ...]:
    stored = match.image
    gone, other = stored.locations[0].missing, stored.sha256 != image.sha256
    return -match.score, gone, other, match.distance, stored.sha256, stored.frame


def _plausible(image: NewImage, parts: Mapping[int, Mapping[str, bytes]]) -> list[int]:
    """Candidates that verification may accept, judging by their keypoints alone."""
    one = sketch(image.features)
    kept = plausible([(one, sketch(other)) for other in parts.values()], load_model().local_parity)
    return [number for number, keep in zip(parts, kept.tolist(), strict=True) if keep]
