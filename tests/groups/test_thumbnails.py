"""Pictures of images: from files that are still what they were, else from the features."""

import io

import numpy as np
from PIL import Image

from dedupindex import Index
from dedupindex.groups.thumbnails import coloured, from_file, jpeg, unchanged
from dedupindex.settings import Settings
from tests.pictures import picture, save


def ingested(tmp_path, path):
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([path.parent])
        image = index.image_at(path)
        stored = index.stored_thumbnails([image.id, 10**6])
        assert list(stored) == [image.id]
        return image, index.features_of(image.id), stored[image.id]


def test_a_file_that_is_what_it_was(tmp_path):
    path = save(tmp_path / "p" / "a.png", picture(1, 300, 400))
    image, *_ = ingested(tmp_path, path)
    found = from_file(image, Settings(), 200)
    assert found.pixels.shape == (150, 200, 3)
    assert found.mask.all()
    assert from_file(image, Settings(), 200, max_bytes=10) is None
    assert np.array_equal(from_file(image, Settings(), 1000).pixels, picture(1, 300, 400))


def test_a_file_that_has_changed(tmp_path):
    path = save(tmp_path / "p" / "a.png", picture(1))
    image, _, stored = ingested(tmp_path, path)
    assert unchanged(image.locations[0])
    save(path, picture(2))
    assert not unchanged(image.locations[0])
    assert from_file(image, Settings(), 200) is None
    path.unlink()
    assert from_file(image, Settings(), 200) is None
    kept = stored.pixels
    small = np.asarray(Image.fromarray(picture(1)).resize(kept.shape[1::-1], Image.Resampling.BOX), float)
    grey = kept.mean(axis=2)
    assert np.corrcoef(grey.ravel(), small.mean(axis=2).ravel())[0, 1] > 0.9


def test_depth_and_masks(tmp_path):
    deep = (picture(3)[..., 0].astype(np.uint16) << 6) + 1000
    path = tmp_path / "p" / "deep.png"
    path.parent.mkdir()
    Image.fromarray(deep).save(path)
    image, *_ = ingested(tmp_path, path)
    found = from_file(image, Settings(), 400)
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)


def test_borders_are_put_back(tmp_path):
    framed = np.zeros((200, 240, 3), np.uint8)
    framed[40:160, 40:200] = picture(5)
    path = save(tmp_path / "p" / "framed.png", framed)
    image, features, found = ingested(tmp_path, path)
    assert features.box == (40, 40, 120, 160)
    height, width = found.pixels.shape[:2]
    assert abs(width / height - image.width / image.height) < 0.02
    assert not found.mask[: height // 6].any()
    assert found.mask[height // 2, width // 2]
    assert not found.pixels[: height // 6].any()


def test_encoding():
    for pixels in (picture(1), picture(1)[..., 0]):
        back = np.asarray(Image.open(io.BytesIO(jpeg(pixels, 95))), float)
        assert np.abs(back - pixels).mean() < 6
    grey = np.full((40, 60), 77, np.uint8)
    assert np.abs(coloured(grey, np.full((8, 12, 3), 128, np.uint8)).astype(int) - 77).max() <= 1
