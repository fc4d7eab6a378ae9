"""What a walk leaves out: system folders, patterns, sizes, extensions."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dedupindex.errors import SettingsError
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.sources import Finder, walk
from dedupindex.sources.scope import IGNORE_FILE, SYSTEM_FOLDERS, Scope, is_system_folder


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _taken(items: object, root: Path) -> list[str]:
    return [i.path.relative_to(root).as_posix() for i in items if isinstance(i, FoundFile)]  # type: ignore[attr-defined]


def _why(items: object, root: Path) -> dict[str, str]:
    return {i.path.relative_to(root).as_posix(): i.why for i in items if isinstance(i, SkippedFile)}  # type: ignore[attr-defined]


def test_names_of_system_folders() -> None:
    names = ("$Recycle.Bin", "System Volume Information", "#recycle", "@Recycle", "@eaDir", "lost+found", ".Trash-1000")
    assert all(is_system_folder(name) for name in (*names, ".thumbnails", "Catalog Previews.lrdata"))
    assert not any(is_system_folder(name) for name in ("recycle", "eaDir", "Trash", "lost", "lrdata", "#recycle 2"))


def test_system_folders_are_left_out_whole_unless_asked_for(tmp_path: Path) -> None:
    names = [name.replace("*", "x") for name in SYSTEM_FOLDERS]
    for name in names:
        _touch(tmp_path / "in" / name / "deep" / "a.png")
    _touch(tmp_path / "in" / "a.png")
    items = list(walk([tmp_path]))
    assert _taken(items, tmp_path) == ["in/a.png"]
    assert _why(items, tmp_path) == {f"in/{name}": "system_folder" for name in names}
    all_of_them = _taken(walk([tmp_path], scope=Scope(system_folders=True)), tmp_path)
    assert len(all_of_them) == 1 + sum(not name.startswith(".") for name in names)


def test_a_file_with_the_name_of_a_system_folder_is_taken(tmp_path: Path) -> None:
    _touch(tmp_path / "lost+found")
    assert _taken(walk([tmp_path]), tmp_path) == ["lost+found"]


def test_what_is_named_is_entered_whatever_its_name_and_the_patterns_above(tmp_path: Path) -> None:
    inside = _touch(tmp_path / "@eaDir" / "a.png").parent
    single = _touch(tmp_path / "b.png")
    scope = Scope(patterns={tmp_path: ("*.png", "@eaDir/")})
    assert _taken(walk([inside], scope=scope), tmp_path) == ["@eaDir/a.png"]
    assert _taken(walk([tmp_path, inside, single], scope=scope), tmp_path) == ["@eaDir/a.png", "b.png"]
    assert _taken(Finder([single], scope=Scope(min_size=100, extensions=("jpg",))), tmp_path) == ["b.png"]


def test_patterns_hold_at_and_below_their_folder(tmp_path: Path) -> None:
    for name in ("a/cache/x.png", "a/b/cache/x.png", "cache/x.png", "a/top.png", "a/b/top.png", "a/b/x.tmp.png"):
        _touch(tmp_path / name)
    scope = Scope(patterns={tmp_path / "a": ("cache/", "/top.png", "*.tmp.png")})
    items = list(walk([tmp_path], scope=scope))
    assert _taken(items, tmp_path) == ["a/b/top.png", "cache/x.png"]
    assert set(_why(items, tmp_path).values()) == {"pattern"}
    assert _taken(walk([tmp_path / "a"], scope=scope), tmp_path) == ["a/b/top.png"]


def test_the_deepest_file_decides_and_patterns_from_outside_decide_before_it(tmp_path: Path) -> None:
    for name in ("x.png", "deep/x.png", "deep/y.png", "deep/z.png"):
        _touch(tmp_path / name)
    _touch(tmp_path / IGNORE_FILE, b"# all of them\n\n*.png\n")
    _touch(tmp_path / "deep" / IGNORE_FILE, b"\xef\xbb\xbf!x.png\r\n!y.png\r\n")
    assert _taken(walk([tmp_path]), tmp_path) == ["deep/x.png", "deep/y.png"]
    assert _taken(walk([tmp_path], scope=Scope(patterns={tmp_path: ("y.png",)})), tmp_path) == ["deep/x.png"]


def test_a_bad_line_is_named_and_an_unreadable_file_is_a_failure(tmp_path: Path) -> None:
    _touch(tmp_path / "a.png")
    _touch(tmp_path / IGNORE_FILE, b"*.tmp\n!\n")
    with pytest.raises(SettingsError, match=rf"{IGNORE_FILE}, line 2: '!' is no pattern"):
        list(walk([tmp_path]))
    (tmp_path / IGNORE_FILE).unlink()
    (tmp_path / IGNORE_FILE).mkdir()
    failed, found = walk([tmp_path])
    assert isinstance(failed, Failure)
    assert isinstance(found, FoundFile)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    odd = os.fsdecode(b"\xff\xfe.png")
    _touch(tmp_path / odd)
    _touch(tmp_path / "a\\b.png")
    assert _taken(walk([tmp_path], scope=Scope(patterns={tmp_path: ("*.png",)})), tmp_path) == []
    _touch(tmp_path / IGNORE_FILE, b"\xff\xfe.png\n")
    assert _taken(walk([tmp_path]), tmp_path) == ["a\\b.png"]


def test_sizes_and_extensions_hold_in_shards_too(tmp_path: Path) -> None:
    _touch(tmp_path / "small.png", b"\x89PNG\r\n\x1a\n")
    _touch(tmp_path / "large.PNG", b"\x89PNG\r\n\x1a\n" + bytes(100))
    _touch(tmp_path / "large.jpg", b"\xff\xd8\xff" + bytes(100))
    with tarfile.open(tmp_path / "s.tar", "w") as shard:
        for name in ("small.png", "large.PNG", "large.jpg"):
            shard.add(tmp_path / name, f"in/{name}")
    items = list(Finder([tmp_path], scope=Scope(min_size=50, extensions=("png",))))
    assert _taken(items, tmp_path) == ["large.PNG", "s.tar/in/large.PNG"]
    assert _why(items, tmp_path) == {
        "small.png": "too_small",
        "large.jpg": "other_extension",
        "s.tar/in/small.png": "too_small",
        "s.tar/in/large.jpg": "other_extension",
    }


def test_the_finder_knows_what_was_left_out(tmp_path: Path) -> None:
    inside = _touch(tmp_path / "@eaDir" / "deep" / "a.png")
    small, other = _touch(tmp_path / "a.png", b""), _touch(tmp_path / "b.png")
    finder = Finder([tmp_path], scope=Scope(min_size=1))
    assert not finder.leaves_out(inside)  # nothing was walked yet
    assert _taken(finder, tmp_path) == ["b.png"]
    assert finder.leaves_out(inside)
    assert finder.leaves_out(small)
    assert not finder.leaves_out(other)
    assert not finder.leaves_out(tmp_path)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@settings(max_examples=25, deadline=None)
@example(["a/b", "!a/"], [])
@example(["*", "!b/"], [])
@example(["a/**", "!a/b/"], ["a"])
@given(
    st.lists(st.sampled_from(["a", "a/", "/a", "*.x", "!b.x", "a/b", "**/b", "a/**", "!a/", "?.x", "[ab].x", "!*.x"])),
    st.lists(st.sampled_from(["*.x", "!a.x", "b/", "/b", "!b.x", "a"])),
)
def test_files_of_patterns_mean_what_git_makes_of_them(
    tmp_path_factory: pytest.TempPathFactory, top: list[str], deep: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for folder in ("", "a/", "b/", "a/b/"):
        for name in ("a.x", "b.x", "c"):
            _touch(root / f"{folder}{name}")
    for place, lines in ((root, top), (root / "a", deep)):
        for name in (IGNORE_FILE, ".gitignore"):
            _touch(place / name, "".join(f"{line}\n" for line in lines).encode())
    git = ["git", "-c", "core.excludesFile=/dev/null", "-C", os.fspath(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "--others", "--exclude-per-directory=.gitignore"], check=True, capture_output=True, text=True
    )
    expected = [name for name in listed.stdout.splitlines() if not Path(name).name.startswith(".")]
    assert sorted(_taken(walk([root]), root)) == sorted(expected)
