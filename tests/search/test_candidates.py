import itertools

import pytest

from dedupindex import Index
from dedupindex.search.candidates import radius_for
from dedupindex.settings import EFFORTS, Settings
from tests.pictures import picture, save

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.mark.parametrize("effort", EFFORTS)
def test_the_radius_shrinks_with_the_collection_and_never_jumps(effort):
    settings = Settings.load(environment={}, effort=effort)
    sizes = [int(10 ** (k / 20)) for k in range(141)]
    radii = [radius_for(settings, size) for size in sizes]
    assert radii[0] == settings.radius
    assert all(0 <= before - after < 0.02 for before, after in itertools.pairwise(radii))


def test_small_collections_are_searched_as_set():
    for images in (0, 1, 1_000, 5_000):
        assert radius_for(Settings(), images) == pytest.approx(0.85, abs=0.001)
    assert radius_for(Settings(radius=0.4), 10**6) == 0.4
    assert 0.7 < radius_for(Settings(), 10**6) < radius_for(Settings(), 10**4) < 0.85


def test_the_very_file_comes_before_others_of_the_same_pixels(catalogue, tmp_path):
    paths = [save(tmp_path / "in" / name, picture(1)) for name in ("a.png", "b.bmp", "c.tif")]
    with Index.open(catalogue(tmp_path / "p.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        for path in paths:
            found = index.query(path)
            assert [match.score for match in found] == [1.0] * 3
            assert [match.relation for match in found] == ["same_bytes", "same_pixels", "same_pixels"]
            assert found[0].image.locations[0].path == path


def test_a_negative_is_found_by_query_and_report_whichever_came_first(tmp_path):
    positive = save(tmp_path / "in" / "a.png", picture(4))  # one that is not like its own negative: such are missed
    negative = save(tmp_path / "in" / "b.png", 255 - picture(4)[10:, 20:])
    other = save(tmp_path / "in" / "c.png", picture(2))
    for order in ([positive, other, negative], [negative, other, positive]):
        with Index.open(tmp_path / f"{order[0].stem}.db", create=True, workers=1) as index:
            for path in order:
                index.ingest([path])
                index.find_duplicates()
            [pair] = index.pairs()
            assert {pair.a.locations[0].path, pair.b.locations[0].path} == {positive, negative}
            assert set(pair.verification.relations) == {"negative", "crop_of"}
            assert [match.path for match in index.query(negative)] == [negative, positive]
    with Index.open(tmp_path / "none.db", create=True, workers=1, negatives=0) as index:
        index.ingest([tmp_path / "in"])
        assert index.report().groups == ()
