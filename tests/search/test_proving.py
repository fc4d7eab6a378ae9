"""Pairs are proven from their files: what is found and stored, and what is said when a file is out of reach."""

import numpy as np
import pytest
from PIL import Image

from dedupindex import Index
from dedupindex.records import Outcome, Relation
from dedupindex.search import proving
from dedupindex.store import catalog_proofs
from tests.pictures import half, picture, save
from tests.search.dying import KILLER, die_at

pytestmark = pytest.mark.usefixtures("remembered")


def edited(seed):
    pixels = picture(seed, 240, 320).copy()
    pixels[80:120, 100:160] = picture(9, 240, 320)[10:50, 20:80]
    return pixels


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    for seed in (1, 2):
        save(root / f"o{seed}.png", picture(seed, 240, 320))
        save(root / f"copy{seed}.jpg", picture(seed, 240, 320), quality=95)
        save(root / f"small{seed}.jpg", half(picture(seed, 240, 320)), quality=92)
    save(root / "edit1.jpg", edited(1), quality=95)
    return root


@pytest.fixture
def folder(tree, tmp_path):
    import shutil

    return shutil.copytree(tree, tmp_path / "in")


def told(index):
    """Outcome of every pair, by file names."""
    return {
        tuple(sorted((pair.a.locations[0].path.name, pair.b.locations[0].path.name))): pair.proof
        for pair in index.pairs()
    }


def outcomes(index):
    return {names: proof and proof.outcome for names, proof in told(index).items()}


@pytest.fixture
def opened(catalogue, tmp_path):
    made = []

    def make(name="p.db", **options):
        made.append(Index.open(catalogue(tmp_path / name), create=True, **{"workers": 1, **options}))
        return made[-1]

    yield make
    for index in made:
        index.close()


def test_accepted_pairs_are_proven_when_they_are_found(opened, folder):
    index = opened()
    index.ingest([folder])
    summary = index.find_duplicates().proof
    found = outcomes(index)
    assert len(found) == 9
    for names, outcome in found.items():
        assert (outcome is Outcome.EDITED) == ("edit1.jpg" in names), names
    assert (summary.due, summary.proven, summary.same, summary.edited, summary.left) == (9, 9, 6, 3, 0)
    assert summary.derived > 0
    again = index.find_duplicates().proof
    assert (again.due, again.proven) == (0, 0)
    info = index.info()
    assert (info["proofs.same"], info["proofs.edited"]) == (6, 3)
    assert index.check(deep=True) == []
    [pair] = [pair for pair in index.pairs() if Relation.EDITED not in pair.relations][:1]
    assert Relation.UNPROVEN not in pair.relations


@pytest.mark.usefixtures("computed_anew")
def test_workers_change_nothing(opened, folder):
    proofs = []
    for workers in (1, 2):
        index = opened(f"{workers}.db", workers=workers)
        index.ingest([folder])
        index.find_duplicates()
        proofs.append(told(index))
    assert proofs[0] == proofs[1]


def test_without_proof_nothing_is_claimed_and_the_verb_makes_up_for_it(opened, folder):
    index = opened(proof="off")
    index.ingest([folder])
    assert index.find_duplicates().proof is None
    assert set(outcomes(index).values()) == {None}
    assert all(Relation.UNPROVEN in pair.relations for pair in index.pairs())
    assert index.report().run.kind != "prove"  # a report does not begin it
    assert index.prove().proven == 9
    assert None not in outcomes(index).values()
    assert index.prove().due == 0


def test_a_file_that_is_gone_is_said_and_proven_when_it_is_back(opened, folder, tmp_path):
    index = opened()
    index.ingest([folder])
    (folder / "copy2.jpg").rename(tmp_path / "away.jpg")
    summary = index.find_duplicates().proof
    gone = {names: proof for names, proof in told(index).items() if "copy2.jpg" in names}
    assert {proof.outcome for proof in gone.values()} == {Outcome.NONE}
    assert all("copy2.jpg" in proof.reason for proof in gone.values())
    assert summary.unreachable == len(gone) == 2
    assert index.prove().due == 0  # nothing is known to have changed
    index.ingest([folder])  # marks it as missing
    assert index.prove(again=True).due == 0  # nobody reports what is at no place
    (tmp_path / "away.jpg").rename(folder / "copy2.jpg")
    index.ingest([folder])
    assert index.find_duplicates().proof.same == 2
    assert Outcome.NONE not in outcomes(index).values()


def test_again_looks_for_files_that_no_ingest_saw_come_back(opened, folder, tmp_path):
    index = opened()
    index.ingest([folder])
    (folder / "copy2.jpg").rename(tmp_path / "away.jpg")
    index.find_duplicates()
    (tmp_path / "away.jpg").rename(folder / "copy2.jpg")
    assert index.prove().due == 0
    assert index.prove(again=True).same == 2


def test_a_file_with_other_content_is_not_what_was_found(opened, folder):
    index = opened()
    index.ingest([folder])
    (folder / "copy2.jpg").write_bytes((folder / "copy1.jpg").read_bytes())
    index.find_duplicates()
    proof = told(index)["copy2.jpg", "o2.png"]
    assert proof.outcome is Outcome.NONE
    assert "other content" in proof.reason


def test_another_version_is_proven_again(opened, folder, monkeypatch):
    index = opened()
    index.ingest([folder])
    index.find_duplicates()
    for module in (proving, proving.catalog_proofs):
        if hasattr(module, "VERSION"):
            monkeypatch.setattr(module, "VERSION", "next")
    assert index.find_duplicates().proof.due == 9


def test_an_interrupted_run_goes_on(opened, folder, monkeypatch):
    whole = opened("whole.db")
    whole.ingest([folder])
    whole.find_duplicates()
    index = opened("broken.db", batch=1)
    index.ingest([folder])
    put, calls = catalog_proofs.put_proofs, []

    def failing(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return put(*arguments)

    monkeypatch.setattr(proving.catalog_proofs, "put_proofs", failing)
    with pytest.raises(KeyboardInterrupt):
        index.find_duplicates()
    kept = sum(outcome is not None for outcome in outcomes(index).values())
    assert 0 < kept < 9
    index.report()  # goes on with what was interrupted
    assert outcomes(index) == outcomes(whole)


def test_a_budget_leaves_pairs_for_the_next_run(opened, folder, monkeypatch):
    index = opened(budget=0.001)
    monkeypatch.setattr(proving, "PAIRS_A_TASK", 1)
    index.ingest([folder])
    total = 0
    for _ in range(20):
        summary = index.find_duplicates()
        if not summary.left:
            total += 1
        if summary.left == 0 and summary.proof.left == 0:
            break
    assert total > 1  # each run begins one task at least, and not much more
    assert None not in outcomes(index).values()


def test_a_worker_that_dies_costs_its_pair_only(opened, folder, monkeypatch):
    from dedupindex.engines import embedded

    real = embedded.Pool

    def pool(function, **options):
        return real(die_at, **options) if function is embedded.prove_pairs else real(function, **options)

    monkeypatch.setattr(embedded, "Pool", pool)
    index = opened(workers=2)
    index.ingest([folder])
    index.find_duplicates()
    for names, proof in told(index).items():
        assert (proof.outcome is Outcome.NONE) == (KILLER in names), names
        if KILLER in names:
            assert "killed" in proof.reason


# ------------------------------------------------------------------------------------------------- animations
def animation(path, frames, **options):
    images = [Image.fromarray(pixels) for pixels in frames]
    path.parent.mkdir(parents=True, exist_ok=True)
    images[0].save(path, save_all=True, append_images=images[1:], duration=100, **options)


def scenes(*seeds):
    return [picture(seed, 200, 300) for seed in seeds]


@pytest.fixture(scope="module")
def animations(tmp_path_factory):
    root = tmp_path_factory.mktemp("animations")
    animation(root / "one.gif", scenes(1, 2, 3))
    animation(root / "two.gif", scenes(1, 4, 5))
    animation(root / "short.gif", scenes(1, 2))
    animation(root / "again.gif", scenes(1, 2, 3), comment=b"the same frames in another file")
    animation(root / "one.png", scenes(7, 8), default_image=False)
    animation(root / "one.webp", scenes(7, 8), lossless=True)
    return root


def test_animations_are_the_same_only_with_all_their_frames(opened, animations):
    index = opened()
    index.ingest([animations])
    index.find_duplicates()
    relations = {
        tuple(sorted((pair.a.locations[0].path.name, pair.b.locations[0].path.name))): pair.relations
        for pair in index.pairs()
    }
    assert relations["again.gif", "one.gif"] == (Relation.SAME_PIXELS,)
    assert relations["one.gif", "two.gif"] == (Relation.ALTERNATE,)
    assert relations["one.gif", "short.gif"] == (Relation.ALTERNATE,)
    assert relations["one.png", "one.webp"] == (Relation.SAME_PIXELS,)
    match = {found.path.name: found.relation for found in index.query(animations / "two.gif")}
    assert match["two.gif"] == "same_bytes"
    assert match["one.gif"] == "alternate"


def test_animations_that_begin_with_blank_frames_are_found_by_what_follows(opened, tmp_path):
    blank = np.zeros((200, 300, 3), np.uint8)
    animation(tmp_path / "in" / "fade.gif", [blank, *scenes(1, 2, 3)])
    animation(tmp_path / "in" / "fade.webp", [blank, *scenes(1, 2, 3)], quality=90)
    animation(tmp_path / "in" / "white.webp", [blank + 255, *scenes(1, 2, 3)], quality=90)
    animation(tmp_path / "in" / "other.gif", [blank, *scenes(4, 5, 6)])
    animation(tmp_path / "in" / "blank.gif", [blank, blank + 1])
    index = opened()
    index.ingest([tmp_path / "in"])
    index.find_duplicates()
    relations = {
        tuple(sorted((pair.a.locations[0].path.name, pair.b.locations[0].path.name))): pair.relations
        for pair in index.pairs()
    }
    assert relations["fade.gif", "fade.webp"] == (Relation.REENCODED,)
    assert relations["fade.gif", "white.webp"] == (Relation.ALTERNATE,)
    assert {name for names in relations for name in names}.isdisjoint({"other.gif", "blank.gif"})


def test_the_first_frames_alone_prove_nothing(opened, animations):
    index = opened(proof="off")
    index.ingest([animations])
    index.find_duplicates()
    assert index.pairs()
    assert all(pair.relations == (Relation.UNPROVEN,) for pair in index.pairs())


# ---------------------------------------------------------------------------------------------------- queries
def test_matches_of_a_query_are_proven(opened, folder):
    index = opened()
    index.ingest([folder])
    for asked in (folder / "copy1.jpg", np.asarray(Image.open(folder / "copy1.jpg"))):
        found = {match.path.name: match for match in index.query(asked)}
        assert found["o1.png"].proof.outcome is Outcome.SAME
        assert found["edit1.jpg"].proof.outcome is Outcome.EDITED
        assert "edited" in found["edit1.jpg"].relation
    index.settings = type(index.settings)(workers=1, proof="off")
    assert {match.proof for match in index.query(folder / "copy1.jpg")} == {None}


def test_matches_of_an_upload_are_proven_in_a_worker(opened, folder, tmp_path):
    index = opened()
    index.ingest([folder])
    (tmp_path / "handed-in").write_bytes((folder / "copy1.jpg").read_bytes() + b"more")
    with index.uploads() as uploads:
        found = {match.path.name: match for match in uploads.matches(tmp_path / "handed-in", tmp_path / "new.jpg")}
    assert found["o1.png"].proof.outcome is Outcome.SAME
    assert "edited" in found["edit1.jpg"].relation


def test_a_merge_brings_proofs_along_and_makes_none_anew(opened, folder, tmp_path):
    source = opened("theirs.db")
    source.ingest([folder])
    source.find_duplicates()
    wanted = told(source)
    for path in folder.iterdir():
        path.unlink()  # whoever compares files now finds none
    index = opened("ours.db")
    index.merge(source.location)
    assert told(index) == wanted
    assert index.find_duplicates().proof.due == 0
    assert index.check(deep=False) == []


def test_check_notices_a_proof_whose_pair_is_gone(opened, folder):
    from sqlalchemy import text

    index = opened()
    index.ingest([folder])
    index.find_duplicates()
    if index._database.shared:
        pytest.skip("a server lets nobody do that")
    with index._database._backend.writing() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        connection.execute(text("DELETE FROM pair WHERE a = (SELECT min(a) FROM proof)"))
    assert "proofs_without_pair" in {problem.code for problem in index.check()}
