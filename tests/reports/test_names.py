import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.reports.names import for_spreadsheet, is_text, short, shown


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("plain ä 猫.png", "plain ä 猫.png"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x1b[2J\x07\x9b", "\\x1b[2J\\x07\\x9b"),
        (os.fsdecode(b"\xff\xfe.png"), "\\xff\\xfe.png"),
        ("\u202egpj.exe\u200b", "\\u202egpj.exe\\u200b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_shown(name, words):
    assert shown(name) == words
    assert shown(Path(name)) == words


@given(st.text(st.characters()))
def test_shown_is_printable_text(name):
    words = shown(name)
    words.encode()
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in words)


@given(st.binary(max_size=40).filter(lambda name: b"\0" not in name))
def test_any_file_name_can_be_shown(name):
    shown(os.fsdecode(name)).encode()
    assert is_text(os.fsdecode(name)) == (name == name.decode("utf-8", "ignore").encode())


@pytest.mark.parametrize("start", "=+-@\t\r")
def test_formulas_are_text_to_a_spreadsheet(start):
    assert for_spreadsheet(start + "1") == f"'{start}1"


def test_other_cells_stay():
    assert for_spreadsheet("/a=1") == "/a=1"
    assert for_spreadsheet("") == ""


def test_paths_below_the_base_are_short():
    assert short(Path("/a/b/c.png"), Path("/a")) == "b/c.png"
    assert short(Path("/a/b/c.png"), Path("/x")) == "/a/b/c.png"
    assert short(Path("/a/b\n.png"), None) == "/a/b\\n.png"
