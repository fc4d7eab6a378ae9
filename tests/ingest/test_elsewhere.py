"""Ingest from object stores, tar shards and lists, with a real database; the pictures of one folder everywhere."""

import shutil

import pytest

from dedupindex import Index, Reason, SourceList
from dedupindex.actions.plan_options import PlanOptions
from dedupindex.groups.thumbnails import from_file
from dedupindex.places import place_of, text_of
from tests.pictures import half, picture, save
from tests.sources.test_shards import shard


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree") / "pictures"
    for number in range(3):
        save(root / f"p{number}.png", picture(number))
    save(root / "small" / "p0.jpg", half(picture(0)), quality=85)
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    (root / "notes.txt").write_text("nothing to see")
    return root


@pytest.fixture
def pictures(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "pictures")


@pytest.fixture
def index(tmp_path):
    with Index.open(tmp_path / "p.db", create=True, workers=1) as made:
        yield made


@pytest.fixture
def store(pictures):
    """The pictures in a store in memory, as memory://bucket."""
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    for path in pictures.rglob("*"):
        if path.is_file():
            system.pipe(f"/bucket/{path.relative_to(pictures)}", path.read_bytes())
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def places(index, *, missing=False):
    found = [place for image in index.images() for place in image.locations]
    return sorted(text_of(place.path) for place in found if missing or not place.missing)


def gone(index):
    return sorted(set(places(index, missing=True)) - set(places(index)))


def facts(index):
    """What does not depend on where the pictures lie."""
    pairs = {str((pair.a.key, pair.b.key, pair.verification)) for pair in index.pairs()}
    groups = {frozenset(member.image.key for member in group.members) for group in index.report().groups}
    return {image.key for image in index.images()}, pairs, groups


def test_everywhere_the_same_pictures_and_pairs(index, pictures, store, tmp_path):
    members = [(str(p.relative_to(pictures)), p.read_bytes()) for p in sorted(pictures.rglob("*")) if p.is_file()]
    shard(tmp_path / "s.tar", members)
    index.ingest([pictures])
    index.find_duplicates()
    expected = facts(index)
    assert len(expected[2]) == 1
    for number, source in enumerate(("memory://bucket", tmp_path / "s.tar")):
        with Index.open(tmp_path / f"{number}.db", create=True, workers=1) as other:
            summary = other.ingest([source])
            assert (summary.added, len(summary.failures)) == (4, 1)
            other.find_duplicates()
            assert facts(other) == expected
            again = other.ingest([source])
            assert (again.read, again.unchanged) == (0, 5)
            assert other.check(deep=True) == []
            [failure] = other.failures()
            assert text_of(failure.path).endswith("/broken.jpg")


def test_unchanged_objects_are_not_fetched_and_changed_ones_are(index, store, monkeypatch):
    fetched = []
    cat_file = type(store).cat_file

    def counted(self, path, *arguments, **options):
        fetched.append(path)
        return cat_file(self, path, *arguments, **options)

    monkeypatch.setattr(type(store), "cat_file", counted)
    index.ingest(["memory://bucket"])
    assert len(fetched) == 5
    index.ingest(["memory://bucket"])
    assert len(fetched) == 5
    store.pipe("/bucket/p2.png", store.cat_file("/bucket/p1.png"))
    fetched.clear()
    summary = index.ingest(["memory://bucket"])
    assert (fetched, summary.known) == (["/bucket/p2.png"], 1)


def test_vanished_objects_are_missing_but_not_when_nothing_can_be_listed(index, store, monkeypatch):
    index.ingest(["memory://bucket"])
    store.rm("/bucket/p2.png")
    assert index.ingest(["memory://bucket"], recursive=False).missing == 1  # not what lies deeper, which was not seen
    assert gone(index) == ["memory://bucket/p2.png"]
    with monkeypatch.context() as patched:
        patched.setattr(type(store), "ls", lambda *_, **__: (_ for _ in ()).throw(ConnectionError("down")))
        summary = index.ingest(["memory://bucket"])
        assert (summary.missing, [f.reason for f in summary.failures]) == (0, [Reason.UNREADABLE])
    store.rm("/bucket/p1.png")
    assert index.ingest(["memory://bucket/p1.png"]).missing == 1
    store.rm("/bucket", recursive=True)
    assert index.ingest(["memory://bucket"]).missing == 0  # a bucket that is empty as a whole is no reason
    assert gone(index) == ["memory://bucket/p1.png", "memory://bucket/p2.png"]


def test_members_come_and_go_with_their_shard(index, pictures, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    a, b, c = ((pictures / f"p{number}.png").read_bytes() for number in range(3))
    path = shard(folder / "0.tar", [("a.png", a), ("b.png", b)])
    (folder / "other.txt").write_text("x")
    index.ingest([folder])
    shard(path, [("a.png", a), ("c.png", c), ("c.txt", b"")])
    summary = index.ingest([folder])
    assert (summary.missing, summary.added) == (1, 1)
    assert gone(index) == [f"{path}/b.png"]
    path.write_bytes(path.read_bytes()[: len(a) + 3000])  # truncated: nobody knows what is gone
    assert index.ingest([folder]).missing == 0
    path.unlink()
    assert index.ingest([folder]).missing == 2
    assert places(index) == []


def test_labels_of_a_list_are_kept_and_brought_up_to_date(index, pictures, tmp_path, store):
    listed = pictures / "list.csv"
    listed.write_text("sku,url\nA,p0.png\nB,memory://bucket/p1.png\n,\nD,memory://bucket/none.png\n")
    source = SourceList(listed, id_column="sku")
    summary = index.ingest(lists=[source])
    assert (summary.added, len(summary.failures)) == (2, 2)
    labels = {text_of(p.path): p.label for image in index.images() for p in image.locations}
    assert labels == {f"{pictures}/p0.png": "A", "memory://bucket/p1.png": "B"}
    listed.write_text("sku,url\nA2,p0.png\nB,memory://bucket/p1.png\n")
    assert index.ingest(lists=[source]).read == 0
    assert {p.label for image in index.images() for p in image.locations} == {"A2", "B"}
    (pictures / "p0.png").unlink()
    store.rm("/bucket/p1.png")
    assert index.ingest(lists=[source]).missing == 2


def test_later_looks_go_through_the_same_door(index, store, pictures, tmp_path):
    shard(tmp_path / "s.tar", [("p1.png", (pictures / "p1.png").read_bytes())])
    index.ingest(["memory://bucket", tmp_path / "s.tar", pictures / "p0.png"])
    for image in index.images():
        assert from_file(image, index.settings, 64) is not None
    [match, *_] = index.query("memory://bucket/p1.png")
    assert match.relation == "same_bytes"
    [match, *_] = index.query(tmp_path / "s.tar" / "p1.png")
    assert match.relation == "same_bytes"
    assert index.image_at("memory://bucket/p2.png") is not None
    [decision] = index.decide("keeper", ["memory://bucket/p2.png"]).decisions
    assert decision.a == index.image_at("memory://bucket/p2.png").key
    index.report()
    left = {some.why for some in index.plan(PlanOptions()).left_out}
    assert {"elsewhere", "in_archive"} <= left
    assert index.plan(PlanOptions()).items == ()
    store.pipe("/bucket/p2.png", b"other")
    assert [(p.code, p.detail.split(":")[0]) for p in index.check(deep=True)] == [("file_changed", "memory")]
    assert index.forget(["memory://bucket"]).locations == 4


def test_features_are_made_again_from_where_the_files_lie(store, tmp_path):
    with Index.open(tmp_path / "p.db", create=True, workers=1) as index:
        index.ingest(["memory://bucket"])
    with Index.open(tmp_path / "p.db", workers=1, filters="median:3", allow_mismatch=True) as index:
        assert index.rebuild(describe=True) == []
        assert index.check() == []
        assert len(index.query("memory://bucket/p0.png")) == 2


def test_a_volume_cannot_be_ingested(index):
    [failure] = index.ingest(["laptop:/home/x.jpg"]).failures
    assert failure.path == place_of("laptop:/home/x.jpg")
