import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupindex import Index, Selection, SettingsError
from dedupindex.groups.decisions import decided_pairs
from dedupindex.records import Decision
from tests.pictures import half, picture, save

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path):
    """Three sizes of one picture, a byte copy of the first, and another picture."""
    save(tmp_path / "in" / "a.png", picture(1))
    save(tmp_path / "in" / "b.jpg", half(picture(1)), quality=90)
    save(tmp_path / "in" / "c.png", half(half(picture(1))))
    (tmp_path / "in" / "copy of a.png").write_bytes((tmp_path / "in" / "a.png").read_bytes())
    save(tmp_path / "in" / "z.png", picture(2))
    return tmp_path / "in"


@pytest.fixture
def index(catalogue, folder):
    with Index.open(catalogue(folder.parent / "a.db"), create=True, workers=1) as opened:
        opened.ingest([folder])
        opened.find_duplicates()
        yield opened


def names(report):
    return sorted(sorted(m.path.name for m in group.members) for group in report.groups)


def joined(report):
    return {frozenset((pair.a.locations[0].path.name, pair.b.locations[0].path.name)) for pair in report.pairs}


def test_different_pictures_are_not_paired_any_more(index, folder):
    assert names(index.report()) == [["a.png", "b.jpg", "c.png"]]
    [made] = index.decide("not-duplicate", [folder / "b.jpg", folder / "c.png"], "two birds").decisions
    assert (made.kind, made.note, made.a < made.b) == ("not-duplicate", "two birds", True)
    report = index.report()
    assert joined(report) == {frozenset(("a.png", "b.jpg")), frozenset(("a.png", "c.png"))}
    assert [str(flag) for flag in report.groups[0].flags] == [
        f"not_duplicate:{made.a}+{made.b}"
    ]  # they hang together through a.png
    assert (report.hidden, report.decisions) == (1, (made,))
    index.decide("not-duplicate", [folder / "c.png", folder / "a.png"])
    assert names(index.report()) == [["a.png", "b.jpg"]]
    assert index.report().groups[0].flags == ()
    assert index.report(selection=Selection(decided=True)).hidden == 2


def test_of_three_every_two_are_meant(index, folder):
    made = index.decide("not-duplicate", [folder / name for name in ("a.png", "b.jpg", "c.png")]).decisions
    assert len(made) == 3
    assert names(index.report()) == [["a.png"]]  # its byte copy is still one


def test_both_kept_are_left_out_until_asked_for(index, folder):
    made = index.decide("keep-both", [folder / name for name in ("a.png", "b.jpg", "c.png")]).decisions
    assert names(index.report()) == [["a.png"]]
    shown = index.report(selection=Selection(decided=True))
    assert names(shown) == [["a.png", "b.jpg", "c.png"]]
    assert len([flag for flag in shown.groups[0].flags if flag.kind == "keep_both"]) == 3
    assert set(shown.decisions) == set(made)
    # a new third picture reopens only its own pairs
    save(folder / "new.png", half(picture(1)))
    index.ingest([folder])
    report = index.report()
    assert joined(report) == {frozenset((name, "new.png")) for name in ("a.png", "b.jpg", "c.png")}


def test_places_of_one_file_are_kept(index, folder):
    [made] = index.decide("keep-both", [folder / "a.png", folder / "copy of a.png"]).decisions
    assert made.a == made.b
    index.decide("keep-both", [folder / name for name in ("a.png", "b.jpg", "c.png")])
    assert index.report().groups == ()
    assert index.report().hidden == 4
    with pytest.raises(SettingsError, match="byte for byte"):
        index.decide("not-duplicate", [folder / "a.png", folder / "copy of a.png"])


def test_a_keeper_comes_first(index, folder):
    index.decide("keeper", [folder / "c.png", folder / "c.png"])
    [group] = index.report().groups
    assert [(m.path.name, m.keeper) for m in group.members] == [("c.png", True), ("a.png", False), ("b.jpg", False)]
    assert group.members[0].relation == "representative"
    assert len(index.decisions()) == 1


def test_decisions_follow_the_content(index, folder):
    index.decide("not-duplicate", [folder / "b.jpg", folder / "a.png"])
    (folder / "moved").mkdir()
    (folder / "b.jpg").rename(folder / "moved" / "other name.jpg")
    index.ingest([folder])
    assert frozenset(("a.png", "other name.jpg")) not in joined(index.report())
    index.forget([folder])
    assert index.info()["images"] == 0
    index.ingest([folder])
    assert frozenset(("a.png", "other name.jpg")) not in joined(index.report())
    assert index.undecide([folder / "moved" / "other name.jpg"]) == 1
    assert frozenset(("a.png", "other name.jpg")) in joined(index.report())


def test_the_later_decision_counts(index, folder):
    index.decide("not-duplicate", [folder / "a.png", folder / "b.jpg"])
    index.decide("keep-both", [folder / "b.jpg", folder / "a.png"])
    assert [some.kind for some in index.decisions()] == ["keep-both"]


def test_pictures_by_key(index, folder):
    key = index.image_at(folder / "a.png").key
    for text in (key, key[:8], key[:13].upper()):
        [made] = index.decide("keeper", [text]).decisions
        assert made.a == key
    other = index.image_at(folder / "b.jpg").key
    for number in range(256):  # the same first eight digits
        [same] = index.take_over([Decision("keeper", other[:8] + f"{number:056x}", "", "", NOW)])[:1]
        assert same == 1
    with pytest.raises(SettingsError, match="more digits"):
        index.undecide([other[:8]])
    assert index.undecide([other[:8] + f"{7:056x}"]) == 1
    for wrong in ("0" * 8, key[:7], f"{key}#3", "f" * 64):
        with pytest.raises(SettingsError, match="index knows no picture"):
            index.decide("keeper", [wrong])


def test_what_cannot_be_decided(index, folder, tmp_path):
    for kind, pictures, words in [
        ("keep", ["a", "b"], "no decision 'keep'"),
        ("keep-both", [folder / "a.png"], "two pictures"),
        ("keeper", [], "about a picture"),
        ("keeper", [folder / "nowhere.png"], "no such file"),
    ]:
        with pytest.raises(SettingsError, match=words):
            index.decide(kind, pictures)
    save(folder / "z.png", picture(3))
    with pytest.raises(SettingsError, match="has changed"):
        index.decide("keeper", [folder / "z.png"])
    with pytest.raises(SettingsError, match="on which picture"):
        index.undecide([])
    assert index.decisions() == []


def test_forgetting_some(index, folder):
    a, b, c = (folder / name for name in ("a.png", "b.jpg", "c.png"))
    index.decide("keep-both", [a, b, c])
    index.decide("keeper", [a, b])
    assert index.undecide([a, b]) == 1
    assert index.undecide([a], "keeper") == 1
    assert index.undecide([c]) == 2
    assert [some.kind for some in index.decisions()] == ["keeper"]


def test_taking_over_keeps_the_later(index):
    old = Decision("keeper", "1" * 64, "", "old", NOW)
    new = Decision("keeper", "1" * 64, "", "new", NOW + timedelta(days=1))
    assert index.take_over([new, old]) == (1, 0)
    assert index.take_over([old]) == (0, 1)
    assert index.take_over([new]) == (0, 1)
    assert index.decisions() == [new]


@given(st.sets(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")).filter(lambda p: p[0] <= p[1])))
@settings(max_examples=40, deadline=None)
def test_looking_up_is_symmetric(pairs):
    kinds = itertools.cycle(("not-duplicate", "keep-both"))
    known = decided_pairs(Decision(kind, a, b, "", NOW) for kind, (a, b) in zip(kinds, sorted(pairs), strict=False))
    for a, b in itertools.product("abcd", repeat=2):
        assert known.leaves_out(a, b, decided=False) == ((min(a, b), max(a, b)) in pairs)
        assert known.leaves_out(a, b, decided=True) == known.leaves_out(b, a, decided=True)
