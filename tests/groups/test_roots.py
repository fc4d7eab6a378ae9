"""Roots: which of them a path belongs to, what is a reference, and what is not there."""

import dataclasses
import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.groups import roots
from dedupindex.groups.grouping import build_groups
from dedupindex.groups.ranking import Policy
from dedupindex.records import ImageRecord, LocationRecord
from dedupindex.records.roots import Root
from dedupindex.store import catalog
from dedupindex.store.database import Database
from dedupindex.store.migrate import prepare_schema
from tests.groups.test_grouping import pair

PARTS = st.lists(st.sampled_from("ab"), max_size=3)
PATHS = PARTS.map(lambda parts: Path("/r", *parts))


def image(number, *places, **values):
    found = tuple(LocationRecord(Path(path), 0, 10, 0, missing=missing) for path, missing in places)
    defaults = {"format": "PNG", "width": 10, "height": 10, "bits": 8, "channels": 3, "valid_share": 1.0}
    defaults |= {"low_information": False, "scaling": ""} | values
    return ImageRecord(id=number, sha256=bytes([number]) * 32, frame=0, locations=found, **defaults)


@given(st.lists(st.tuples(PATHS, st.booleans()), max_size=5), PATHS)
def test_the_innermost_root_decides(given_roots, path):
    known = [Root(folder, reference) for folder, reference in dict(given_roots).items()]
    above = [root for root in known if root.path in (path, *path.parents)]
    slow = max(above, key=lambda root: len(root.path.parts), default=None)
    assert roots.deepest(known, path) == slow
    assert roots.is_reference(known, path) == (slow is not None and slow.reference)
    whole = roots.whole_references(known)
    if any(folder in (path, *path.parents) for folder in whole):
        assert roots.is_reference(known, path)


def test_who_is_named_decides_what_is_a_reference():
    a, b, c = Path("/a"), Path("/b"), Path("/c")
    first = roots.with_ingest((), {a}, {b}, "")
    assert first == (Root(a), Root(b, reference=True))
    assert roots.with_ingest(first, {a}, (), "") == first  # not named: it stays one
    assert roots.with_ingest(first, {a, b}, (), "") == (Root(a), Root(b))
    assert roots.with_ingest(first, {c}, {a}, "") == (Root(a, reference=True), Root(b, reference=True), Root(c))
    shared = roots.with_ingest((Root(a, host="one"),), {a}, (), "two")
    assert shared == (Root(a, host="one"), Root(a, host="two"))


def test_roots_are_remembered(catalogue, tmp_path):
    database = Database(catalogue(tmp_path / "p.db"), create=True)
    prepare_schema(database, create=True)
    odd = Path(os.fsdecode(b"/r/caf\xe9 \n'\""))
    kept = (Root(odd, reference=True), Root(Path("/r/z"), host="elsewhere"))
    with database.write() as connection:
        assert roots.remembered(connection) == ()
        roots.remember(connection, reversed(kept))
    with database.read() as connection:
        assert roots.remembered(connection) == kept
    database.close()


def test_a_folder_is_absent_when_it_is_not_there_or_empty(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    absent = {name: roots.is_absent(tmp_path / name) for name in (".", "empty", "file", "none", "none/below")}
    assert absent == {".": False, "empty": True, "file": False, "none": True, "none/below": True}
    assert not roots.is_absent(Path("s3:/bucket/prefix"))
    assert not roots.is_absent(Path("laptop:/home"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_there(tmp_path):
    (tmp_path / "closed").mkdir(mode=0)
    assert not roots.is_absent(tmp_path / "closed")


def test_a_root_that_does_not_answer_counts_as_not_there(tmp_path, monkeypatch, caplog):
    """As the mount of a server that is gone: a look at it never comes back."""
    end, folders = threading.Event(), [tmp_path / name for name in ("here", "hangs", "gone")]
    folders[0].mkdir()
    (folders[0] / "a.jpg").touch()
    look = roots.is_absent
    monkeypatch.setattr(roots, "is_absent", lambda folder: end.wait(60) if folder == folders[1] else look(folder))
    monkeypatch.setattr(roots, "PATIENCE", 0.3)
    database = Database(tmp_path / "a.db", create=True)
    prepare_schema(database, create=True)
    with database.write() as connection:
        roots.remember(connection, [Root(folder, host=catalog.host(connection)) for folder in folders])
    began = time.monotonic()
    with database.read() as connection:
        assert roots.absent(connection) == tuple(sorted(folders[1:]))
    assert time.monotonic() - began < 10
    assert f"{folders[1]} does not answer" in caplog.text
    end.set()
    database.close()


def test_places_below_an_absent_root_come_last():
    shown = image(1, ("/away/a.png", False), ("/here/b.png", False), ("/here/c.png", True))
    marked = roots.marked(shown, [Path("/away")])
    assert [(str(place.path), place.missing) for place in marked.locations] == [
        ("/here/b.png", False),
        ("/away/a.png", True),
        ("/here/c.png", True),
    ]
    assert roots.marked(shown, [Path("/aw")]) is shown


def test_what_is_gone_never_leads_and_is_no_keeper():
    large = image(1, ("/away/a.png", True), width=100, height=100)
    small = image(2, ("/here/b.png", False))
    [group] = build_groups([dataclasses.replace(pair(1, 2), a=large, b=small)], policy=Policy(keepers=[large.key]))
    assert [member.image.id for member in group.members] == [2, 1]
    assert not any(member.keeper for member in group.members)
