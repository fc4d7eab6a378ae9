from enum import StrEnum

import pytest

from dedupindex.fields import Fields, load_json


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


FIELDS = Fields(
    {
        "text": "a", "name": "\udcff", "half": "\ud800", "one": 1, "big": 10**400, "share": 0.5, "nan": float("nan"),
        "yes": True, "none": None, "red": "red", "pair": [1, 2], "mixed": [1, "a"], "inner": {"x": 1}, "rows": [{}, 3],
    },
    "items[2]",
)  # fmt: skip


def test_values_of_the_right_kind():
    assert (FIELDS.text("text"), FIELDS.text("name")) == ("a", "\udcff")
    assert (FIELDS.integer("one"), FIELDS.number("one"), FIELDS.number("share")) == (1, 1.0, 0.5)
    assert FIELDS.choice("red", Colour) is Colour.RED
    assert FIELDS.integers("pair", 2) == FIELDS.numbers("pair", 2) == (1, 2)
    assert FIELDS.object("inner").integer("x") == 1
    assert FIELDS.is_null("none")
    assert not FIELDS.is_null("one")


@pytest.mark.parametrize(
    ("read", "words"),
    [
        (lambda f: f.text("one"), r"items\[2\]\.one is 1, must be text"),
        (lambda f: f.text("half"), r"half is \"\\ud800\", must be text"),
        (lambda f: f.text("absent"), r"items\[2\]\.absent is missing"),
        (lambda f: f.is_null("absent"), "missing"),
        (lambda f: f.integer("yes"), "yes is true, must be an integer"),
        (lambda f: f.integer("share"), "share is 0.5, must be an integer"),
        (lambda f: f.integer("big"), "big is a very large integer"),
        (lambda f: f.number("big"), "must be a number"),
        (lambda f: f.number("nan"), "nan is NaN, must be a number"),
        (lambda f: f.number("none"), "none is null, must be a number"),
        (lambda f: f.choice("text", Colour), 'text is "a", must be one of red, blue'),
        (lambda f: f.choice("pair", Colour), "pair is a list, must be one of red, blue"),
        (lambda f: f.integers("pair", 3), "must be 3 integers"),
        (lambda f: f.numbers("mixed", 2), 'mixed is "a"'),
        (lambda f: f.texts("mixed"), "mixed is 1, must be text"),
        (lambda f: f.items("inner"), "inner is an object, must be a list"),
        (lambda f: f.object("pair"), r"items\[2\]\.pair is a list, must be an object"),
        (lambda f: f.objects("rows"), r"items\[2\]\.rows\[1\] is 3, must be an object"),
    ],
)
def test_values_of_another_kind_are_named(read, words):
    with pytest.raises(ValueError, match=words):
        read(FIELDS)


def test_long_values_are_cut():
    with pytest.raises(ValueError, match=r"must be an integer") as caught:
        Fields({"n": "a" * 10_000}).integer("n")
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"[" * 200_000, "too deep"),
        (b'{"a":' * 200_000, "too deep"),
        (b"{", "no JSON"),
        (b"", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"9" * 10_000, "no JSON"),
    ],
)
def test_what_is_no_json(data, words):
    with pytest.raises(ValueError, match=words):
        load_json(data)
