"""Files that people write or change: whatever stands in them, the answer is an error that names the file.

Each test changes a good file in some place: a value of another kind, one that is missing, one more, other bytes.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedupindex.actions.journal import open_journal
from dedupindex.actions.plans import read_plan
from dedupindex.errors import PlanError, SettingsError
from dedupindex.records import Failure, Outcome, Proof, ProofMeasures, Relation
from dedupindex.records.companions import CompanionKind, Units
from dedupindex.records.plans import Action, Evidence, Plan, PlanItem, PlannedCompanion, PlannedFile
from dedupindex.reports.decisionfile import read_decisions
from dedupindex.reports.jsonfile import to_json
from dedupindex.reports.plans import plan_json
from dedupindex.settings import Settings
from dedupindex.sources import SourceList
from dedupindex.sources.lists import Row, read_list
from dedupindex.web.service.tokens import Tokens

NO_WORDS = re.compile(r"\b[A-Z]\w+(Error|Exception)\b|NoneType|Errno|recursion depth|Traceback")
SEVERAL = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.text(st.characters(), max_size=6),
    st.sampled_from(["", "\0", "\ud800", "~nobodyxyz/x", "same_bytes", "trash", "a" * 5000, 10**400]),
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where values stand in others."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(*above, key) for key, _ in inner] + [p for key, part in inner for p in places(part, (*above, key))]


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """A good value with one to three changes."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        every = places(value)
        if not every:
            break
        *way, key = draw(st.sampled_from(every))
        inner = value
        for step in way:
            inner = inner[step]
        if draw(st.integers(0, 4)):
            inner[key] = draw(values)
        elif isinstance(inner, dict) or len(inner) > 1:
            del inner[key]
    return value


def refused_or_read(read: Callable[[], object], path: Path, kind: type[Exception]) -> None:
    try:
        read()
    except kind as error:
        said = str(error)
    else:
        return
    assert said
    assert not NO_WORDS.search(said), said


FILES = [PlannedFile(Path(f"/p/{name}"), name * 64, 7, 10**18) for name in ("a", "b", "c")]
EQUAL = PlannedFile(Path("/p/a.xmp"), "d" * 64, 5, 10**18)


def companions(path: Path) -> tuple[PlannedCompanion, ...]:
    """One that goes and has an equal, one that the keeper lacks, one that stays."""
    beside = [path.with_suffix(suffix) for suffix in (".xmp", ".mov", ".aae")]
    edits, video = (PlannedFile(name, "d" * 64, 5, 10**18) for name in beside[:2])
    return (
        PlannedCompanion(CompanionKind.EDITS, edits.path, edits, EQUAL),
        PlannedCompanion(CompanionKind.VIDEO, video.path, video),
        PlannedCompanion(CompanionKind.EDITS, beside[2]),
    )


PROOF = Proof(Outcome.SAME, compared=1.0, measures=ProofMeasures(places=1.0), version="1")
EVIDENCE = Evidence(((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)), (10, 12), (10, 12), PROOF)
PLAN = Plan(
    database="/p/x.db",
    made=datetime(2026, 1, 2, tzinfo=UTC),
    version="0.1",
    action=Action.TRASH,
    rules=("largest",),
    relations=(Relation.REENCODED,),
    protect=(Path("/p/never"),),
    items=tuple(
        PlanItem(
            "g",
            Action.TRASH,
            file,
            FILES[0],
            (Relation.REENCODED,),
            "largest",
            "why",
            1.0,
            None,
            0.9,
            EVIDENCE,
            companions=companions(file.path),
        )
        for file in FILES[1:]
    ),
    unproven=False,
    settings=Settings().shaping(),
    units=Units.TOGETHER,
    may_lack=(CompanionKind.VIDEO,),
)
GOOD_PLAN = json.loads(to_json(plan_json(PLAN)))
PATH = {"path": "/p/a", "bytes": b"/p/a".hex()}
DEED = {
    "number": 0, "action": "trash", "file": PATH, "keeper": PATH, "sha256": "a" * 64, "size": 1, "mtime_ns": 1,
    "atime_ns": 1, "mode": 420, "uid": 0, "gid": 0, "identity": [1, 2], "keeper_identity": [1, 3], "temporary": PATH,
    "target": PATH, "info": None, "made": [PATH], "xattrs": [["user.a", "00"]], "unit": 0,
}  # fmt: skip
GOOD_JOURNAL = [
    {"kind": "journal", "schema": 1, "plan": "a" * 64, "token": "t", "database": "/p/x.db"},
    {"n": 0, "state": "begun", "deed": DEED},
    {"n": 0, "state": "done"},
]
GOOD_DECISIONS = {
    "schema": 1,
    "kind": "decisions",
    "decisions": [
        {"kind": "keep-both", "a": "a" * 64, "b": "b" * 64, "note": "why", "decided": "2026-01-02T03:04:05+00:00"}
    ],
}


# ------------------------------------------------------------------------------------------------------------ plans
def plan_at(folder: Path, value: Any) -> Path:
    path = folder / "plan.json"
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def test_the_good_files_are_good(tmp_path: Path) -> None:
    assert read_plan(plan_at(tmp_path, GOOD_PLAN)) == PLAN
    with open_journal(journal_at(tmp_path, GOOD_JOURNAL)) as journal:
        assert journal.entries[0].operation.made == (Path("/p/a"),)
    assert len(read_decisions(decisions_at(tmp_path, GOOD_DECISIONS))) == 1


@SEVERAL
@given(value=changed(GOOD_PLAN))
def test_any_plan(tmp_path: Path, value: Any) -> None:
    path = plan_at(tmp_path, value)
    refused_or_read(lambda: read_plan(path), path, PlanError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda plan: plan["items"][1].update(relation=7), r"items\[1\]\.relation is 7, must be text"),
        (lambda plan: plan["items"][1].update(relation="alike"), r'items\[1\]\.relation is "alike", must be one of'),
        (lambda plan: plan["items"][0].update(covered=float("nan")), r"items\[0\]\.covered is NaN, must be a number"),
        (lambda plan: plan["items"][0]["file"].update(size="7"), r'items\[0\]\.file\.size is "7", must be an integer'),
        (lambda plan: plan["items"][0]["file"].update(path="/a\0b"), r"items\[0\]\.file: a path is no name"),
        (lambda plan: plan["items"][0]["file"].update(sha256="x"), r"items\[0\]\.file\.sha256 is \"x\""),
        (lambda plan: plan["items"][0]["evidence"].update(proof=[]), r"items\[0\]\.evidence\.proof is a list"),
        (lambda plan: plan["items"].append(None), r"items\[2\] is null, must be an object"),
        (lambda plan: plan.pop("items"), "items is missing"),
        (lambda plan: plan.update(made="now"), 'made is "now", must be a time'),
    ],
)
def test_what_is_wrong_with_a_plan_is_named(tmp_path: Path, change: Callable[[Any], object], words: str) -> None:
    plan = copy.deepcopy(GOOD_PLAN)
    change(plan)
    path = plan_at(tmp_path, plan)
    with pytest.raises(PlanError, match=f"^{re.escape(str(path))}: {words}"):
        read_plan(path)


@pytest.mark.parametrize("data", [b"[" * 200_000, b'{"items":' * 200_000, b"\xff", b"\0", b"nul", b"9" * 9999])
def test_what_is_no_plan(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(PlanError, match=r"plan.json: no plan") as caught:
        read_plan(plan_at(tmp_path, data))
    assert not NO_WORDS.search(str(caught.value))


# --------------------------------------------------------------------------------------------------------- journals
def journal_at(folder: Path, lines: list[Any]) -> Path:
    path = folder / "j.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def read_journal(path: Path) -> None:
    with open_journal(path):
        pass


@SEVERAL
@given(lines=changed(GOOD_JOURNAL))
def test_any_journal(tmp_path: Path, lines: list[Any]) -> None:
    path = journal_at(tmp_path, lines)
    refused_or_read(lambda: read_journal(path), path, PlanError)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[2].update(state="perhaps"), 'line 3: state is "perhaps", must be one of begun'),
        (lambda lines: lines[2].update(n=7), "line 3: operation 7 has not begun"),
        (lambda lines: lines[1]["deed"].update(size=None), r"line 2: deed\.size is null, must be an integer"),
        (lambda lines: lines[1]["deed"]["file"].update(bytes="zz"), r"line 2: deed\.file is no path"),
        (lambda lines: lines[1]["deed"].pop("mode"), r"line 2: deed\.mode is missing"),
        (lambda lines: lines.insert(1, []) or None, "line 2: the whole is a list, must be an object"),
    ],
)
def test_what_is_wrong_with_a_journal_is_named(tmp_path: Path, change: Callable[[Any], object], words: str) -> None:
    lines = copy.deepcopy(GOOD_JOURNAL)
    change(lines)
    path = journal_at(tmp_path, lines)
    with pytest.raises(PlanError, match=f"^{re.escape(str(path))}: no journal: {words}"):
        read_journal(path)


def test_a_line_of_a_journal_nested_deep(tmp_path: Path) -> None:
    path = journal_at(tmp_path, GOOD_JOURNAL[:1])
    path.write_bytes(path.read_bytes() + b"[" * 200_000 + b"\n")
    with pytest.raises(PlanError, match=r"line 2: the JSON is nested too deep"):
        read_journal(path)


# -------------------------------------------------------------------------------------------------------- decisions
def decisions_at(folder: Path, value: Any) -> Path:
    path = folder / "d.json"
    path.write_text(json.dumps(value))
    return path


@SEVERAL
@given(value=changed(GOOD_DECISIONS))
def test_any_decisions(tmp_path: Path, value: Any) -> None:
    path = decisions_at(tmp_path, value)
    try:
        read = read_decisions(path)
    except SettingsError as error:
        said = str(error)
        assert str(path) in said
        assert not NO_WORDS.search(said)
        return
    for decision in read:
        decision.note.encode()  # the database takes nothing else


# ---------------------------------------------------------------------------------------------------------- settings
toml_values = st.recursive(
    st.one_of(
        st.booleans().map(lambda value: str(value).lower()),
        st.integers(-(10**25), 10**25).map(str),
        st.floats().map(lambda value: repr(value)),
        st.sampled_from(["''", "'a'", "'quick'", "1979-05-27", "[]", "'0.5'", "''''"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
        | inner.map(lambda part: f"{{a = {part}}}")
    ),
    max_leaves=5,
)
SETTINGS = st.sampled_from([*Settings.__dataclass_fields__, "no_such"])


@SEVERAL
@given(lines=st.dictionaries(SETTINGS, toml_values, min_size=1, max_size=3), table=st.booleans())
def test_any_settings_file(tmp_path: Path, lines: dict[str, str], table: bool) -> None:
    path = tmp_path / "s.toml"
    text = "".join(f"{name} = {value}\n" for name, value in lines.items())
    path.write_text(("[dedupindex]\n" if table else "") + text)
    refused_or_read(lambda: Settings.load(path, environment={}), path, SettingsError)


@pytest.mark.parametrize(
    "data",
    [
        b"threshold = " + b"[" * 200_000,
        b"threshold = " + b"{a=" * 200_000,
        b"a." * 200_000 + b"a = 1",
        b"\xff\xfe",
        b"threshold =",
        b"max_pixels = " + b"9" * 10_000,
        b"max_pixels = inf",
        b"trim_borders = [1]",
        b"dedupindex = 5",
    ],
)
def test_settings_files_that_mean_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "s.toml").write_bytes(data)
    with pytest.raises(SettingsError) as caught:
        Settings.load(tmp_path / "s.toml", environment={})
    assert not NO_WORDS.search(str(caught.value))


# ------------------------------------------------------------------------------------------------------------ lists
cells = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([b"~nobodyxyz/x.jpg", b"~", b"a\0b", b"\xff.jpg", b"x" * 5000, b"x" * 140_000, b"s3://b//k"]),
)


@SEVERAL
@given(before=st.lists(cells, max_size=3))
def test_any_list(tmp_path: Path, before: list[bytes]) -> None:
    """No cell costs more than its own row: those after it are there. (A quote that is never closed takes all.)"""
    before = [cell.replace(b'"', b"").replace(b"\n", b"").replace(b"\r", b"") for cell in before]
    for name in ("l.csv", "l.txt"):
        path = tmp_path / name
        head = b"url\n" if name == "l.csv" else b""
        path.write_bytes(head + b"".join(cell + b"\n" for cell in before) + b"good.jpg\n")
        rows = list(read_list(SourceList(path)))
        assert all(isinstance(row, Row | Failure) for row in rows)
        assert isinstance(rows[-1], Row)
        assert rows[-1].place == tmp_path / "good.jpg"


# ----------------------------------------------------------------------------------------------------------- tokens
@SEVERAL
@given(data=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace")))
def test_any_token_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(data)
    refused_or_read(lambda: Tokens.load(path), path, SettingsError)
