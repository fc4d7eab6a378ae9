import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupindex.actions.asked_relations import PROVEN_COPIES
from dedupindex.actions.plan_rules import PlanRule, _joined, read_rules
from dedupindex.actions.plans import check_plan
from dedupindex.errors import SettingsError
from dedupindex.records import Relation
from dedupindex.records.plans import Action
from tests.actions.heaps import image, plan_of, write

RULE = '[[rule]]\nin = "/phone"\nkept_in = "/pictures"\n'


def read(folder: Path, text: str | bytes):
    file = folder / "rules.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_rules(file)


def test_a_whole_file(tmp_path):
    made = read(
        tmp_path,
        """
        action = "move"
        to = "/quarantine"
        protect = ["/phone/favourites"]

        [[rule]]
        name = "phone"
        in = "/phone"
        kept_in = ["/pictures", "/archive"]
        relations = ["copy"]

        [[rule]]
        in = ["/card/", "/card/../stick"]
        kept_in = "/pictures"
        relations = ["resized"]
        same_bytes = false
        """,
    )
    assert (made.action, made.to, made.protect) == (Action.MOVE, Path("/quarantine"), (Path("/phone/favourites"),))
    assert made.rules == (
        PlanRule(
            "phone",
            (Path("/phone"),),
            (Path("/pictures"), Path("/archive")),
            (Relation.SAME_BYTES, *PROVEN_COPIES),
        ),
        PlanRule("2", (Path("/card"), Path("/stick")), (Path("/pictures"),), (Relation.RESIZED,)),
    )


def test_what_a_rule_says_by_default(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    made = read(tmp_path, '[[rule]]\nin = "~/Phone"\nkept_in = "~/Pictures"\n')
    assert (made.action, made.to, made.protect) == (Action.TRASH, None, ())
    assert made.rules == (PlanRule("1", (tmp_path / "Phone",), (tmp_path / "Pictures",), (Relation.SAME_BYTES,)),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rule is missing"),
        ("rule = []", "there is no rule; each begins with"),
        ("rule = 3", "rule is 3, must be a list"),
        ("rule = [3]", r"rule\[0\] is 3, must be an object"),
        ("[rule]\nin = '/a'", "rule is an object, must be a list"),
        ("acton = 'trash'\n" + RULE, r"there is no 'acton' \(did you mean action\?\); there are: action, to"),
        (RULE + "kept = 3", r"rule\[0\]: there is no 'kept' \(did you mean kept_in\?\)"),
        (RULE + "zzz = 3", r"there is no 'zzz'; there are: name, in, kept_in"),
        ("action = 'delete'\n" + RULE, 'action is "delete", must be one of trash, move, hardlink, symlink, reflink: '),
        ("action = 'burn'\n" + RULE, 'action is "burn", must be one of trash'),
        ("action = 1979-05-27\n" + RULE, 'action is "1979-05-27", must be one of'),
        ("action = 'move'\n" + RULE, "to must be one folder where action is move"),
        ("to = '/q'\n" + RULE, "to must be one folder where action is move"),
        ("action = 'move'\nto = ['/q', '/r']\n" + RULE, "to must be one folder"),
        ("action = 'hardlink'\n" + RULE + "relations = ['tone']", "only files with the same bytes may be linked"),
        ("protect = 4\n" + RULE, "protect is 4, must be a list"),
        ("protect = ['a']\n" + RULE, "protect: 'a' must be a whole path"),
        ("[[rule]]\nin = '/a'", r"rule\[0\].kept_in is missing"),
        ("[[rule]]\nin = 'a'\nkept_in = '/b'", r"rule\[0\].in: 'a' must be a whole path, like ~/Pictures"),
        ("[[rule]]\nin = []\nkept_in = '/b'", r"rule\[0\].in is a list, must name a folder"),
        ("[[rule]]\nin = [['/a']]\nkept_in = '/b'", r"rule\[0\].in is a list, must be text"),
        ("[[rule]]\nin = '/a\\u0000'\nkept_in = '/b'".replace("'", '"'), "must be a whole path"),
        ("[[rule]]\nin = ['/a', '/b']\nkept_in = '/b/'", r"rule\[0\]: /b stands in both in and kept_in"),
        (RULE + "relations = ['resize']", r"relations names 'resize', .* \(did you mean resized\?\)"),
        (RULE + "relations = ['edited']", "edited, alternate and unproven pictures need a look"),
        (RULE + "relations = ['shifted_overlap']", "need a look"),
        (RULE + "relations = 'copy'", r"rule\[0\].relations is \"copy\", must be a list"),
        (RULE + "same_bytes = false", "the rule takes nothing"),
        (RULE + "same_bytes = 0", r"same_bytes is 0, must be true or false"),
        (RULE + "name = 5", "name is 5, must be text"),
        (RULE + 'name = "a\\nb"', "must be text in one line"),
        (RULE + "name = 'x'\n" + RULE + "name = 'x'", "two rules are called 'x'"),
        ("rule = " + "[" * 200_000, "nested too deep"),
        ("a." * 200_000 + "b = 1", "nested too deep"),
        ("rule = {" + "a = {" * 200_000, "nested too deep"),
        (b"\xff\xfe", "is no text"),
        ("rule = [", "rules.toml: "),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words) as caught:
        read(tmp_path, text)
    assert str(caught.value).count("rules.toml") == 1


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        read_rules(tmp_path / "none.toml")


@given(orders=st.lists(st.permutations("abc"), min_size=1, max_size=4))
def test_plans_of_several_rules_never_let_a_keeper_go(tmp_path_factory, orders):
    """Each rule would keep another one of three equal files; joined, one stays and the others go once."""
    folder = tmp_path_factory.mktemp("joined")
    places = [write(folder / name / "x.jpg", b"x") for name in "abc"]
    copies = image(1, b"x", *places)
    plans = []
    for number, order in enumerate(orders):
        prefer = tuple(folder / name for name in order)
        rule = PlanRule(str(number), (), (), (Relation.SAME_BYTES,))
        plans.append((rule, plan_of([copies], keep=("path-order",), prefer=prefer)))
    items, left_out = _joined(plans)
    gone = {item.file.path for item in items}
    assert len(gone) == len(items) == 2  # as the first rule says; the others change nothing about that
    assert not gone & {item.keeper.path for item in items}
    assert not gone & {file.path for file in left_out}
    assert {item.because.rpartition(" (rule ")[2] for item in items} == {"0)"}


def test_rules_in_a_circle_leave_one_of_each(tmp_path):
    """In a what b has, in b what c has, in c what a has."""
    places = {name: write(tmp_path / name / "x.jpg", b"x") for name in "abc"}
    plans = []
    for one, other in itertools.pairwise("abca"):
        rule = PlanRule(one, (), (), (Relation.SAME_BYTES,))
        copies = image(1, b"x", places[one], places[other])
        plans.append((rule, plan_of([copies], keep=("path-order",), prefer=(tmp_path / other,))))
    items, left_out = _joined(plans)
    assert [(item.file.path, item.keeper.path) for item in items] == [(places["a"], places["b"])]
    assert {file.path: file.why for file in left_out} == {places["b"]: "other_rule", places["c"]: "other_rule"}
    check_plan(plans[0][1])
