"""The folder chooser never leaves the allowed folders."""

import os

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")

from dedupindex.errors import SettingsError
from dedupindex.web.page import folders
from dedupindex.web.page.folders import Folders


@pytest.fixture
def tree(tmp_path):
    """`allowed` with folders, files and links; `secret` beside it."""
    for name in ("allowed/a/deep", "allowed/B", "allowed/.hidden", "secret/inner"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "allowed" / "x.jpg").write_bytes(b"x")
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "allowed" / "a" / "up").symlink_to("../../secret")
    (tmp_path / "allowed" / "loop").symlink_to(tmp_path / "allowed")
    return tmp_path


def test_folders_are_listed(tree):
    there = Folders([tree / "allowed", tree / "nowhere"])
    assert there.roots == (tree / "allowed",)
    listing = there.listing(str(tree / "allowed"))
    assert (listing.folders, listing.files, listing.above) == (("a", "B"), 1, None)  # neither hidden ones nor links
    below = there.listing(str(tree / "allowed" / "a"))
    assert (below.folders, below.above) == (("deep",), tree / "allowed")
    assert there.checked(str(tree / "allowed" / "a" / "deep")) == tree / "allowed" / "a" / "deep"


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "",
        "allowed/../secret",
        "allowed/a/../../secret",
        "allowed/..",
        "allowed/link",
        "allowed/link/inner",
        "allowed/a/up",
        "allowed/a/up/inner",
        "allowed/loop",
        "allowed/x.jpg",
        "allowed/nowhere",
        "allowedx",
        "allowed/a\0",
    ],
)
def test_nothing_outside_is_listed_or_scanned(tree, name):
    there = Folders([tree / "allowed"])
    for ask in (there.listing, there.checked):
        with pytest.raises(SettingsError):
            ask(f"{tree}/{name}")


@pytest.mark.parametrize("name", ["", "allowed", "~", "./allowed", "//", "/"])
def test_only_whole_paths_count(tree, name, monkeypatch):
    monkeypatch.chdir(tree)
    with pytest.raises(SettingsError):
        Folders([tree / "allowed"]).listing(name)


def test_without_roots_nothing_is_allowed(tree):
    with pytest.raises(SettingsError, match="--allow-root"):
        Folders([]).listing(str(tree))


def test_a_folder_that_becomes_a_link_while_it_is_opened_leads_nowhere(tree, monkeypatch):
    """The swap happens at every step of the way down; what is listed never is the secret folder."""
    (tree / "secret" / "deep").mkdir()
    there, wanted = Folders([tree / "allowed"]), tree / "allowed" / "a" / "deep"
    opened = os.open
    for step in range(1, 4):
        calls = 0

        def swap(*arguments, _step=step, **options):
            nonlocal calls
            calls += 1
            if calls == _step:
                (tree / "allowed" / "a").rename(tree / "allowed" / "away")
                (tree / "allowed" / "a").symlink_to(tree / "secret")
            return opened(*arguments, **options)

        monkeypatch.setattr(folders.os, "open", swap)
        try:
            listing = there.listing(str(wanted))
        except SettingsError:
            pass
        else:
            assert listing.folders == ()  # of the former folder, which was open already
            assert "inner" not in listing.folders
        assert calls >= step
        monkeypatch.setattr(folders.os, "open", opened)
        (tree / "allowed" / "a").unlink()
        (tree / "allowed" / "away").rename(tree / "allowed" / "a")


def test_a_folder_that_is_swapped_after_it_was_opened_is_listed_as_it_was(tree, monkeypatch):
    there = Folders([tree / "allowed"])
    scandir = os.scandir

    def swap(descriptor):
        (tree / "allowed" / "a").rename(tree / "allowed" / "away")
        (tree / "allowed" / "a").symlink_to(tree / "secret")
        return scandir(descriptor)

    swap.__name__ = "scandir"
    monkeypatch.setattr(folders.os, "scandir", swap)
    monkeypatch.setattr(folders.os, "supports_fd", {swap})
    assert there.listing(str(tree / "allowed" / "a")).folders == ("deep",)


def test_many_folders_are_cut_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MOST", 3)
    for number in range(5):
        (tmp_path / f"f{number}").mkdir()
    listing = Folders([tmp_path]).listing(str(tmp_path))
    assert (listing.folders, listing.more) == (("f0", "f1", "f2"), True)
