"""A database of many made-up groups, written without a file being read."""

import hashlib
import itertools
from pathlib import Path

from dedupindex import Index
from dedupindex.features import pack, rounded
from dedupindex.ingest.describing import describe_frames
from dedupindex.ingest.query_pictures import frame_of_array
from dedupindex.records import Registration, Relation, Verification, VerificationMeasures
from dedupindex.store import catalog, catalog_images, catalog_locations, catalog_pairs
from dedupindex.store.database import Database
from dedupindex.store.rows import FileState, NewImage
from dedupindex.versions import versions
from tests.pictures import picture

RELATIONS = (
    (Relation.REENCODED,),
    (Relation.RESIZED, Relation.REENCODED),
    (Relation.CROP_OF, Relation.REENCODED),
    (Relation.TONE,),
    (Relation.EDITED,),
)


def fill(path: Path, groups: int, *, members: int = 2, looks: int = 8) -> None:
    """Add so many groups of *members* images at places where nothing is to a database, made where there is none."""
    with Index.open(path, create=True) as index:
        settings = index.settings
    described = [describe_frames(frame_of_array(picture(seed)).frames, settings)[0][1] for seed in range(looks)]
    packed = [pack(rounded(features)) for features in described]
    database = Database(path)
    with database.write() as connection:
        run = catalog.start_run(connection, "ingest")
        images = [_image(number, packed[number // members % looks]) for number in range(groups * members)]
        ids, _ = catalog_images.put_images(connection, images, versions(settings), run)
        places = [
            (FileState(Path(f"/pictures/{n // 1000}/picture {n}.png"), 1000 + n, n, n), 0, ids[image.key])
            for n, image in enumerate(images)
        ]
        catalog_locations.put_locations(connection, places, run)
        catalog_images.mark_searched(connection, list(ids.values()), run)
        catalog.finish_run(connection, run, {"found": len(images)})
        search = catalog.start_run(connection, "duplicates")
        pairs = []
        for group in range(groups):
            own = sorted(images[group * members : (group + 1) * members], key=lambda image: image.key)
            verification = _verification(group)
            pairs += [(ids[a.key], ids[b.key], verification) for a, b in itertools.combinations(own, 2)]
        catalog_pairs.put_pairs(connection, pairs, search)
        catalog.finish_run(connection, search, {"accepted": len(pairs)})
    database.close()


def _image(number, features):
    digest = hashlib.sha256(str(number).encode()).digest()
    return NewImage(
        sha256=digest,
        frame=0,
        format="PNG",
        width=160,
        height=120,
        bits=8,
        channels=3,
        valid_share=1.0,
        low_information=False,
        scaling="dtype 0..255",
        lossless=True,
        metadata_count=0,
        frame_count=1,
        pixel_sha256=digest,
        features=features,
    )


def _verification(group):
    relations = RELATIONS[group % len(RELATIONS)]
    crop = Relation.CROP_OF in relations
    return Verification(
        accepted=True,
        score=0.55 + 0.45 * (group % 97) / 97,
        relations=relations,
        registration=Registration((2.0, 3.0)),
        crop_of="a" if crop else None,
        crop_box=(10, 10, 60, 80) if crop else None,
        measures=VerificationMeasures(ncc=0.98, area_agreement=0.9, inliers=40.0),
        reason="keypoints: ncc 0.98",
        version="test",
    )
