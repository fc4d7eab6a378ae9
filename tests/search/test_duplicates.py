import threading

import numpy as np
import pytest
from sqlalchemy import delete

from dedupindex import Index
from dedupindex.engines import embedded
from dedupindex.reports.exchange.csvfile import pairs_csv
from dedupindex.search import closure, duplicates, vector_cache, verifying
from dedupindex.store import catalog
from dedupindex.store.schema import PairRow
from tests.pictures import half, make_tree, picture, save

pytestmark = pytest.mark.usefixtures("remembered")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("tree") / "pictures")


@pytest.fixture
def index(catalogue, tmp_path):
    with Index.open(catalogue(tmp_path / "p.db"), create=True, workers=1) as made:
        yield made


def names(index: Index) -> set[frozenset[str]]:
    return {frozenset((p.a.locations[0].path.name, p.b.locations[0].path.name)) for p in index.pairs()}


EXPECTED = {frozenset(("same0.png", "small0.jpg")), frozenset(("same1.png", "small1.jpg"))}


def test_copies_are_found_and_nothing_else(index, tree):
    index.ingest([tree])
    summary = index.find_duplicates()
    assert names(index) == EXPECTED
    assert (summary.searched, summary.accepted, summary.overflowed) == (9, 2, 0)
    again = index.find_duplicates()
    assert (again.searched, again.verified, again.accepted) == (0, 0, 0)


@pytest.mark.usefixtures("computed_anew")
def test_the_order_in_which_files_are_stored_changes_no_line(index, tmp_path):
    tree = make_tree(tmp_path / "pictures")
    for number in range(2, 6):
        (tree / "copies" / f"same{number}.png").write_bytes((tree / f"p{number}.png").read_bytes())
        save(tree / "copies" / f"small{number}.jpg", half(picture(number)), quality=85)
    index.ingest([tree])
    index.find_duplicates()
    with Index.open(tmp_path / "other.db", create=True, workers=1) as other:
        other.ingest([tree / "copies" / f"small{number}.jpg" for number in range(6)])
        other.ingest([tree])
        other.find_duplicates()
        one, two = index.report(find=False), other.report(find=False)
    assert {group.id for group in one.groups}.isdisjoint(group.id for group in two.groups)
    assert pairs_csv(one) == pairs_csv(two)


def test_only_the_new_image_is_compared(index, tree):
    index.ingest([tree])
    index.find_duplicates()
    save(tree / "later" / "again2.jpg", half(picture(2)), quality=90)
    index.ingest([tree])
    summary = index.find_duplicates()
    assert summary.searched == 1
    assert frozenset(("p2.png", "again2.jpg")) in names(index)
    assert summary.verified <= 10
    (tree / "later" / "again2.jpg").unlink()


class Listener:
    def __init__(self):
        self.advanced = []

    def start(self, total, what):
        self.total = total

    def advance(self, n):
        self.advanced.append(n)

    def fail(self, n):
        pass

    def finish(self):
        pass


def test_progress_is_told_within_a_batch(index, tree, monkeypatch):
    monkeypatch.setattr(verifying, "PAIRS_A_TASK", 1)
    monkeypatch.setattr(verifying, "VETTED_A_TASK", 1)
    stored = []
    store = duplicates._store
    listener = Listener()

    def storing(*arguments):
        stored.append(sum(listener.advanced))
        store(*arguments)

    monkeypatch.setattr(duplicates, "_store", storing)
    index.settings = type(index.settings)(workers=1, radius=2.0, proof="off")  # many pairs are candidates
    index.ingest([tree])
    index.find_duplicates(listener)
    assert len(stored) == 1  # one batch
    assert stored[0] == 8  # told before anything is stored: all but one of nine
    assert min(listener.advanced) >= 0
    assert sum(n > 0 for n in listener.advanced) > 4
    assert sum(listener.advanced) == listener.total == 9


def test_the_share_that_is_done():
    share = duplicates._share_done
    assert share(1000, 0, 0, 0) == 0
    assert share(1000, 500, 0, 0) == 0.5  # all refused so far
    assert share(1000, 1000, 0, 0) == 1
    assert share(1000, 1000, 90, 0) == pytest.approx(0.1)  # 9,000 vettings' worth is to come
    assert share(1000, 1000, 90, 45) == pytest.approx(0.55)
    assert share(1000, 1000, 90, 90) == 1
    assert share(1000, 1100, 90, 100) == 1


def test_a_budget_leaves_the_least_promising_for_the_next_run(index, tree):
    index.ingest([tree])
    index.settings = type(index.settings)(batch=1, workers=1, budget=1e-9)
    first = index.find_duplicates()
    assert (first.searched, first.left) == (1, 8)
    assert len(names(index)) == 1  # the image with the nearest neighbour came first
    index.settings = type(index.settings)(workers=1)
    assert index.find_duplicates().left == 0
    assert names(index) == EXPECTED


@pytest.mark.parametrize("searched", [4, 4096])
def test_no_pair_is_verified_twice_in_a_run(index, tree, monkeypatch, searched):
    """Neighbours are asked for of some batches at once, of which there are one or several."""
    monkeypatch.setattr(duplicates, "BATCHES_AT_ONCE", 1)
    monkeypatch.setattr(duplicates, "SEARCHED_AT_ONCE", searched)
    asked = []
    near = embedded.IndexProposer.near

    def watch_near(self, ids):
        asked.append(list(ids))
        return near(self, ids)

    monkeypatch.setattr(embedded.IndexProposer, "near", watch_near)
    index.ingest([tree])
    index.settings = type(index.settings)(batch=2, workers=1)
    seen: list[tuple[bool, frozenset[int]]] = []
    verify = verifying.verify_pairs

    def watch(tasks):
        seen.extend((task.vet, frozenset(pair)) for task in tasks for pair in task.pairs)
        return verify(tasks)

    monkeypatch.setattr(verifying, "verify_pairs", watch)
    index.find_duplicates()
    assert seen
    assert len(seen) == len(set(seen))
    assert names(index) == EXPECTED
    assert [len(some) for some in asked] == ([4, 4, 1] if searched == 4 else [9])
    together = [image for some in asked for image in some]
    assert together == sorted(together)


def test_a_search_that_is_interrupted_reads_nothing_afterwards(index, tree, monkeypatch):
    """Threads that search and read ahead have ended when the database is closed."""
    index.ingest([tree])
    index.settings = type(index.settings)(batch=2, workers=1)
    monkeypatch.setattr(verifying, "VETTED_A_TASK", 1)
    before = threading.active_count()

    def interrupt(tasks):
        raise KeyboardInterrupt

    monkeypatch.setattr(verifying, "verify_pairs", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        index.find_duplicates()
    assert threading.active_count() == before
    del caught
    monkeypatch.undo()
    index.find_duplicates()
    assert names(index) == EXPECTED


def make_copies(folder):
    for number in range(3):
        save(folder / f"same{number}.png", picture(0)[number:, number:])
    save(folder / "other.png", picture(1))


def forget_before(monkeypatch, module, step, database, path, when=lambda *_: True):
    """Let another connection forget a file just before a step of the search is taken."""
    real = getattr(module, step)

    def forget_first(*arguments, **options):
        if when(*arguments):
            with Index.open(database, workers=1) as another:
                another.forget([path])
        return real(*arguments, **options)

    monkeypatch.setattr(module, step, forget_first)


@pytest.mark.parametrize(
    ("module", "step"),
    [(duplicates, "_verify"), (verifying, "_run"), (duplicates, "_store"), (closure, "_open_triples")],
)
def test_images_that_others_forget_meanwhile_are_left_out(catalogue, tmp_path, monkeypatch, module, step):
    make_copies(tmp_path / "in")
    with Index.open(catalogue(tmp_path / "p.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        forget_before(monkeypatch, module, step, index.location, tmp_path / "in" / "same2.png")
        summary = index.find_duplicates()
        assert names(index) == {frozenset(("same0.png", "same1.png"))}
        assert summary.left == 0
        monkeypatch.undo()
        assert index.check(deep=True) == []
        assert index.find_duplicates().searched == 0


def test_images_that_others_forget_while_groups_are_closed_are_left_out(catalogue, tmp_path, monkeypatch):
    make_copies(tmp_path / "in")
    with Index.open(catalogue(tmp_path / "p.db"), create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
        ends = sorted(index.image_at(tmp_path / "in" / f"same{number}.png").id for number in (0, 2))
        with index._database.write() as connection:
            connection.execute(delete(PairRow).where(PairRow.a.in_(ends), PairRow.b.in_(ends)))
            catalog.set_meta(connection, **{closure.CLOSED: "0"})
        assert len(names(index)) == 2
        path = tmp_path / "in" / "same2.png"
        forget_before(monkeypatch, closure, "_store", index.location, path, lambda _, accepted, run: accepted)
        assert index.find_duplicates().accepted == 0
        assert names(index) == {frozenset(("same0.png", "same1.png"))}


def test_every_image_of_a_long_series_has_a_pair_with_the_best_connected_one(catalogue, tmp_path, monkeypatch):
    """Frames of one shot, each with more neighbours than are compared; and two pictures of another scene."""
    monkeypatch.setattr(closure, "FLOOD", 3)
    random = np.random.default_rng(3)
    for number in range(14):
        noisy = np.clip(picture(1) + random.normal(0, 4, picture(1).shape), 0, 255).astype(np.uint8)
        save(tmp_path / "in" / f"{number:02}.png", noisy)
    save(tmp_path / "in" / "other.png", picture(2))
    save(tmp_path / "in" / "small.jpg", half(picture(2)), quality=85)
    series = {f"{number:02}.png" for number in range(14)}
    for step, spokes in (("all", True), ("none", False)):
        if not spokes:
            monkeypatch.setattr(closure, "_open_spokes", lambda database, found: set())
        with Index.open(catalogue(tmp_path / f"{step}.db"), create=True, workers=1, candidates=3, proof="off") as index:
            index.ingest([tmp_path / "in"])
            index.find_duplicates()
            found = names(index)
            linked = {name: {other for pair in found if name in pair for other in pair - {name}} for name in series}
            assert frozenset(("other.png", "small.jpg")) in found
            assert all(others <= series for others in linked.values())
            assert (max(map(len, linked.values())) == 13) is spokes
            assert len(found) < 14 * 13 / 2  # not all with all
            assert index.find_duplicates().verified == 0


def test_same_pixels_need_no_verification(index, tmp_path):
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.bmp", picture(1))
    save(tmp_path / "in" / "c.tif", picture(1))
    index.ingest([tmp_path / "in"])
    summary = index.find_duplicates()
    assert (summary.verified, summary.accepted) == (0, 3)
    assert {p.verification.relations for p in index.pairs()} == {("same_pixels",)}


def test_pixel_copies_share_one_verification(index, tmp_path):
    for name in ("a.png", "b.bmp", "c.tif"):
        save(tmp_path / "in" / name, picture(1))
    save(tmp_path / "in" / "d.jpg", half(picture(1)), quality=90)
    index.ingest([tmp_path / "in"])
    summary = index.find_duplicates()
    assert len(index.pairs()) == summary.accepted == 6
    assert summary.verified <= 2  # one a direction


def test_blank_pages_match_nothing(index, tmp_path):
    for number, level in enumerate((0, 128, 255)):
        save(tmp_path / "in" / f"{number}.png", np.full((40 + number, 40), level, np.uint8))
        save(tmp_path / "in" / f"{number}.bmp", np.full((40 + number, 40), level, np.uint8))
    index.ingest([tmp_path / "in"])
    assert index.find_duplicates().accepted == 0
    assert index.query(tmp_path / "in" / "0.png")[0].relation == "same_bytes"
    assert len(index.query(tmp_path / "in" / "0.png")) == 1


def test_interrupted_search_goes_on(index, tree, monkeypatch):
    index.ingest([tree])
    index.settings = type(index.settings)(batch=2, workers=1)
    propose, calls = duplicates._propose, []

    def interrupt(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return propose(*arguments)

    monkeypatch.setattr(duplicates, "BATCHES_AT_ONCE", 1)
    monkeypatch.setattr(duplicates, "_propose", interrupt)
    with pytest.raises(KeyboardInterrupt):
        index.find_duplicates()
    assert index.info()["unsearched"] == 5
    monkeypatch.setattr(duplicates, "_propose", propose)
    assert index.find_duplicates().searched == 5
    assert names(index) == EXPECTED


@pytest.mark.usefixtures("computed_anew")
def test_workers_verify_the_same(index, catalogue, tree, monkeypatch, tmp_path):
    monkeypatch.setattr(verifying, "FEW_PAIRS", 0)
    with Index.open(catalogue(tmp_path / "two.db"), create=True, workers=2) as other:
        for each in (index, other):
            each.ingest([tree])
            each.find_duplicates()
        ours, theirs = index.pairs(), other.pairs()
        assert [(p.a.key, p.b.key, p.verification) for p in ours] == [
            (p.a.key, p.b.key, p.verification) for p in theirs
        ]


# ------------------------------------------------------------------------------------------------ vector files
@pytest.fixture
def sealed(catalogue, tree, tmp_path, monkeypatch):
    """An index so small-minded that it seals after four vectors."""
    monkeypatch.setattr(vector_cache, "FLAT_LIMIT", 4)
    index = Index.open(catalogue(tmp_path / "s.db"), create=True, workers=1)
    index._vectors.flat_limit = 4
    index.ingest([tree])
    index.find_duplicates()
    yield index
    index.close()


def vector_files(index: Index):
    return sorted(index._database.vectors.glob("segment-*"))


def test_sealed_vectors_are_written_and_used(sealed):
    assert len(vector_files(sealed)) == 1
    assert sealed.check(deep=True) == []
    assert names(sealed) == EXPECTED
    with Index.open(sealed.location, workers=1) as again:
        assert len(again._vectors.current()) == 8
        assert again._vectors.current().unsaved() == []


@pytest.mark.parametrize("damage", ["missing", "flipped", "truncated"])
def test_damaged_vector_files_are_made_again(sealed, tree, damage):
    [file] = vector_files(sealed)
    data = bytearray(file.read_bytes())
    if damage == "missing":
        file.unlink()
    else:
        data[len(data) // 2] ^= 4
        file.write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    with Index.open(sealed.location, workers=1) as index:
        fetched = index._database.shared  # from the server, where the database has the file
        assert [p.code for p in index.check()] == ([] if fetched else ["vector_file_unusable"])
        found = index.query(tree / "copies" / "small1.jpg")
        assert {m.path.name for m in found} == {"small1.jpg", "same1.png"}
        index.rebuild()
        assert index.check() == []


def test_a_damaged_vector_file_heals_with_the_next_search(sealed, tree):
    [file] = vector_files(sealed)
    file.write_bytes(b"rubbish")
    with Index.open(sealed.location, workers=1) as index:
        index._vectors.flat_limit = 4
        save(tree / "later" / "heal.png", picture(55))
        index.ingest([tree])
        index.find_duplicates()
        assert index.check() == []
        (tree / "later" / "heal.png").unlink()


def test_another_process_is_caught_up_with(sealed, tree):
    with Index.open(sealed.location, workers=1) as reader:
        assert len(reader._vectors.current()) == 8
        save(tree / "later" / "more.png", picture(66))
        sealed.ingest([tree])
        assert len(reader._vectors.current()) == 9
        assert reader.query(tree / "later" / "more.png")[0].path.name == "more.png"
        (tree / "later" / "more.png").unlink()


def test_wrong_vectors_are_noticed(sealed):
    with sealed._database.write() as connection:
        from dedupindex.store import catalog_images

        ids = catalog_images.indexable_ids(connection)
        noise = np.random.default_rng(0).integers(-127, 128, 384, dtype=np.int8)
        catalog_images.put_features(connection, {int(ids[0]): {"descriptor": noise.tobytes()}}, {})
    assert {p.code for p in sealed.check()} == {"vector_file_behind", "wrong_vector"}
