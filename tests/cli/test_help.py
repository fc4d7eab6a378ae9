"""Help and completion: whole, in groups, with the choices that there are."""

import shlex
import sys
import types

import pytest
import typer
from typer._completion_shared import get_completion_script

from dedupindex import ATTACKS, Action, CompanionKind, Linking, Relation, Units
from dedupindex.actions.asked_relations import relations_named
from dedupindex.cli import choices
from dedupindex.cli.completion import complete_from_the_first_tab
from dedupindex.cli.examples import EXAMPLES, VERBS
from dedupindex.cli.main import app
from dedupindex.prepare.filter_names import parse_filters
from dedupindex.web.service.tokens import Role

PROGRAM = typer.main.get_command(app)
NAMES = list(PROGRAM.commands)


def context(*arguments):
    return PROGRAM.make_context("dedupindex", [*arguments, "x"], resilient_parsing=True)


def help_of(run, tmp_path, *arguments, width=80):
    return run(*arguments, "--help", cwd=tmp_path, code=0, env={"COLUMNS": str(width)}).stdout


def test_choices_are_those_that_there_are():
    assert tuple(Relation) == choices.RELATIONS
    assert relations_named(["copy"])
    assert set(choices.ACTIONS) == set(Action)
    assert tuple(Units) == choices.UNITS
    assert set(choices.COMPANIONS) == set(CompanionKind)
    assert tuple(Role) == choices.ROLES
    assert tuple(Linking) == choices.LINKINGS
    assert len(parse_filters(choices.FILTERS)) == len(choices.FILTERS)


def test_every_verb_stands_in_one_group_and_has_examples():
    grouped = [name for names in VERBS.values() for name in names if name in NAMES]
    assert sorted(grouped) == sorted(NAMES)
    for name in NAMES:
        assert EXAMPLES.get(name), name
        assert all(shlex.split(line)[1] == name or shlex.split(line)[1] == "-d" for line in EXAMPLES[name])


@pytest.mark.parametrize("line", [line for lines in EXAMPLES.values() for line in lines])
def test_examples_are_understood(line):
    words = shlex.split(line)[1:]
    if words[0] == "-d":
        words = words[2:]
    verb = PROGRAM.commands[words[0]]
    made = verb.make_context(words[0], words[1:], parent=context())
    assert not made.args


@pytest.mark.parametrize("name", ["", *NAMES])
def test_nothing_is_cut_at_80_columns(run, tmp_path, name):
    text = help_of(run, tmp_path, *([name] if name else []))
    lines = text.splitlines()
    own = [line for line in lines if "dedupindex " not in line]  # examples and usage stand as they are
    assert max(map(len, own)) <= 80
    assert not [line for line in own if line.rstrip().endswith("...") and "[" not in line]
    assert "<list" not in text
    assert "\nExamples:\n" in text
    for line in EXAMPLES[name]:
        assert f"\n  {line}\n" in text
    titles = [line.rstrip(":") for line in lines if line.endswith(":") and not line.startswith(" ")]
    if name:
        assert titles[-2:] == ["Every verb", "Examples"]
        first = [title for title in titles if title in ("Options", "Selection") or title.startswith("Settings")]
        assert first == sorted(first, key=lambda title: title.startswith("Settings"))


def test_words_that_an_argument_chooses_from_stand_in_a_table(run, tmp_path):
    text = help_of(run, tmp_path, "decide")
    assert text.startswith("Usage: dedupindex decide [OPTIONS] WHAT [PICTURE]...\n")
    lines = text.splitlines()
    assert f"  {'keeper A ...':26}of its group, this one stays" in lines
    assert f"  {'list':26}print all decisions" in lines


def test_summaries_are_whole_sentences(run, tmp_path):
    text = " ".join(help_of(run, tmp_path).split())
    for name, command in PROGRAM.commands.items():
        sentence = " ".join(command.help.split()).partition(". ")[0].rstrip(".")
        assert f"{name} {sentence}" in text


def complete(run, tmp_path, *words, shell="bash"):
    environment = {"_DEDUPINDEX_COMPLETE": f"complete_{shell}"}
    line = " ".join(["dedupindex", *words])
    if shell == "bash":
        environment |= {"COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    else:
        environment |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    return run(cwd=tmp_path, env=environment, code=0).stdout.split()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("sc",), ["scan"]),
        (("report", "--relation", "re"), ["reencoded", "resized"]),
        (("report", "--format", "f"), ["fdupes"]),
        (("plan", "--action", "h"), ["hardlink"]),
        (("plan", "--relation", "co"), ["copy"]),
        (("scan", "--effort", "t"), ["thorough"]),
        (("report", "--proof", ""), ["full", "off"]),
        (("decide", "keep"), ["keep-both", "keeper", "keep-one"]),
        (("evaluate", "--attack", "crop+bl"), [f"crop+{name}" for name in ATTACKS if name.startswith("bl")]),
        (("split", "--link", "s"), ["symlink"]),
    ],
)
def test_completion_knows_the_choices(script, tmp_path, words, given):
    assert complete(script, tmp_path, *words) == given


def test_what_completion_says_of_a_verb_is_whole(script, tmp_path):
    environment = {"_DEDUPINDEX_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "dedupindex rel"}
    said = script(cwd=tmp_path, env=environment, code=0).stdout
    assert "Rewrite the places below a folder that was renamed, or is mounted elsewhere" in said
    assert "..." not in said


def test_every_shell_has_a_script(script, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        done = script(cwd=tmp_path, env={"_DEDUPINDEX_COMPLETE": f"source_{shell}"}, code=0)
        assert "_DEDUPINDEX_COMPLETE" in done.stdout


def test_zsh_completes_when_it_loads_the_script_that_is_installed():
    """The first TAB of a shell loads it and runs it in place of the function."""
    complete_from_the_first_tab()  # once more changes nothing
    names = {"prog_name": "dedupindex", "complete_var": "_DEDUPINDEX_COMPLETE"}
    written = get_completion_script(**names, shell="zsh")
    assert written.rstrip().endswith('loadautofunc ]]; then\n  _dedupindex_completion "$@"\nfi')
    assert written.count("loadautofunc") == 1
    assert "loadautofunc" not in get_completion_script(**names, shell="bash")


def test_another_typer_without_these_scripts_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "typer._completion_shared", None)  # its import fails
    complete_from_the_first_tab()
    monkeypatch.setitem(sys.modules, "typer._completion_shared", types.ModuleType("typer._completion_shared"))
    complete_from_the_first_tab()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("report", "--relation", "crop"), "did you mean crop_of?"),
        (("plan", "-o", "p.json", "--relation", "copys"), "did you mean copy?"),
        (("plan", "-o", "p.json", "--action", "thrash"), "did you mean trash?"),
        (("scan", ".", "--effort", "normall"), "did you mean normal?"),
        (("decide", "keepr", "a.jpg"), "did you mean keeper?"),
        (("split", ".", "--link", "simlink"), "did you mean symlink?"),
    ],
)
def test_what_may_be_meant_is_said(run, tmp_path, options, words):
    assert words in run(*options, cwd=tmp_path, code=2).stderr


def test_settings_that_may_be_meant_are_said(run, tmp_path):
    (tmp_path / "s.toml").write_text("raduis = 0.5")
    assert "did you mean radius?" in run("scan", ".", "--config", "s.toml", cwd=tmp_path, code=2).stderr
    (tmp_path / "s.toml").write_text('keep_rules = ["more-pixel"]')
    assert "did you mean more-pixels?" in run("scan", ".", "--config", "s.toml", cwd=tmp_path, code=2).stderr


def test_capitals_are_accepted(run, scanned, tmp_path):
    root, _ = scanned
    small = run("-d", "p.db", "report", "--relation", "resized", "--json", "--format", "json", cwd=root)
    large = run(
        "-d", "p.db", "report", "--relation", "RESIZED", "--format", "JSON", "--effort", "Quick", cwd=root, code=0
    )
    assert large.stdout == small.stdout
    assert run("-d", "p.db", "report", "--relation", "Same-Bytes", "--proof", "FULL", cwd=root, code=0)
    (tmp_path / "s.toml").write_text('Effort = "QUICK"\nkeep-rules = ["MORE-PIXELS"]')
    run("-d", root / "p.db", "report", "--config", tmp_path / "s.toml", cwd=root, code=0)
