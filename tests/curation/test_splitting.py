import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex import Part, SettingsError
from dedupindex.curation.splitting import deal, parse_ratios

NAMES = ("train", "val", "test")


def parts_by_name(split):
    return {file.path.name: file.part for file in split.files}


@given(
    sizes=st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 9), min_size=1, max_size=60),
    shares=st.lists(st.integers(1, 10), min_size=3, max_size=3),
    seed=st.integers(0, 99),
    order=st.randoms(use_true_random=False),
)
def test_shares_are_met_within_the_largest_unit_and_order_does_not_matter(sizes, shares, seed, order):
    ratios = {name: share / sum(shares) for name, share in zip(NAMES, shares, strict=True)}
    none = dict.fromkeys(NAMES, 0)
    dealt = deal(sizes, ratios, none, seed=seed)
    assert set(dealt) == set(sizes)
    total = sum(sizes.values())
    for name in NAMES:
        files = sum(size for key, size in sizes.items() if dealt[key] == name)
        assert abs(files - ratios[name] * total) <= 2 * max(sizes.values())
    shuffled = list(sizes.items())
    order.shuffle(shuffled)
    assert deal(dict(shuffled), ratios, none, seed=seed) == dealt


def test_a_part_without_a_share_gets_nothing_and_seeds_differ():
    sizes = {f"{number:03}": 1 for number in range(100)}
    ratios = {"train": 0.5, "val": 0.0, "test": 0.5}
    one, other = (deal(sizes, ratios, dict.fromkeys(NAMES, 0), seed=seed) for seed in (0, 1))
    assert set(one.values()) == {"train", "test"}
    assert list(one.values()).count("train") == 50
    assert one != other


def test_shares_are_read_and_scaled():
    assert parse_ratios("train=8, test=2") == {"train": 0.8, "test": 0.2}
    for text in ("", "train", "train=x", "train=-1,test=2", "a=0", "a=1,a=2", "=1", "a=inf"):
        with pytest.raises(SettingsError):
            parse_ratios(text)


def test_copies_are_never_in_two_parts(index, folder):
    for seed in range(5):
        split = index.split([folder], "train=0.5,test=0.5", seed=seed)
        part = parts_by_name(split)
        assert len(split.files) == 9
        assert split.units == 7
        assert part["copied.png"] == part["small.jpg"] == part["same.png"]
        assert abs(len(split.of("train")) - 4.5) <= 1
        members = {name: [file.path for file in split.of(name)] for name in ("train", "test")}
        assert index.leaks(members).leaks == ()
    assert index.split([folder], "train=0.5,test=0.5", seed=2) == index.split([folder], "train=1,test=1", seed=2)


def test_existing_parts_are_kept_and_draw_their_copies(index, folder):
    known = Part("test", (), (folder / "cats" / "small.jpg", folder / "dogs" / "alone0.png"))
    split = index.split([folder], "train=0.5,test=0.5", existing=[known])
    part = parts_by_name(split)
    assert {part[name] for name in ("copied.png", "small.jpg", "same.png", "alone0.png")} == {"test"}
    assert {file.path.name for file in split.files if file.kept} == {"small.jpg", "alone0.png"}
    assert len(split.of("train")) >= 4


def test_what_is_torn_already_is_told_or_dropped(index, folder):
    known = [Part("train", (folder / "cats",)), Part("test", (folder / "dogs",))]
    split = index.split([folder], "train=0.5,test=0.5", existing=known)
    assert len(split.torn) == 1
    assert parts_by_name(split)["copied.png"] == "train"
    dropped = index.split([folder], "train=0.5,test=0.5", existing=known, drop=True)
    assert parts_by_name(dropped)["copied.png"] == parts_by_name(dropped)["small.jpg"] == ""
    assert parts_by_name(dropped)["same.png"] == "test"
    left = {name: [file.path for file in dropped.of(name)] for name in ("train", "test")}
    assert left["train"] == []
    with pytest.raises(SettingsError, match="no picture of train"):
        index.leaks(left)


def test_mistakes_are_told(index, folder, tmp_path):
    with pytest.raises(SettingsError, match="no picture to divide"):
        index.split([tmp_path])
    with pytest.raises(SettingsError, match="no share is given for dev"):
        index.split([folder], existing=[Part("dev", (folder,))])
    twice = (folder / "dogs" / "same.png",)
    with pytest.raises(SettingsError, match="stands in several parts"):
        index.split([folder], existing=[Part("train", (), twice), Part("test", (), twice)])
