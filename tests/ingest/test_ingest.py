import dataclasses
import os
import random
import shutil
import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dedupindex import Index, Reason
from tests.pictures import half, make_tree, picture, save


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree") / "pictures")


@pytest.fixture
def pictures(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "pictures")


@pytest.fixture
def index(catalogue, tmp_path):
    with Index.open(catalogue(tmp_path / "p.db"), create=True, workers=1) as made:
        yield made


def content(index: Index, root) -> list:
    """Everything stored that must not depend on order or workers."""
    rows = []
    for image in index.images():
        features = index.features_of(image.id)
        places = sorted((str(p.path.relative_to(root)), p.frame, p.missing) for p in image.locations)
        values = dataclasses.asdict(dataclasses.replace(image, id=0, locations=()))
        rows.append((image.key, places, values, features.descriptor.tobytes(), features.thumbnail.tobytes()))
    pairs = [(p.a.key, p.b.key, dataclasses.asdict(p.verification)) for p in index.pairs()]
    failures = [(str(f.path.relative_to(root)), f.reason, f.detail) for f in index.failures()]
    return [sorted(rows, key=lambda row: row[0]), pairs, failures]


def test_a_folder_goes_in(index, pictures):
    summary = index.ingest([pictures])
    assert summary.added == 9  # six pictures, two smaller copies, one blank page
    assert summary.known == 2  # the byte copies
    assert summary.found == summary.read == 12
    assert summary.skipped == {"not_an_image": 1}
    assert [(f.path.name, f.reason) for f in summary.failures] in (
        [("broken.jpg", Reason.DAMAGED)],
        [("broken.jpg", Reason.TRUNCATED)],
    )
    info = index.info()
    assert (info["images"], info["locations"], info["low_information"], info["failures"]) == (9, 11, 1, 1)


def test_ingest_twice_is_ingest_once(index, pictures):
    first = index.ingest([pictures])
    before = content(index, pictures)
    again = index.ingest([pictures])
    assert (again.read, again.added, again.known, again.unchanged) == (0, 0, 0, first.found)
    assert again.failures == first.failures  # listed, though not read again
    assert content(index, pictures) == before


def test_workers_and_order_change_nothing(catalogue, pictures, tmp_path):
    results = []
    files = [path for path in pictures.rglob("*") if path.is_file()]
    for number, workers in enumerate((1, 2, 1, 1)):
        random.Random(number).shuffle(files)
        with Index.open(catalogue(tmp_path / f"{number}.db"), create=True, workers=workers, batch=3) as index:
            if number < 2:
                index.ingest([pictures])
                index.find_duplicates()
            else:
                for start in range(0, len(files), 2 + number):
                    index.ingest([p for p in files[start : start + 2 + number] if p.suffix != ".txt"])
                    index.find_duplicates()
            results.append(content(index, pictures))
    assert results[0][1], "copies were found"
    for other in results[1:]:
        assert other == results[0]


def test_a_moved_file_is_a_known_image(index, pictures):
    index.ingest([pictures])
    image = index.image_at(pictures / "p3.png")
    (pictures / "p3.png").rename(pictures / "copies" / "renamed.png")
    summary = index.ingest([pictures])
    assert (summary.added, summary.known, summary.missing) == (0, 1, 1)
    moved = index.image_at(pictures / "copies" / "renamed.png")
    assert moved.id == image.id
    assert [(p.path.name, p.missing) for p in moved.locations] == [("renamed.png", False), ("p3.png", True)]


def test_a_changed_file_is_another_image(index, pictures):
    index.ingest([pictures])
    before = index.image_at(pictures / "p4.png")
    save(pictures / "p4.png", picture(77))
    summary = index.ingest([pictures])
    assert (summary.added, summary.read) == (1, 1)
    assert index.image_at(pictures / "p4.png").sha256 != before.sha256
    assert before.id in {image.id for image in index.images()}


def test_a_vanished_file_is_marked_and_comes_back_without_reading(index, pictures, tmp_path):
    index.ingest([pictures])
    shutil.move(pictures / "p5.png", tmp_path / "p5.png")
    assert index.ingest([pictures]).missing == 1
    assert index.ingest([pictures]).missing == 0
    assert index.image_at(pictures / "p5.png").locations[0].missing
    shutil.move(tmp_path / "p5.png", pictures / "p5.png")
    summary = index.ingest([pictures])
    assert (summary.read, summary.unchanged) == (0, 12)
    assert not index.image_at(pictures / "p5.png").locations[0].missing


def test_a_root_that_is_gone_takes_nothing_along(index, pictures, tmp_path):
    index.ingest([pictures])
    pictures.rename(tmp_path / "elsewhere")
    summary = index.ingest([pictures])
    assert summary.missing == 0
    assert [f.reason for f in summary.failures] == [Reason.MISSING]
    pictures.mkdir()  # as a mount point without its disk
    assert index.ingest([pictures]).missing == 0
    pictures.rmdir()
    (tmp_path / "elsewhere").rename(pictures)
    assert index.ingest([pictures]).read == 0


def test_a_named_file_that_is_gone_is_missing(index, pictures):
    index.ingest([pictures])
    (pictures / "p1.png").unlink()
    summary = index.ingest([pictures / "p1.png"])
    assert summary.missing == 1
    assert [f.reason for f in summary.failures] == [Reason.MISSING]


def test_a_file_that_breaks_leaves_its_place(index, pictures):
    index.ingest([pictures])
    (pictures / "p2.png").write_bytes((pictures / "p2.png").read_bytes()[:200])
    summary = index.ingest([pictures])
    assert "p2.png" in {f.path.name for f in summary.failures}
    assert index.image_at(pictures / "p2.png").locations[0].missing
    save(pictures / "p2.png", picture(2))
    assert "p2.png" not in {f.path.name for f in index.ingest([pictures]).failures}
    assert not index.image_at(pictures / "p2.png").locations[0].missing


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_keeps_its_place(index, pictures):
    index.ingest([pictures])
    os.utime(pictures / "p2.png", (1, 1))
    (pictures / "p2.png").chmod(0)
    summary = index.ingest([pictures])
    (pictures / "p2.png").chmod(stat.S_IRUSR)
    assert Reason.UNREADABLE in {f.reason for f in summary.failures}
    assert not index.image_at(pictures / "p2.png").locations[0].missing


def test_dry_run_counts_and_writes_nothing(index, pictures):
    before = index.info()["generation"]
    summary = index.ingest([pictures], dry_run=True)
    assert (summary.found, summary.read, summary.added) == (12, 12, 0)
    assert index.info()["generation"] == before
    assert list(index.images()) == []


def test_own_files_are_never_ingested(pictures):
    with Index.open(pictures / "own.db", create=True, workers=1) as index:
        first = index.ingest([pictures])
        assert index.ingest([pictures]).skipped == first.skipped
        assert all("own.db" not in str(f.path) for f in first.failures)


def test_a_stack_gives_an_image_a_frame(index, tmp_path):
    stack = np.stack([half(picture(n))[:, :, 0] for n in range(5)] + [half(picture(1))[:, :, 0]])
    np.save(tmp_path / "stack.npy", stack)
    summary = index.ingest([tmp_path / "stack.npy"])
    assert summary.added == 6
    assert index.image_at(f"{tmp_path / 'stack.npy'}#frame=4").frame == 4
    index.find_duplicates()
    [pair] = index.pairs()
    assert {pair.a.frame, pair.b.frame} == {1, 5}
    assert pair.verification.relations == ("same_pixels",)
    assert index.ingest([tmp_path / "stack.npy"]).read == 0
    np.save(tmp_path / "stack.npy", stack[:3])
    assert index.ingest([tmp_path / "stack.npy"]).added == 3
    assert index.image_at(f"{tmp_path / 'stack.npy'}#frame=4") is None


def test_all_frames_of_an_animation_on_request(catalogue, tmp_path):
    from PIL import Image

    frames = [Image.fromarray(half(picture(n))) for n in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], loop=0, duration=50)
    with Index.open(catalogue(tmp_path / "a.db"), create=True, workers=1) as index:
        assert index.ingest([tmp_path / "a.gif"]).added == 1
    with Index.open(catalogue(tmp_path / "a.db"), workers=1, all_frames=True) as index:
        assert index.ingest([tmp_path / "a.gif"]).added == 2
        assert index.ingest([tmp_path / "a.gif"]).read == 0


def test_a_stack_in_several_tasks(index, tmp_path, monkeypatch):
    from dedupindex.ingest import describing

    monkeypatch.setattr(describing, "CHUNK", 2)
    stack = np.stack([half(picture(n))[:, :, 0] for n in range(5)])
    np.save(tmp_path / "stack.npy", stack)
    assert index.ingest([tmp_path / "stack.npy"]).added == 5
    assert len(list(index.images())) == 5
    assert index.ingest([tmp_path / "stack.npy"]).unchanged == 1


@pytest.mark.usefixtures("decoding_here")
def test_an_interrupted_stack_is_resumed(index, tmp_path, monkeypatch):
    from dedupindex.ingest import describing
    from dedupindex.ingest import ingest as module

    monkeypatch.setattr(describing, "CHUNK", 2)
    stack = np.stack([half(picture(n))[:, :, 0] for n in range(5)])
    np.save(tmp_path / "stack.npy", stack)
    take = module._Writer.take
    seen = []

    def interrupt(self, result):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(result)
        take(self, result)

    monkeypatch.setattr(module._Writer, "take", interrupt)
    with pytest.raises(KeyboardInterrupt):
        index.ingest([tmp_path / "stack.npy"])
    assert len(list(index.images())) == 4  # what was described is not lost
    monkeypatch.setattr(module._Writer, "take", take)
    summary = index.ingest([tmp_path / "stack.npy"])
    assert (summary.read, summary.added) == (1, 1)
    assert index.ingest([tmp_path / "stack.npy"]).read == 0


def test_a_large_tiff_in_parts(index, catalogue, tmp_path, monkeypatch):
    from dedupindex.sources import content as limits

    pages = [Image.fromarray(half(picture(n))) for n in range(5)]
    pages[2] = Image.fromarray(np.zeros((*half(picture(0)).shape[:2], 4), np.uint8))  # all transparent
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    index.ingest([tmp_path / "a.tif"])
    before = content(index, tmp_path)
    assert len(before[0]) == 4
    for frames in (1, 2):
        monkeypatch.setattr(limits, "PART_BYTES", frames * 4 * pages[0].width * pages[0].height)
        with Index.open(catalogue(tmp_path / f"{frames}.db"), create=True, workers=1) as other:
            assert other.ingest([tmp_path / "a.tif"]).added == 4
            assert content(other, tmp_path)[0] == before[0]
            assert other.ingest([tmp_path / "a.tif"]).read == 0
            assert other.check(deep=True) == []


def test_failed_files_wait_for_another_decoder(index, pictures, tmp_path):
    index.ingest([pictures])
    assert index.ingest([pictures]).read == 0
    with Index.open(index.location, workers=1, max_pixels=3000) as strict:
        assert strict.ingest([pictures]).read == 1  # the broken one
        save(pictures / "new.png", picture(77))
        assert strict.ingest([pictures]).read == 1
        assert strict.ingest([pictures / "p0.png"]).read == 0
    with Index.open(index.location, workers=1) as other:
        other.ingest([pictures / "p0.png"])  # elsewhere: the chance of the others is not used up
        assert other.ingest([pictures], dry_run=True).read == 2
        summary = other.ingest([pictures])
        assert (summary.read, summary.added, len(summary.failures)) == (2, 1, 1)


@pytest.mark.usefixtures("decoding_here")
def test_a_fault_of_ours_costs_one_file(index, pictures, monkeypatch):
    from dedupindex.ingest import describing

    prepare = describing.prepare_stack

    def fault(frames, settings):
        if frames and frames[0].pixels.shape[:2] == (50, 60):
            raise ZeroDivisionError("oh")
        return prepare(frames, settings)

    monkeypatch.setattr(describing, "prepare_stack", fault)
    summary = index.ingest([pictures])
    assert summary.added == 8
    [failure] = [f for f in summary.failures if f.path.name == "blank.png"]
    assert failure.reason == Reason.INTERNAL
    assert "ZeroDivisionError" in failure.detail


def test_names_with_anything_in_them(index, tmp_path):
    names = [b"caf\xe9.png", b"new\nline.png", b"<img onerror=alert(1)>.png", b"=1+1.png", b"a#frame=3.png"]
    for number, name in enumerate(names):
        made = save(tmp_path / "in" / f"{number}.png", picture(number, 60, 60))
        os.rename(os.fsencode(made), os.path.join(os.fsencode(made.parent), name))  # noqa: PTH104, PTH118
    assert index.ingest([tmp_path / "in"]).added == len(names)
    found = {os.fsencode(image.locations[0].path.name) for image in index.images()}
    assert found == set(names)
    assert index.ingest([tmp_path / "in"]).unchanged == len(names)


STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "copy", "move", "delete", "ingest"]), st.integers(0, 4), st.integers(0, 4)),
    min_size=3,
    max_size=10,
)


@given(steps=STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_present_locations_follow_the_files(steps, catalogue, tmp_path_factory):
    """Whatever happens to files between ingests, the present locations are the files, with their contents."""
    root = tmp_path_factory.mktemp("model")
    folder = root / "in"
    folder.mkdir()
    (folder / "notes.txt").write_text("an empty folder would count as a disk that is not mounted")
    data = {n: save(root / "src" / f"{n}.png", picture(n, 48, 48)).read_bytes() for n in range(5)}
    with Index.open(catalogue(root / "m.db"), create=True, workers=1) as index:
        for action, one, other in [*steps, ("ingest", 0, 0)]:
            first, second = folder / f"{one}.png", folder / f"{other}.png"
            if action == "write":
                first.write_bytes(data[other])
            elif action == "copy" and first.exists() and one != other:
                shutil.copy2(first, second)
            elif action == "move" and first.exists():
                first.replace(second)
            elif action == "delete":
                first.unlink(missing_ok=True)
            elif action == "ingest":
                index.ingest([folder])
        found = {p.path: i.sha256 for i in index.images() for p in i.locations if not p.missing}
        import hashlib

        assert found == {path: hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("*.png")}
        assert index.check(deep=True) == []
