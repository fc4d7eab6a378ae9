import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dedupindex import Index
from dedupindex.settings import Settings
from dedupindex.sources import decode_file
from dedupindex.sources.transparency import without_alpha

INK = (20, 30, 40)


def drawing(ink=INK, size=(120, 160)) -> Image.Image:
    image = Image.new("RGBA", size[::-1], (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 90, 90), outline=(*ink, 255), width=5)
    draw.line((30, 100, 140, 30), fill=(*ink, 255), width=4)
    return image


def frame_of(path):
    return decode_file(path, Settings()).frames[0]


def flattened(image: Image.Image, ground: str) -> np.ndarray:
    whole = Image.new("RGB", image.size, ground)
    whole.paste(image, mask=image.getchannel("A"))
    return np.asarray(whole)


@pytest.mark.parametrize(("ink", "ground"), [(INK, "white"), ((0, 0, 0), "white"), ((250, 240, 230), "black")])
@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_a_drawing_is_laid_on_what_it_shows_on(tmp_path, ink, ground, name):
    image = drawing(ink)
    image.save(tmp_path / name, **({"lossless": True} if name.endswith("webp") else {}))
    frame = frame_of(tmp_path / name)
    assert frame.mask.all()
    np.testing.assert_array_equal(frame.pixels, flattened(image, ground))


def test_of_a_palette_too(tmp_path):
    image = drawing()
    image.quantize(8).save(tmp_path / "a.png")
    frame = frame_of(tmp_path / "a.png")
    assert frame.mask.all()
    assert np.abs(frame.pixels.astype(int) - flattened(image, "white")).max() <= 2


def test_of_grey_and_of_16_bits(tmp_path):
    image = drawing((30, 30, 30))
    image.convert("LA").save(tmp_path / "grey.png")
    assert frame_of(tmp_path / "grey.png").mask.all()
    colour, alpha = (
        np.asarray(image)[..., :3].astype(np.uint16) * 257,
        np.asarray(image)[..., 3].astype(np.uint16) * 257,
    )
    deep, mask = without_alpha(colour, alpha, 65535)
    assert mask is None
    assert deep.dtype == np.uint16
    np.testing.assert_array_equal(deep, flattened(image, "white").astype(np.uint16) * 257)


def test_a_picture_with_a_transparent_part_keeps_its_mask(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (100, 120, 3)).astype(np.uint8)
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:30] = 0
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "a.png")
    frame = frame_of(tmp_path / "a.png")
    np.testing.assert_array_equal(frame.mask, alpha > 0)
    np.testing.assert_array_equal(frame.pixels[30:], pixels[30:])


def test_hardly_anything_is_opaque():
    alpha = np.zeros((20, 20), np.uint8)
    alpha[3, 3] = 255
    colour, mask = without_alpha(np.zeros((20, 20), np.uint8), alpha, 255)
    assert mask is not None
    assert mask.sum() == 1
    assert not colour.any()


@given(st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_laid_between_drawing_and_ground(tone, seed):
    alpha = np.random.default_rng(seed).integers(0, 256, (12, 12)).astype(np.uint8)
    pixels, mask = without_alpha(np.full((12, 12), tone, np.uint8), alpha, 255)
    assert mask is None or (mask == (alpha > 0)).all()
    if mask is None and not (alpha > 0).all():
        ground = 0 if tone > 0.7 * 255 else 255
        exact = ground + (tone - ground) * (alpha / 255)
        assert np.abs(pixels - exact).max() <= 0.5 + 1e-3


def signature() -> Image.Image:
    """Black curves on transparent ground."""
    random = np.random.default_rng(3)
    image = Image.new("RGBA", (480, 400), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for x, y, size in random.integers((0, 0, 30), (380, 320, 130), (14, 3)).tolist():
        draw.ellipse((x, y, x + size, y + size), outline=(0, 0, 0, 255), width=6)
    return image


def test_copies_of_a_drawing_are_one_group(tmp_path):
    folder = tmp_path / "icons"
    folder.mkdir()
    image = signature()
    image.save(folder / "a.png")
    image.save(folder / "again.png", compress_level=1)
    image.resize((288, 240), Image.Resampling.LANCZOS).save(folder / "small.png")
    Image.fromarray(flattened(image, "white")).save(folder / "on white.png")
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([folder])
        [group] = index.report().groups
    assert {member.path.name for member in group.members} == {"a.png", "again.png", "small.png", "on white.png"}
