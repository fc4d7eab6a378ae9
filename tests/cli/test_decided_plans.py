"""Decisions, names for relations, a part of the collection, and rules: what a plan makes of them, end to end."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.actions.heaps import snapshot
from tests.pictures import half, picture, save


def large(number):
    """Of a small picture too little is compared for a proof that a plan takes."""
    return picture(number, 360, 480)


def planned(folder, name="p.json"):
    items = json.loads((folder / name).read_text())["items"]
    return {
        str(Path(item["file"]["path"]).relative_to(folder)): str(Path(item["keeper"]["path"]).relative_to(folder))
        for item in items
    }


@pytest.fixture
def pictures(run, tmp_path):
    """Two pictures, each with a half and with another copy of the half; one group more that nobody looks at."""
    for number, name in enumerate("ab", 1):
        save(tmp_path / "pics" / f"{name}.png", large(number))
        save(tmp_path / "pics" / f"{name} half.jpg", half(large(number)), quality=90)
        shutil.copy2(tmp_path / "pics" / f"{name} half.jpg", tmp_path / "pics" / f"{name} half again.jpg")
    for number, path in enumerate(sorted((tmp_path / "pics").iterdir())):
        os.utime(path, ns=(0, 1_600_000_000_000_000_000 + number * 10**9))
    run("ingest", "pics", cwd=tmp_path, code=0)
    return tmp_path


def test_a_decision_for_a_keeper_is_enough(run, pictures):
    run("plan", "-o", "p.json", cwd=pictures, code=0)
    exact = {f"pics/{name} half.jpg": f"pics/{name} half again.jpg" for name in "ab"}
    assert planned(pictures) == exact
    run("decide", "keeper", "pics/a half.jpg", cwd=pictures, code=0)  # not the one that the rules would keep
    done = run("plan", "-o", "p.json", cwd=pictures, code=0)
    assert planned(pictures) == exact | {"pics/a.png": "pics/a half again.jpg"}
    assert "kept by decided: somebody decided to keep that one" in done.stdout
    env = {"XDG_DATA_HOME": str(pictures / "data")}
    before = snapshot(pictures / "pics")
    run("apply", "p.json", "--yes", "--journal", "p.j", cwd=pictures, env=env, code=0)
    assert sorted(snapshot(pictures / "pics")) == ["a half again.jpg", "b half again.jpg", "b.png"]
    run("undo", "p.j", cwd=pictures, env=env, code=0)
    assert snapshot(pictures / "pics") == before


def test_only_what_was_decided(run, pictures):
    run("plan", "--decided", "-o", "p.json", cwd=pictures, code=0)
    assert planned(pictures) == {}
    run("decide", "keeper", "pics/b.png", cwd=pictures, code=0)
    run("plan", "--decided", "-o", "p.json", cwd=pictures, code=0)
    assert planned(pictures) == {"pics/b half.jpg": "pics/b.png", "pics/b half again.jpg": "pics/b.png"}


def test_copy_names_all_proven_copies_and_same_bytes_stays_in(run, pictures):
    every = {f"pics/{name} half{again}.jpg": f"pics/{name}.png" for name in "ab" for again in ("", " again")}
    run("plan", "--relation", "copy", "-o", "p.json", cwd=pictures, code=0)
    assert planned(pictures) == every
    run("plan", "--relation", "reencoded", "-o", "p.json", cwd=pictures, code=0)
    assert set(planned(pictures)) == {"pics/a half.jpg", "pics/b half.jpg"}
    run("plan", "--relation", "reencoded", "--no-same-bytes", "-o", "p.json", cwd=pictures, code=0)
    assert planned(pictures) == {}
    run("plan", "--relation", "copy", "--action", "delete", "-o", "p.json", cwd=pictures, code=2)


@pytest.fixture
def card(run, tmp_path):
    """A card with a picture that the archive has, and with one twice that it has not (case 08)."""
    save(tmp_path / "archive" / "1.png", large(1))
    (tmp_path / "card" / "sub").mkdir(parents=True)
    shutil.copy2(tmp_path / "archive" / "1.png", tmp_path / "card" / "1.png")
    save(tmp_path / "card" / "new.png", large(2))
    shutil.copy2(tmp_path / "card" / "new.png", tmp_path / "card" / "sub" / "new.png")
    run("scan", "archive", "card", cwd=tmp_path, code=0)
    return tmp_path


def test_take_from_the_card_what_the_archive_has(run, card):
    options = (
        ["--path", "card", "--across", "card", "archive"],
        ["--across", "card", "archive", "--protect", "archive"],
    )
    for scope in options:
        run("plan", *scope, "-o", "p.json", cwd=card, code=0)
        assert planned(card) == {"card/1.png": "archive/1.png"}
    run("plan", "--path", "card", "-o", "p.json", cwd=card, code=0)
    assert planned(card) == {"card/1.png": "archive/1.png", "card/sub/new.png": "card/new.png"}
    run("plan", "--path", "archive", "-o", "p.json", cwd=card, code=0)
    assert planned(card) == {"archive/1.png": "card/1.png"}


def rules(folder, text):
    (folder / "rules.toml").write_text(text.replace("~", str(folder)))
    return "rules.toml"


RULE = '[[rule]]\nname = "card"\nin = "~/card"\nkept_in = "~/archive"\nrelations = ["copy"]\n'


def test_rules_are_previewed(run, card):
    save(card / "card" / "half.jpg", half(large(1)), quality=90)
    run("ingest", "card", cwd=card, code=0)
    before = snapshot(card / "card")
    done = run("plan", "--rules", rules(card, RULE), "-o", "p.json", cwd=card, code=0)
    assert planned(card) == {"card/1.png": "archive/1.png", "card/half.jpg": "archive/1.png"}
    assert "that one has to stay (rule card)" in done.stdout
    assert snapshot(card / "card") == before
    run("decide", "keep-both", "card/half.jpg", "archive/1.png", cwd=card, code=0)
    run("plan", "--rules", "rules.toml", "-o", "p.json", cwd=card, code=0)
    assert planned(card) == {"card/1.png": "archive/1.png"}


def test_a_decided_keeper_asks_no_rule_for_more(run, card):
    save(card / "card" / "half.jpg", half(large(1)), quality=90)
    run("ingest", "card", cwd=card, code=0)
    run("decide", "keeper", "archive/1.png", cwd=card, code=0)
    text = RULE.replace('relations = ["copy"]\n', "")
    run("plan", "--rules", rules(card, text), "-o", "p.json", cwd=card, code=0)
    assert planned(card) == {"card/1.png": "archive/1.png"}


@pytest.mark.parametrize(
    ("folders", "gone"),
    [
        (('"~/card"', '"~/card/sub"'), {"card/new.png": "card/sub/new.png"}),
        (('"~/card/sub"', '"~/card"'), {"card/sub/new.png": "card/new.png"}),
        (('["~/archive", "~/card"]', '["~/card/sub"]'), {"card/new.png": "card/sub/new.png"}),
    ],
)
def test_folders_that_lie_in_one_another(run, card, folders, gone):
    text = f"[[rule]]\nin = {folders[0]}\nkept_in = {folders[1]}\n"
    run("plan", "--rules", rules(card, text), "-o", "p.json", cwd=card, code=0)
    assert planned(card) == gone


def test_rules_that_move_give_each_file_its_own_place(run, card):
    text = f'action = "move"\nto = "~/out"\n{RULE}[[rule]]\nin = "~/card/sub"\nkept_in = "~/card"\n'
    run("plan", "--rules", rules(card, text), "-o", "p.json", cwd=card, code=0)
    targets = [item["target"]["path"] for item in json.loads((card / "p.json").read_text())["items"]]
    assert targets == [str(card / "out" / "1.png"), str(card / "out" / "sub" / "new.png")]


def test_a_rule_for_a_folder_that_is_not_there_is_told(run, card):
    text = RULE + '[[rule]]\nin = "~/phone"\nkept_in = "~/archive"\n'
    done = run("plan", "--rules", rules(card, text), "-o", "p.json", cwd=card, code=1)
    assert f"rule 2: the index knows no picture at or below {card / 'phone'}" in done.stderr
    assert planned(card) == {"card/1.png": "archive/1.png"}


def test_rules_go_with_no_other_choice(run, card):
    line = ["plan", "--rules", rules(card, RULE), "-o", "p.json"]
    for more in (["--path", "card"], ["--relation", "tone"], ["--no-same-bytes"], ["--decided"], ["--action", "trash"],
                 ["--units", "apart"], ["--may-lack", "edits"]):  # fmt: skip
        assert "does not go with --rules" in run(*line, *more, cwd=card, code=2).stderr
    assert not (card / "p.json").exists()
    rules(card, RULE.replace("kept_in", "keep_in"))
    assert "did you mean kept_in?" in run(*line, cwd=card, code=2).stderr


def test_watch_says_what_rules_would_take_and_takes_it_only_when_told(run, card):
    env = {"XDG_DATA_HOME": str(card / "data")}
    before = snapshot(card / "card")
    line = ["watch", "archive", "card", "--every", "1s", "--runs", "2", "--no-events"]
    assert "--apply-rules goes with --rules" in run(*line, "--apply-rules", cwd=card, code=2).stderr
    line += ["--rules", rules(card, RULE)]
    done = run(*line, cwd=card, env=env, code=0)
    assert done.stderr.count("rules: 1 file to the trash") == 1  # the same is said once
    assert snapshot(card / "card") == before
    done = run(*line, "--apply-rules", cwd=card, env=env, code=0)
    assert done.stderr.count("moved to the trash") == 1
    assert set(before) - set(snapshot(card / "card")) == {"1.png"}
    assert (card / "archive" / "1.png").exists()
    [journal] = card.glob("*.journal")
    assert f"dedupindex undo {journal}" in done.stderr
    run("undo", journal, cwd=card, env=env, code=0)
    assert snapshot(card / "card") == before
