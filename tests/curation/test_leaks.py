import pytest

from dedupindex import LeakKind, Part, SettingsError


def test_every_picture_of_a_later_part_is_told_once_for_each_source(index, folder):
    report = index.leaks({"train": [folder / "cats"], "test": [folder / "dogs"]})
    assert report.parts == {"train": 2, "test": 7}
    told = {(leak.source.path.name, leak.place.path.name, leak.kind) for leak in report.leaks}
    assert told == {("copied.png", "same.png", LeakKind.COPY), ("small.jpg", "same.png", LeakKind.COPY)}
    assert report.files_in("test") == 1
    assert report.leaks[0].relations == ("same_bytes",)
    assert report.leaks[0].source_part == "train"


def test_direction_follows_the_order_of_the_parts(index, folder):
    report = index.leaks({"test": [folder / "dogs"], "train": [folder / "cats"]})
    assert {(leak.part, leak.place.path.name) for leak in report.leaks} == {
        ("train", "copied.png"),
        ("train", "small.jpg"),
    }


def test_a_file_that_two_parts_list_leaks(index, folder):
    file = folder / "dogs" / "alone1.png"
    report = index.leaks([Part("train", (), (file,)), Part("test", (), (file, folder / "dogs" / "alone2.png"))])
    assert [(leak.source.path, leak.place.path) for leak in report.leaks] == [(file, file)]


def test_accepted_leaks_do_not_count(index, folder):
    parts = {"train": [folder / "cats"], "test": [folder / "dogs"]}
    first, *others = index.leaks(parts).leaks
    report = index.leaks(parts, accepted={first.fingerprint})
    assert report.accepted == (first,)
    assert report.leaks == tuple(others)


def test_the_inner_folder_counts(index, folder):
    report = index.leaks({"train": [folder], "test": [folder / "dogs"]})
    assert report.parts == {"train": 2, "test": 7}


def test_listed_files_that_are_not_there_are_told(index, folder, tmp_path):
    gone = tmp_path / "gone.png"
    parts = [Part("train", (folder / "cats",)), Part("test", (), (folder / "dogs" / "same.png", gone))]
    assert index.leaks(parts).unknown == (("test", gone),)


def test_mistakes_are_told(index, folder, tmp_path):
    with pytest.raises(SettingsError, match="two parts"):
        index.leaks({"train": [folder]})
    with pytest.raises(SettingsError, match="no picture of test"):
        index.leaks({"train": [folder], "test": [tmp_path]})


def test_decided_pairs_are_no_leaks(index, folder):
    pictures = [folder / "cats" / "small.jpg", folder / "dogs" / "same.png"]
    parts = {"train": [folder / "cats"], "test": [folder / "dogs"]}
    before = len(index.leaks(parts).leaks)
    index.decide("not-duplicate", pictures)
    try:
        assert len(index.leaks(parts).leaks) == before - 1
    finally:
        index.undecide(pictures)
