import tempfile
from dataclasses import replace

import numpy as np
import pytest

import dedupindex
from dedupindex.errors import Reason, SettingsError
from dedupindex.evaluation.evaluate import evaluate
from dedupindex.records.evaluations import rate
from dedupindex.settings import Settings
from tests.pictures import half, picture, save

SETTINGS = Settings(workers=1)
ATTACKS = ("recompress", "crop", "quarter_turn", "mirror")
PICTURES = 6


class Listener:
    def __init__(self):
        self.stages, self.open, self.done = [], 0, 0

    def start(self, total, what):
        self.stages.append(what)
        self.open += 1
        self.done = 0

    def advance(self, n):
        self.done += n

    def fail(self, n):
        pass

    def finish(self):
        self.open -= 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six pictures, a smaller one of the first, a byte copy of the second; a blank page, notes, a broken file."""
    root = tmp_path_factory.mktemp("evaluate")
    for number in range(PICTURES):
        save(root / f"p{number}.png", picture(number))
    save(root / "small.png", half(picture(0)))
    (root / "same.png").write_bytes((root / "p1.png").read_bytes())
    save(root / "blank.png", np.full((50, 60, 3), 255, np.uint8))
    (root / "notes.txt").write_text("nothing to see")
    (root / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    return root


@pytest.fixture(scope="module")
def evaluated(folder, tmp_path_factory):
    """An evaluation, what its listener heard, and what lay in the temporary folder afterwards."""
    temporary = tmp_path_factory.mktemp("temporary")
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        before = {path: path.read_bytes() for path in folder.iterdir()}
        found = evaluate([folder], attacks=ATTACKS, per_picture=2, settings=SETTINGS, progress=listener)
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
    return found, listener, list(temporary.iterdir())


def test_every_copy_is_found(evaluated):
    found, _, _ = evaluated
    pictures = PICTURES + 2
    assert (found.used, found.copies, found.per_picture) == (pictures, 2 * pictures, 2)
    assert [attack.attack for attack in found.attacks] == list(ATTACKS)
    assert sum(attack.direct.total for attack in found.attacks) == found.copies
    assert found.direct == found.linked == rate(2 * pictures, 2 * pictures)
    assert found.missed == ()
    assert found.retrieval == found.direct
    assert found.precision is not None
    assert found.precision.share == 1.0
    assert found.wrong == ()
    assert found.threshold == SETTINGS.threshold


def test_what_the_folder_holds_twice_is_not_counted(evaluated):
    found, _, _ = evaluated
    assert (found.own_pairs, found.own_copies) == (1, 1)
    assert found.false_rate is not None
    assert found.false_rate.hits == 0


def test_what_was_not_used(evaluated):
    found, _, _ = evaluated
    assert found.found == PICTURES + 5
    assert found.skipped == {"low_information": 1, "not_an_image": 1}
    assert [failure.path.name for failure in found.failures] == ["broken.jpg"]


def test_nothing_is_left_behind_and_every_stage_ends(evaluated):
    found, listener, left = evaluated
    assert left == []
    assert listener.open == 0
    assert listener.stages[0] == "attack"
    assert listener.stages[-1].startswith("audit")
    assert list(found.seconds) == ["attack", "pictures", "copies", "audit"]


def test_the_same_seed_gives_the_same_result_whatever_the_workers(folder):
    def run(seed, workers):
        return evaluate(
            [folder], attacks=["crop"], limit=3, seed=seed, settings=replace(SETTINGS, workers=workers), per_picture=1
        )

    first = run(0, 1)
    assert first == run(0, 2)
    assert (first.used, first.copies) == (3, 3)
    assert first.skipped["limit"] >= 4


def test_a_threshold_that_nothing_passes(folder):
    found = evaluate(
        [folder / "p0.png"], attacks=["noise", "blur"], strengths=[2.0], settings=replace(SETTINGS, threshold=1.0)
    )
    assert found.direct == rate(0, 2)
    assert found.precision is None
    assert [copy.why for copy in found.missed] == ["not_confirmed", "not_confirmed"]
    assert all(copy.score > 0.5 for copy in found.missed)
    at = {point.threshold: point.recall for point in found.curve}
    assert at[0.5] == rate(2, 2)
    assert at[1.0] == rate(0, 2)


def test_nothing_to_attack(folder, tmp_path):
    with pytest.raises(SettingsError, match="there is no file"):
        evaluate([tmp_path], settings=SETTINGS)
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(SettingsError, match="1 not an image"):
        evaluate([tmp_path], settings=SETTINGS)
    with pytest.raises(SettingsError, match="1 low information"):
        evaluate([folder / "blank.png"], settings=SETTINGS)
    with pytest.raises(SettingsError, match=Reason.MISSING):
        evaluate([tmp_path / "none"], settings=SETTINGS)


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"per_picture": 0}, {"seed": -1}, {"attacks": ["nope"]}, {"strengths": [0.0]}]
)
def test_options_that_mean_nothing(folder, options):
    with pytest.raises(SettingsError):
        evaluate([folder], settings=SETTINGS, **options)


def test_one_path_is_no_sequence(folder):
    with pytest.raises(TypeError, match="sequence"):
        evaluate(str(folder))


def test_it_is_public():
    assert dedupindex.evaluate is evaluate
