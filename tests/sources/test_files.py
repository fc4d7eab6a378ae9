from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from dedupindex.errors import Reason
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.sources import parse_address, walk


def _touch(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def _found(items: object) -> list[Path]:
    return [item.path for item in items if isinstance(item, FoundFile)]  # type: ignore[attr-defined]


def _skipped(items: object) -> dict[str, str]:
    return {item.path.name: item.why for item in items if isinstance(item, SkippedFile)}  # type: ignore[attr-defined]


def test_files_come_in_byte_order_with_their_facts(tmp_path: Path) -> None:
    names = ["b.png", "a/z.png", "a/b/c.png", "B.png", "é.png"]
    for name in names:
        _touch(tmp_path / name, name.encode())
    found = [item for item in walk([tmp_path]) if isinstance(item, FoundFile)]
    assert [f.path.relative_to(tmp_path).as_posix() for f in found] == [
        "B.png",
        "a/b/c.png",
        "a/z.png",
        "b.png",
        "é.png",
    ]
    for item in found:
        status = item.path.stat()
        assert (item.size, item.mtime_ns, item.inode) == (status.st_size, status.st_mtime_ns, status.st_ino)
        assert not item.explicit
        assert item.path.is_absolute()


def test_overlapping_paths_tell_each_file_once_in_any_order(tmp_path: Path) -> None:
    for name in ("a/x.png", "a/b/y.png", "c.png"):
        _touch(tmp_path / name)
    paths = [tmp_path, tmp_path / "a", tmp_path / "a" / "b" / "y.png", tmp_path / "a" / ".." / "c.png", tmp_path]
    one, other = list(walk(paths)), list(walk(paths[::-1]))
    assert one == other
    assert sorted(p.name for p in _found(one)) == ["c.png", "x.png", "y.png"]
    assert {f.path.name: f.explicit for f in one if isinstance(f, FoundFile)} == {
        "c.png": True,
        "x.png": False,
        "y.png": True,
    }


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "d" / "x.png")
    monkeypatch.chdir(tmp_path)
    assert _found(walk([Path("d")])) == [tmp_path / "d" / "x.png"]


def test_hidden_links_and_special_files_are_skipped(tmp_path: Path) -> None:
    _touch(tmp_path / "x.png")
    _touch(tmp_path / ".hidden.png")
    _touch(tmp_path / ".folder" / "y.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "x.png")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    with socket.socket(socket.AF_UNIX) as door:
        cwd = Path.cwd()
        os.chdir(tmp_path)  # a socket's name has to be short
        try:
            door.bind("door.png")
        finally:
            os.chdir(cwd)
        items = list(walk([tmp_path]))
    assert [p.name for p in _found(items)] == ["x.png"]
    assert _skipped(items) == {
        ".hidden.png": "hidden",
        ".folder": "hidden",
        "link.png": "symlink",
        "loop": "symlink",
        "zero.png": "symlink",
        "pipe.png": "not_regular",
        "door.png": "not_regular",
    }
    assert {p.name for p in _found(walk([tmp_path], hidden=True))} == {"x.png", ".hidden.png", "y.png"}


def test_named_links_and_hidden_files_are_taken(tmp_path: Path) -> None:
    real = _touch(tmp_path / "real" / "x.png")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "y.png").symlink_to(real)
    hidden = _touch(tmp_path / ".z.png")
    assert _found(walk([tmp_path / "link"])) == [tmp_path / "link" / "x.png"]
    assert _found(walk([tmp_path / "y.png", hidden])) == [hidden, tmp_path / "y.png"]


def test_not_recursive(tmp_path: Path) -> None:
    _touch(tmp_path / "x.png")
    _touch(tmp_path / "d" / "y.png")
    items = list(walk([tmp_path], recursive=False))
    assert [p.name for p in _found(items)] == ["x.png"]
    assert _skipped(items) == {"d": "folder"}


def test_own_files_are_excluded(tmp_path: Path) -> None:
    _touch(tmp_path / "x.png")
    database = _touch(tmp_path / "index.db")
    _touch(tmp_path / "index.db.data" / "y.png")
    items = list(walk([tmp_path], exclude=[database, tmp_path / "index.db.data", tmp_path / "not_there"]))
    assert [p.name for p in _found(items)] == ["x.png"]
    assert _skipped(items) == {"index.db": "excluded", "index.db.data": "excluded"}
    inside = list(walk([tmp_path / "index.db.data"], exclude=[tmp_path / "index.db.data"]))
    assert not _found(inside)


def test_mask_files_are_skipped_only_beside_a_picture(tmp_path: Path) -> None:
    for name in ("a.tif", "a.mask.png", "orphan.mask.png", "b.png"):
        _touch(tmp_path / name)
    items = list(walk([tmp_path]))
    assert [p.name for p in _found(items)] == ["a.tif", "b.png", "orphan.mask.png"]
    assert _skipped(items) == {"a.mask.png": "mask_file"}
    assert len(_found(walk([tmp_path], mask_pattern=""))) == 4
    assert _skipped(walk([tmp_path], mask_pattern="{stem}.png")) == {}


def test_missing_and_unreadable_are_failures(tmp_path: Path) -> None:
    items = list(walk([tmp_path / "nowhere", tmp_path / "nowhere" / "deep"]))
    assert [(i.path.name, i.reason) for i in items if isinstance(i, Failure)] == [
        ("nowhere", Reason.MISSING),
        ("deep", Reason.MISSING),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_closed_folder_is_a_failure(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    try:
        (item,) = walk([tmp_path])
    finally:
        closed.chmod(0o700)
    assert isinstance(item, Failure)
    assert item.reason is Reason.UNREADABLE


def test_names_of_any_bytes_survive(tmp_path: Path) -> None:
    names = [b"latin-\xe9.png", b"new\nline.png", b"\x1b[31mred.png", b"-rf.png", b"trail .png ", b"a" * 251 + b".png"]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123  (bytes names)
            file.write(b"x")
    assert [os.fsencode(p.name) for p in _found(walk([tmp_path]))] == sorted(names)


def test_very_deep_trees_end(tmp_path: Path) -> None:
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tmp_path)
        for _ in range(2150):  # names of one letter: far beyond the longest path that can be opened
            os.mkdir("d")  # noqa: PTH102
            os.chdir("d")
        os.fchdir(before)
        items = list(walk([tmp_path]))
        assert [type(item) for item in items] == [Failure]
        assert items[0].reason is Reason.UNREADABLE  # type: ignore[union-attr]
    finally:
        os.chdir(tmp_path)
        depth = 0
        while os.path.isdir("d"):  # noqa: PTH112
            os.chdir("d")
            depth += 1
        for _ in range(depth):
            os.chdir("..")
            os.rmdir("d")  # noqa: PTH106
        os.fchdir(before)
        os.close(before)


def test_addresses(tmp_path: Path) -> None:
    literal = _touch(tmp_path / "x.tif#frame=3")
    assert parse_address(str(literal)) == (literal, None)
    assert parse_address(str(tmp_path / "x.tif#frame=12")) == (tmp_path / "x.tif", 12)
    assert parse_address("x.tif") == (Path("x.tif"), None)
    assert parse_address("x.tif#frame=-1") == (Path("x.tif#frame=-1"), None)
    assert parse_address("a#frame=1#frame=2") == (Path("a#frame=1"), 2)
