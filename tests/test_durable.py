import os
import threading
from pathlib import Path

import pytest

from dedupindex.durable import output_path, put_together, write_whole


def test_written_whole_and_with_usual_rights(tmp_path):
    path = tmp_path / "a.html"
    write_whole(path, b"one")
    mask = os.umask(0)
    os.umask(mask)
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask
    path.chmod(0o600)
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]


def test_the_longest_name_has_room(tmp_path):
    path = tmp_path / ("x" * 250 + ".json")
    write_whole(path, b"{}")
    assert path.read_bytes() == b"{}"


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_a_link(tmp_path, exists):
    (tmp_path / "folder").mkdir()
    real = tmp_path / "folder" / "real"
    if exists:
        real.write_bytes(b"old")
    (tmp_path / "link").symlink_to("folder/real")
    write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert real.read_bytes() == b"x"
    assert list((tmp_path / "folder").iterdir()) == [real]


def test_devices_are_written_to(tmp_path):
    write_whole(Path("/dev/null"), b"x")
    assert not Path("/dev/null").is_file()
    (tmp_path / "link").symlink_to("/dev/null")
    write_whole(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_written_into_and_stays(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    data = os.urandom(300_000)  # more than a pipe holds at once
    write_whole(pipe, data)
    reader.join(30)
    assert read == [data]
    assert pipe.is_fifo()


def test_what_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="digest"):
        put_together([b"ne", b"w"], path, "00", source="a copy")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_no_folder(tmp_path):
    with pytest.raises(OSError, match="nowhere"):
        write_whole(tmp_path / "nowhere" / "a", b"x")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert output_path(Path("~/plan.json")) == tmp_path / "plan.json"
    assert output_path(Path("plan.json")) == Path("plan.json")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "own").touch()
    assert output_path(Path("~/own")) == Path("~/own")
