from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from dedupindex.errors import Reason, SettingsError
from dedupindex.evaluation.attacked_copies import (
    SIDE,
    CopyTask,
    Variant,
    as_rgb,
    died,
    draw,
    find_files,
    make_copies,
    parse_variants,
    plan,
    reduced,
)
from dedupindex.evaluation.attacks import ATTACKS
from dedupindex.records import Frame
from dedupindex.settings import Settings
from tests.pictures import picture, save

SETTINGS = Settings(workers=1)
TWO = (Variant("crop"), Variant("blur", 2.0))


def load(path):
    with Image.open(path) as opened:
        return np.asarray(opened)


@pytest.fixture
def task(tmp_path):
    (tmp_path / "out").mkdir()
    return CopyTask(3, tmp_path / "a.png", TWO, tmp_path / "out", 0, SETTINGS)


# ---------------------------------------------------------------------------------------------------- which attacks
def test_parse():
    assert parse_variants(None, [1.0]) == tuple(Variant(name) for name in ATTACKS)
    assert parse_variants(["crop", "blur:2", "crop+tone:0.5", "crop"], [1, 2]) == (
        Variant("crop", 1.0),
        Variant("crop", 2.0),
        Variant("blur", 2.0),
        Variant("crop+tone", 0.5),
    )
    assert [variant.label for variant in TWO] == ["crop", "blur:2"]


@pytest.mark.parametrize(
    "name", ["nope", "crop+nope", "", "crop:", "crop:x", "crop:0", "crop:-1", "crop:11", "crop:nan"]
)
def test_parse_refuses(name):
    with pytest.raises(SettingsError, match=r"attack|strength"):
        parse_variants([name], [1.0])


def test_parse_refuses_nothing():
    with pytest.raises(SettingsError, match="no attack"):
        parse_variants([], [1.0])
    with pytest.raises(SettingsError, match="no attack"):
        parse_variants(["crop"], [])


def test_plan_gives_every_attack_equally_often_and_none_twice():
    variants = [Variant(name) for name in list(ATTACKS)[:7]]
    plans = [plan(slot, variants, 3) for slot in range(14)]
    assert all(len(set(some)) == 3 for some in plans)
    assert set(Counter(variant for some in plans for variant in some).values()) == {6}


# --------------------------------------------------------------------------------------------------- which pictures
def test_find_and_draw(tmp_path):
    for number in range(5):
        save(tmp_path / f"p{number}.png", picture(number, 40, 40))
    (tmp_path / "notes.txt").write_text("nothing")
    files, skipped, failures = find_files([tmp_path, tmp_path / "none"], SETTINGS, recursive=True, exclude=[])
    assert len(files) == 6
    assert [failure.reason for failure in failures] == [Reason.MISSING]
    orders = [list(draw(files, seed, skipped)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert {path.name for path in orders[0]} == {f"p{number}.png" for number in range(5)}
    assert skipped["not_an_image"] == 3


# -------------------------------------------------------------------------------------------------------- the stage
def test_copies_are_files_and_the_same_each_time(task):
    save(task.path, picture(1))
    before = task.path.read_bytes()
    [one] = make_copies([task])
    assert (one.slot, one.original, one.why, one.failure) == (3, task.path, "", None)
    assert [variant for variant, _ in one.copies] == list(TWO)
    content = [path.read_bytes() for _, path in one.copies]
    assert {path.parent for _, path in one.copies} == {task.folder}
    assert [path.read_bytes() for _, path in make_copies([task])[0].copies] == content
    assert [path.read_bytes() for _, path in make_copies([replace(task, seed=1)])[0].copies] != content
    assert task.path.read_bytes() == before


def test_small_copies_are_lossless(task):
    pixels = picture(1, 40, 50)
    save(task.path, pixels)
    [one] = make_copies([replace(task, variants=(Variant("mirror"),))])
    [(_, path)] = one.copies
    assert path.suffix == ".png"
    copy = load(path)
    assert any((copy == other).all() for other in (pixels[:, ::-1], pixels[::-1]))


def test_large_pictures_are_reduced(task):
    save(task.path, picture(1, 300, 3000))
    [one] = make_copies([replace(task, variants=(Variant("tone"),))])
    assert load(one.copies[0][1]).shape == (round(300 * SIDE / 3000), SIDE, 3)
    assert reduced(np.zeros((4, 8000, 3), np.uint8), 1000).shape == (8, 1000, 3)


@pytest.mark.parametrize(
    ("pixels", "why"),
    [(np.full((60, 60, 3), 255, np.uint8), "low_information"), (picture(1, 60, 60)[:6], "too_small")],
)
def test_pictures_that_cannot_be_attacked(task, pixels, why):
    save(task.path, pixels)
    [one] = make_copies([task])
    assert (one.why, one.copies, one.failure) == (why, (), None)


def test_failures_are_results(task):
    task.path.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    broken, missing = make_copies([task, replace(task, path=Path("/none.png"))])
    assert broken.failure is not None
    assert missing.failure is not None
    assert missing.failure.reason == Reason.MISSING
    lost = died(task, Reason.WORKER_DIED).failure
    assert lost is not None
    assert lost.reason == Reason.WORKER_DIED


def test_one_frame_of_a_stack(task, tmp_path):
    frames = np.stack([picture(number, 64, 80)[..., 0] for number in range(4)]).astype(np.uint16) * 200
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, frames, photometric="minisblack")
    [one] = make_copies([replace(task, path=path)])
    assert one.path == path
    assert one.original.parent == task.folder  # a file of its own: the other frames are not under test
    own = load(one.original)
    assert own.shape == (64, 80, 3)
    near = [np.corrcoef(own[..., 0].ravel(), frame.ravel())[0, 1] for frame in frames]
    assert sorted(near)[-1] > 0.98
    assert sorted(near)[-2] < 0.9


def test_deep_pixels_keep_their_contrast_and_masked_ones_are_black():
    values = np.linspace(1000, 1400, 64 * 64).reshape(64, 64).astype(np.uint16)
    mask = np.ones((64, 64), bool)
    mask[:8] = False
    values[:8] = 65535
    rgb = as_rgb(Frame(values, mask, full_shape=(64, 64), bits=16))
    assert (rgb.shape, rgb.dtype) == ((64, 64, 3), np.uint8)
    assert rgb[:8].max() == 0
    assert rgb[8:].max() == 255
    assert rgb[8:].std() > 50
