import os
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dedupindex.errors import LimitExceededError, ReadError, Reason, SettingsError, UnsupportedImageError
from dedupindex.places import place_of
from dedupindex.records import Failure, FoundFile, SkippedFile
from dedupindex.settings import Settings
from dedupindex.sources import Finder, decode_file, is_candidate, read_bytes, remote, status_of
from dedupindex.sources.scope import Scope
from tests.pictures import picture, save

fsspec = pytest.importorskip("fsspec")
LIMIT = 1 << 20


@pytest.fixture
def store():
    """A store in memory, empty before and after."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def png(tmp_path_factory):
    return save(tmp_path_factory.mktemp("p") / "p.png", picture(1)).read_bytes()


def walk(url, **options):
    return list(Finder([place_of(url)], **options))


def names(found):
    return [str(item.path) for item in found if isinstance(item, FoundFile)]


def test_a_walk_is_in_the_order_of_the_keys(store, png):
    for key in (
        "b/z.png",
        "b/a/1.png",
        "b/a-b.png",
        "b/a.png",
        "b/.git/x.png",
        "b/._a.png",
        "b/a.mask.png",
        "c/no.png",
    ):
        store.pipe(f"/{key}", png)
    found = walk("memory://b")
    assert names(found) == ["memory:/b/a-b.png", "memory:/b/a.png", "memory:/b/a/1.png", "memory:/b/z.png"]
    assert sorted(item.why for item in found if isinstance(item, SkippedFile)) == ["hidden", "hidden", "mask_file"]
    assert [item.masked for item in found if isinstance(item, FoundFile)] == [False, True, False, False]
    overlapping = ["memory://b", "memory://b/a", "memory://b/a/1.png"]
    assert names(Finder([place_of(url) for url in overlapping])) == names(found)
    assert names(walk("memory://b", recursive=False)) == [n for n in names(found) if "/a/" not in n]


def test_keys_that_a_path_would_change_are_passed_over(store, monkeypatch):
    entries = [
        {"name": "/b/" + tail, "type": kind, "size": size}
        for tail, kind, size in (("", "file", 0), ("", "directory", 0), ("..", "file", 3), ("x/", "file", 0))
    ]
    monkeypatch.setattr(type(store), "ls", lambda *_, **__: entries)
    monkeypatch.setattr(type(store), "info", lambda *_, **__: {"name": "/b", "type": "directory", "size": 0})
    found = walk("memory://b")
    assert [item.why for item in found] == ["unusable_key", "unusable_key"]  # the placeholders are nothing at all


def test_one_object_is_explicit_and_a_missing_one_is_told(store, png):
    store.pipe("/b/notes.txt", b"words")
    [found] = walk("memory://b/notes.txt")
    assert found.explicit
    [failure] = walk("memory://b/none.png")
    assert (str(failure.path), failure.reason) == ("memory:/b/none.png", Reason.MISSING)


def test_a_store_that_cannot_be_listed_is_a_failure_without_secrets(store, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("GET https://me:pw@host/?X-Amz-Signature=abc&token=def refused, password: sesame")

    monkeypatch.setattr(type(store), "info", refuse)
    [failure] = walk("memory://b")
    assert isinstance(failure, Failure)
    assert failure.reason is Reason.UNREADABLE
    assert not any(secret in failure.detail for secret in ("abc", "def", "pw", "sesame"))
    assert "refused" in failure.detail


def test_reading_is_bounded_and_notices_growth(store, png):
    store.pipe("/b/p.png", png)
    [found] = walk("memory://b")
    assert read_bytes(found.path, LIMIT, found)[0] == read_bytes(found.path, LIMIT)[0] == png
    with pytest.raises(LimitExceededError):
        read_bytes(found.path, len(png) - 1, found)
    store.pipe("/b/p.png", png + b"more")
    with pytest.raises(ReadError) as caught:
        read_bytes(found.path, LIMIT, found)
    assert caught.value.reason is Reason.CHANGED_WHILE_READ
    store.pipe("/b/p.png", b"")
    with pytest.raises(UnsupportedImageError):
        read_bytes(found.path, LIMIT)
    store.rm("/b/p.png")
    with pytest.raises(ReadError) as caught:
        read_bytes(found.path, LIMIT, found)
    assert caught.value.reason is Reason.MISSING


def test_no_request_is_made_to_look_at_an_object(store, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a request")

    for name in ("cat_file", "open", "_open", "info"):
        monkeypatch.setattr(type(store), name, refuse)
    judged = {
        name: is_candidate(FoundFile(place_of(f"memory://b/{name}"), size, 1, 1))
        for name, size in (("a.png", 5), ("a.txt", 5), ("f00dfeed", 5), ("_SUCCESS", 0))
    }
    assert judged == {"a.png": True, "a.txt": False, "f00dfeed": True, "_SUCCESS": False}


def test_a_shard_in_a_store(store, png, tmp_path):
    from tests.sources.test_shards import shard

    store.pipe("/b/s.tar", shard(tmp_path / "s.tar", [("1.png", png), ("1.json", b"{}"), ("2.png", png)]).read_bytes())
    found = walk("memory://b")
    assert names(found) == ["memory:/b/s.tar/1.png", "memory:/b/s.tar/2.png"]
    for item in found:
        if isinstance(item, FoundFile):
            assert read_bytes(item.path, LIMIT, item)[0] == read_bytes(item.path, LIMIT)[0] == png
            assert status_of(item.path).inode == item.inode
    assert names(walk("memory://b/s.tar/2.png")) == ["memory:/b/s.tar/2.png"]
    with pytest.raises(ReadError) as caught:
        read_bytes(place_of("memory://b/s.tar/3.png"), LIMIT)
    assert caught.value.reason is Reason.MISSING


def test_a_changed_object_has_another_state():
    moment = datetime(2026, 1, 2, 3, 4, 5, 600, UTC)
    one, same, other = (
        remote._status({"size": 5, "ETag": tag, "LastModified": moment}) for tag in ('"a"', '"a"', '"b"')
    )
    assert one == same != other
    assert one.mtime_ns == 1767323045_000000000
    assert -(1 << 63) <= one.inode < 1 << 63
    assert remote._status({"size": None}).size == -1
    assert remote._status({"size": 1, "updated": "2026-01-02T03:04:05Z"}).mtime_ns == 1767323045_000000000


# ----------------------------------------------------------------------------------------------------------- http
class _Server(BaseHTTPRequestHandler):
    def __init__(self, files, *arguments):
        self.files = files
        super().__init__(*arguments)

    def do_GET(self):
        status, body = self.files.get(self.path, (404, b""))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hash(body)}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def server(png):
    pytest.importorskip("aiohttp")
    files = {"/p.png": (200, png), "/busy.png": (503, b""), "/gone.png": (410, b""), "/a%20b.png": (200, png)}
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, files))
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", files
    httpd.shutdown()
    httpd.server_close()


def test_pictures_of_a_web_server(server, png):
    base, files = server
    [found] = walk(f"{base}/p.png")
    assert (found.size, found.explicit, found.masked) == (len(png), True, False)
    decoded = decode_file(found.path, Settings(), file=found)
    assert decoded.size == len(png)
    assert (decoded.mtime_ns, decoded.inode) == (found.mtime_ns, found.inode)
    with pytest.raises(LimitExceededError):
        read_bytes(found.path, 100)
    files["/p.png"] = (200, png + b"x")
    assert status_of(found.path).inode != found.inode


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none.png", Reason.MISSING), ("gone.png", Reason.MISSING), ("busy.png", Reason.UNREADABLE)],
)
def test_what_a_web_server_refuses(server, name, reason):
    [failure] = walk(f"{server[0]}/{name}")
    assert failure.reason is reason


def test_a_server_that_is_not_there_is_a_passing_trouble():
    pytest.importorskip("aiohttp")
    [failure] = walk("http://127.0.0.1:9/p.png")
    assert failure.reason is Reason.UNREADABLE


def test_volumes_are_not_looked_for(tmp_path):
    [failure] = Finder([place_of("laptop:/home/x.png")])
    assert (failure.reason, failure.detail) == (Reason.MISSING, "lies on laptop, which is not here")
    with pytest.raises(ReadError):
        read_bytes(Path("laptop:/home/x.png"), LIMIT)
    assert not os.path.lexists(tmp_path / "laptop:")


def test_what_is_left_out_in_a_store(store, png):
    for key in ("b/a.png", "b/@eaDir/a.png", "b/cache/deep/a.png", "b/raw/x.png", "b/raw/keep.png", "b/small.png"):
        store.pipe(f"/{key}", png if not key.endswith("small.png") else png[:20])
    store.pipe("/b/raw/.dedupindexignore", b"*\n!keep.png\n")
    scope = Scope(patterns={place_of("memory://b"): ("cache/",)}, min_size=50)
    finder = Finder([place_of("memory://b")], scope=scope)
    found = list(finder)
    assert names(found) == ["memory:/b/a.png", "memory:/b/raw/keep.png"]
    assert {str(item.path): item.why for item in found if isinstance(item, SkippedFile)} == {
        "memory:/b/@eaDir": "system_folder",
        "memory:/b/cache": "pattern",
        "memory:/b/raw/x.png": "pattern",
        "memory:/b/small.png": "too_small",
    }
    root = place_of("memory://b")
    known = [root / name for name in ("@eaDir/a.png", "cache/deep/a.png", "raw/x.png", "small.png", "a.png")]
    assert [path for path in known if finder.is_gone(root, path)] == []  # nobody looked whether they are there
    assert finder.is_gone(root, root / "deleted.png")


def test_a_bad_line_in_a_store_is_named(store, png):
    store.pipe("/b/a.png", png)
    store.pipe("/b/.dedupindexignore", b"*.tmp\n!\n")
    with pytest.raises(SettingsError, match=r"memory:/b/\.dedupindexignore, line 2"):
        walk("memory://b")
