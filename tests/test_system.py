"""Where a system lacks locks, limits and flags, everything that needs none of them works; and what is there works."""

import errno
import json
import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

from dedupindex import system
from tests.pictures import make_tree

LACKING = textwrap.dedent(
    """
    import os, signal, sys
    sys.modules["fcntl"] = sys.modules["resource"] = None
    for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY", "sched_getaffinity", "pread", "pwrite"):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("SIGXCPU", "pthread_sigmask"):
        if hasattr(signal, name):
            delattr(signal, name)
    import dedupindex.execution.template as template
    template.AVAILABLE = False  # no processes by fork
    from dedupindex import system
    assert system.fcntl is system.resource is None
    """
)


def lacking(program, *arguments, cwd):
    """Run a program where those calls are missing; what it printed."""
    command = [sys.executable, "-c", LACKING + textwrap.dedent(program), *map(str, arguments)]
    own = {**os.environ, "HOME": str(cwd), "XDG_DATA_HOME": str(cwd / "share")}
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=own)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scan_report_query_and_plan_work_without_locks_and_limits(tmp_path):
    tree = make_tree(tmp_path / "pictures", 3)
    program = """
        import sys
        from dedupindex.cli.main import main
        if __name__ == "__main__":
            tree, picture = sys.argv[1:]
            for words in (["scan", tree, "--workers", "1"], ["report", "--json"], ["query", picture],
                          ["plan", "-o", "plan.json"], ["apply", "plan.json", "--yes"]):
                sys.argv = ["dedupindex", "-q", "-d", "a.db", *words]
                try:
                    main()
                except SystemExit as end:  # 1: one of the pictures is damaged
                    assert end.code in (0, 1), words
    """
    picture = next(path for path in sorted(tree.rglob("*")) if path.is_file() and path.suffix == ".png")
    printed = lacking(program, tree, picture, cwd=tmp_path)
    start = printed.index("\n{")
    report, _ = json.JSONDecoder().raw_decode(printed[start:].strip())
    assert report["groups"]
    assert (tmp_path / "plan.json").is_file()
    assert "2 files of" in printed.splitlines()[-1]
    assert printed.splitlines()[-1].endswith("moved to the trash")


def test_the_pages_and_the_library_are_imported(tmp_path):
    program = """
        import dedupindex.web.page.site, dedupindex.web.service.site
        from dedupindex.web.service.limits import UNKNOWN_DESCRIPTORS, descriptors
        assert descriptors() == UNKNOWN_DESCRIPTORS
        print("imported")
    """
    pytest.importorskip("fastapi")
    assert "imported" in lacking(program, cwd=tmp_path)


def test_no_lock_is_told_from_a_lock_of_another(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.touch()
    first, second = (os.open(path, os.O_RDWR) for _ in range(2))
    try:
        system.lock(first)
        with pytest.raises(OSError, match=r"\w") as held:
            system.lock(second)
        assert held.value.errno in system.HELD
        monkeypatch.setattr(system, "fcntl", None)
        with pytest.raises(OSError, match="no such locks") as missing:
            system.lock(second)
        assert missing.value.errno == errno.ENOSYS
    finally:
        os.close(first)
        os.close(second)


def test_bytes_at_an_offset_with_and_without_the_system_call(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"0123456789")
    for missing in ((), ("pread", "pwrite")):
        for name in missing:
            monkeypatch.delattr(os, name)
        descriptor = os.open(path, os.O_RDWR)
        try:
            assert system.read_at(descriptor, 3, 4) == b"456"
            system.write_at(descriptor, b"xy", 8)
            assert system.read_at(descriptor, 9, 6) == b"67xy"
            system.write_at(descriptor, b"89", 8)
        finally:
            os.close(descriptor)


def test_flags_that_a_system_does_not_know_count_for_nothing():
    assert system.open_flags("O_NO_SUCH_FLAG") == 0
    assert system.open_flags("O_RDWR", "O_NO_SUCH_FLAG") == os.O_RDWR


def test_shared_blocks_or_a_clear_refusal(tmp_path, monkeypatch):
    source, target = tmp_path / "a", tmp_path / "b"
    source.write_bytes(b"0123456789" * 1000)
    with source.open("rb") as kept, target.open("w+b") as new:
        refused = ""
        try:
            system.clone_content(kept.fileno(), new.fileno())
        except OSError as error:
            refused = f"{error.errno} {error.strerror}"
        assert not refused or refused.startswith(f"{errno.EOPNOTSUPP} this file system cannot let files share")
        assert target.read_bytes() == (b"" if refused else source.read_bytes())
        monkeypatch.setattr(system, "fcntl", None)
        assert not system.can_clone()
        with pytest.raises(OSError, match="cannot let files share") as missing:
            system.clone_content(kept.fileno(), new.fileno())
        assert missing.value.errno == errno.EOPNOTSUPP


def test_the_call_that_shares_blocks(monkeypatch):
    if not system.can_clone():
        pytest.skip("this system has no such call")
    called = []
    monkeypatch.setattr(system, "fcntl", SimpleNamespace(ioctl=lambda *words: called.append(words)))
    system.clone_content(3, 4)
    (call,) = called
    assert call[::2] == (4, 3)  # into the target, from the source
    assert call[1] & 0xFFFF == 0x9409
