"""Tiles hold the very pixels of the file, at every level and depth, and nothing of another file."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dedupindex import Index
from dedupindex.groups.tiles import LEAST, SIDE, cut, tiled_picture, windowed
from dedupindex.records import Frame
from dedupindex.settings import Settings
from tests.pictures import picture


def frame_of(pixels, mask=None):
    return Frame(pixels, np.ones(pixels.shape[:2], bool) if mask is None else mask)


def together(tiled, level):
    """Put the tiles of a level together again."""
    rows = 1 + max(row for at, row, _ in tiled.tiles if at == level)
    columns = 1 + max(column for at, _, column in tiled.tiles if at == level)
    parts = [
        [np.asarray(Image.open(io.BytesIO(tiled.tiles[level, row, column]))) for column in range(columns)]
        for row in range(rows)
    ]
    return np.concatenate([np.concatenate(row, axis=1) for row in parts], axis=0)


@pytest.mark.parametrize("shape", [(40, 60, 3), (SIDE, SIDE), (SIDE + 1, 2 * SIDE - 1, 3), (700, 1700, 3), (1, 1)])
def test_tiles_put_together_are_the_picture(shape):
    rng = np.random.default_rng(1)
    smooth = np.kron(rng.integers(0, 256, (9, 9, *shape[2:])), np.ones((200, 200, *(1,) * len(shape[2:]))))
    pixels = smooth[: shape[0], : shape[1]].astype(np.uint8)
    tiled = cut(frame_of(pixels))
    assert (tiled.height, tiled.width, tiled.kind) == (*shape[:2], "image/jpeg")
    whole = together(tiled, 0)
    assert whole.shape[:2] == shape[:2]
    assert np.abs(whole.astype(int) - pixels).mean() < 3  # JPEG
    side = max(shape[:2])
    for level in range(1, tiled.levels):
        side = -(-side // 2)
        assert max(together(tiled, level).shape[:2]) == side
    assert side <= LEAST
    assert tiled.bytes == sum(map(len, tiled.tiles.values()))


def test_pixels_without_data_are_transparent():
    pixels = picture(1, 600, 900)
    mask = np.ones((600, 900), bool)
    mask[100:300, 500:640] = False
    tiled = cut(frame_of(pixels, mask))
    assert tiled.kind == "image/png"
    whole = together(tiled, 0)
    assert (whole[..., 3] == 255).tolist() == mask.tolist()
    assert np.array_equal(whole[..., :3], pixels)


@given(
    st.sampled_from([np.uint16, np.int16, np.int32, np.float32, np.float64]),
    st.floats(0, 0.9),
    st.floats(0.05, 1),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_deep_pictures_are_spread_over_their_window(kind, low, wide, seed):
    rng = np.random.default_rng(seed)
    samples = (rng.normal(0, 1000, (20, 30)) + 5000).astype(kind)
    mask = rng.random((20, 30)) > 0.2
    if np.issubdtype(kind, np.floating):
        samples[0, 0] = np.nan
    window = (low, min(1.0, low + wide))
    shown, black, white = windowed(frame_of(samples, mask), window)
    valid = samples[mask][np.isfinite(samples[mask])].astype(float)
    least, most = valid.min(), valid.max()
    assert black == pytest.approx(least + window[0] * (most - least), rel=1e-5)
    assert white == pytest.approx(least + window[1] * (most - least), rel=1e-5)
    wanted = np.clip((samples.astype(np.float64) - black) / (white - black), 0, 1) * 255
    fine = np.isfinite(wanted)
    assert np.abs(shown[fine] - wanted[fine]).max() <= 0.6


def test_eight_bits_stay():
    pixels = picture(3)
    shown, black, white = windowed(frame_of(pixels), (0.3, 0.4))
    assert shown is pixels or np.array_equal(shown, pixels)
    assert (black, white) == (0.0, 255.0)


@pytest.mark.usefixtures("decoding_here")
def test_only_the_very_file_is_cut(tmp_path):
    path = tmp_path / "in" / "a.png"
    path.parent.mkdir()
    Image.fromarray(picture(1, 300, 400)).save(path)
    secret = tmp_path / "secret.png"
    Image.fromarray(picture(2, 300, 400)).save(secret)
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest([path.parent])
        image = index.image_at(path)
        assert np.asarray(Image.open(io.BytesIO(index.tiled(image).tiles[0, 0, 0]))).shape == (300, 400, 3)
        assert index.tiled(image, max_bytes=10) is None
    place = image.locations[0]

    # a link to another file, with the size and the time of the one that was there
    path.unlink()
    path.symlink_to(secret)
    import dataclasses
    import os

    status = secret.stat()
    as_before = dataclasses.replace(place, size=status.st_size, mtime_ns=status.st_mtime_ns)
    assert tiled_picture(dataclasses.replace(image, locations=(as_before,)), Settings()) is None
    path.unlink()
    secret.replace(path)
    os.utime(path, ns=(place.mtime_ns, place.mtime_ns))
    assert tiled_picture(image, Settings()) is None
