"""Describing files together: the same results as one by one, in order, whatever else is among them."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dedupindex.errors import Reason
from dedupindex.ingest import describing
from dedupindex.ingest.describing import BYTES_A_TASK, FILES_A_TASK, FileTask, describe_files, file_state, take_task
from dedupindex.settings import Settings
from dedupindex.store.rows import FileState
from tests.pictures import make_tree, picture, save

SETTINGS = Settings(all_frames=True)


def files(root: Path) -> list[Path]:
    """Pictures of several shapes, modes and depths, with holes and without, and files that give nothing."""
    make_tree(root)
    save(root / "grey.png", picture(11)[..., 0])
    save(root / "upright.png", picture(12, 160, 120))
    Image.fromarray(np.dstack([picture(13), np.tri(120, 160, dtype=np.uint8) * 255])).save(root / "holes.png")
    Image.fromarray(np.zeros((40, 40, 4), np.uint8)).save(root / "nothing.png")  # transparent all over
    rng = np.random.default_rng(0)
    tifffile.imwrite(root / "stack.tif", rng.integers(0, 65536, (5, 60, 80), np.uint16))
    tifffile.imwrite(root / "tiny.tif", rng.integers(0, 256, (7, 9, 9), np.uint8))
    tifffile.imwrite(root / "float.tif", rng.random((120, 160), np.float32))
    return sorted(path for path in root.rglob("*.*") if path.suffix != ".txt")


@pytest.mark.parametrize("profile", ["default", "fast"])
@pytest.mark.parametrize("held", [0, 100_000, describing.HELD_BYTES])
def test_together_as_one_by_one(tmp_path, monkeypatch, profile, held):
    settings = replace(SETTINGS, profile=profile)
    tasks = [FileTask(file_state(path), settings) for path in files(tmp_path)]
    tasks.append(FileTask(FileState(tmp_path / "gone.png", 9, 9, 9), settings))
    alone = [result for task in tasks for result in describe_files([task])]
    monkeypatch.setattr(describing, "HELD_BYTES", held)
    together = describe_files(tasks)
    assert together == alone
    assert [result.task for result in together] == tasks
    failed = {result.task.state.path.name for result in together if result.failure is not None}
    assert failed == {"broken.jpg", "gone.png", "nothing.png"}
    assert {len(result.images) for result in together} == {0, 1, 5, 7}


def test_stacks_after_a_long_one_give_fewer_frames(tmp_path, monkeypatch):
    monkeypatch.setattr(describing, "CHUNK", 8)
    rng = np.random.default_rng(1)
    paths = [tmp_path / f"{n}.tif" for n in range(4)]
    for path in paths:
        tifffile.imwrite(path, rng.integers(0, 256, (7, 40, 50), np.uint8))
    tasks = [FileTask(file_state(path), SETTINGS) for path in paths]
    together = describe_files(tasks)
    assert [len(result.images) for result in together] == [7, 1, 1, 1]
    for alone, result in zip((describe_files([task])[0] for task in tasks), together, strict=True):
        later = [image for rest in result.rest for one in describe_files([rest]) for image in one.images]
        assert (*result.images, *later) == alone.images  # no frame twice, none left out
        assert len(alone.images) == 7
        assert not alone.rest


def test_nothing_in_nothing_out():
    assert describe_files([]) == []


def test_settings_do_not_mix(tmp_path):
    task = FileTask(file_state(save(tmp_path / "a.png", picture(0))), SETTINGS)
    with pytest.raises(ValueError, match="different settings"):
        describe_files([task, replace(task, settings=Settings(profile="fast"))])


@pytest.mark.parametrize("stage", ["prepare_stack", "describe_stack"])
def test_a_fault_costs_one_file(tmp_path, monkeypatch, stage):
    work = getattr(describing, stage)

    def fault(frames, settings):
        if any(frame.mask.shape == (40, 60) for frame in frames):
            raise ZeroDivisionError("oh")
        return work(frames, settings)

    paths = [save(tmp_path / f"{n}.png", picture(n, 40 if n == 2 else 50, 60)) for n in range(5)]
    tasks = [FileTask(file_state(path), SETTINGS) for path in paths]
    before = describe_files(tasks)
    monkeypatch.setattr(describing, stage, fault)
    after = describe_files(tasks)
    assert [result.failure and result.failure.reason for result in after] == [None, None, Reason.INTERNAL, None, None]
    assert [r for n, r in enumerate(after) if n != 2] == [r for n, r in enumerate(before) if n != 2]


@given(st.lists(st.tuples(st.integers(0, 2 * BYTES_A_TASK), st.sampled_from([0, 0, 0, 5]))))
def test_what_a_worker_gets_at_once(sizes):
    queue = [FileTask(FileState(Path(str(n)), size, 0, 0), SETTINGS, first) for n, (size, first) in enumerate(sizes)]
    waiting, taken = deque(queue), []
    while waiting:
        task = take_task(waiting)
        assert len(task) == 1 or (
            len(task) <= FILES_A_TASK
            and sum(one.state.size for one in task) <= BYTES_A_TASK
            and not any(one.first for one in task)
        )
        if waiting and not waiting[0].first and not task[0].first:  # one more would have been too many
            assert len(task) == FILES_A_TASK or sum(o.state.size for o in [*task, waiting[0]]) > BYTES_A_TASK
        taken += task
    assert taken == queue
