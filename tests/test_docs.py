"""README and manual say what there is, and only that; what they show is run."""

import dataclasses
import filecmp
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dedupindex.reports.exchange.csvfile import COLUMNS
from dedupindex.reports.jsonfile import SCHEMA_VERSION
from dedupindex.settings import KEEP_RULES, OTHER_KEEP_RULES, Settings

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
MANUAL = ROOT / "docs" / "pages"
PAGES = [README, *sorted(MANUAL.rglob("*.md"))]
SCRIPT = Path(sys.executable).parent / "dedupindex"
LONGEST_README = 150  # lines
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
COMMENT = re.compile(r"<!-- ([^>]+) -->\n\s*\Z")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
OTHER_PROGRAMS = ("pip", "pipx", "docker", "systemctl", "mkdocs", "pytest", "python", "ruff", "mypy", "curl")
MODULE = re.compile(r"`((?:dedupindex|tests|migrations|docs)/[\w./-]+)`")
COMMANDS = [page for page in PAGES if "```sh" in page.read_text("utf-8")]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code with the comment before it."""

    page: Path
    language: str
    text: str
    comment: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in FENCE.finditer(text):
        comment = COMMENT.search(text[: match.start()])
        found.append(Block(page, match["language"], match["text"], comment[1] if comment else ""))
    return found


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", page.read_text("utf-8"))


@pytest.fixture(scope="module")
def hooks():
    spec = importlib.util.spec_from_file_location("manual_hooks", ROOT / "docs" / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def options(hooks):
    """Options by verb."""
    found = {}
    for name, command, context in hooks.verbs():
        flags = [[*parameter.opts, *parameter.secondary_opts] for parameter in command.get_params(context)]
        found[name] = {flag for names in flags for flag in names if flag.startswith("-")}
    return found


@pytest.fixture(scope="module")
def command_after():
    path = ROOT / ".ci" / "readme_line.py"
    if not path.is_file():
        pytest.skip("no repository")
    spec = importlib.util.spec_from_file_location("readme_line", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.command_after


# The two marked lines


def test_both_lines_are_one_liners(command_after):
    for marker in ("run", "test"):
        line = command_after(README.read_text("utf-8"), marker)
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    assert " .venv/bin/pytest" in command_after(README.read_text("utf-8"), "test")
    assert " scan " in command_after(README.read_text("utf-8"), "run")


def test_a_missing_or_doubled_line_is_noticed(command_after):
    for text in ("", "<!-- run -->\n```sh\na\nb\n```\n", 2 * "<!-- run -->\n```sh\na\n```\n"):
        with pytest.raises(SystemExit):
            command_after(text, "run")
    assert command_after("<!-- run -->\n```sh\na && b\n```\n", "run") == "a && b"


def test_the_readme_is_short():
    assert len(README.read_text("utf-8").splitlines()) <= LONGEST_README


# What is named exists


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_says_whether_it_is_run(page):
    for block in blocks(page):
        if block.language in ("sh", "python"):
            assert re.fullmatch(r"runs( with \w+)?|not run: .+|run|test", block.comment), f"{page}: {block.text}"
            assert block.comment not in ("run", "test") or page == README
        elif block.language == "text":
            assert block.comment in ("", "prints")
        else:
            assert block.language in ("ini", "toml", "yaml"), f"{page}: a block of {block.language or 'nothing'}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_options_and_verbs_exist(page, options):
    every = set().union(*options.values())
    for line in prose(page).splitlines():
        for span in re.findall(r"`([^`]+)`", line):
            words = span.split()
            if not words or words[0].rpartition("/")[2] in OTHER_PROGRAMS:
                continue
            chosen = options.get(words[0], every) if len(words) > 1 else every
            unknown = set(OPTION.findall(span)) - chosen - {"--version", "--install-completion", "--show-completion"}
            assert not unknown, f"{page}: `{span}`: {', '.join(sorted(unknown))}"
    for block in blocks(page):
        for command in commands(block) if block.language == "sh" else ():
            verb = verb_of(command, options)
            unknown = {word.partition("=")[0] for word in command if OPTION.match(word)} - options[verb]
            assert not unknown, f"{page}: {command}"


def commands(block: Block) -> list[list[str]]:
    """Every command of ours in a block, as words; what stands around it is left out."""
    found = []
    for line in block.text.splitlines():
        words: list[str] = []
        for word in [*shlex.split(line, comments=True), "&&"]:
            if word not in ("&&", "|", ">", ">>"):
                words.append(word)
                continue
            if words and words[0].rpartition("/")[2] == "dedupindex" and "--version" not in words:
                found.append(words)
            words = []
    return found


def verb_of(command: list[str], options) -> str:
    rest = command[1:]
    while rest and rest[0].startswith("-"):
        rest = rest[2:] if rest[0] in ("-d", "--database", "--config") else rest[1:]
    assert rest, command
    assert rest[0] in options, command
    return rest[0]


def test_every_verb_is_used_somewhere_and_documented(hooks, options):
    text = hooks.GENERATED["commands"]()
    shown = {
        verb_of(command, options)
        for page in PAGES
        for b in blocks(page)
        if b.language == "sh"
        for command in commands(b)
    }
    named = {word for page in PAGES for word in re.findall(r"`([a-z]+)[^`]*`", prose(page))}
    for verb, flags in options.items():
        assert f"\n## {verb}\n" in f"\n{text}\n"
        assert verb in shown | named, f"no page says what `{verb}` is for"
        section = f"\n{text}\n## ".partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
        for flag in flags - {"-d", "--database", "--config", "-q", "--quiet", "-v", "--verbose", "-h", "--help"}:
            assert re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", section) or flag.startswith("--no-"), flag


def test_every_generated_part_has_its_place(hooks, rendered):
    asked = [name for page in PAGES for name in hooks.MARKER.findall(page.read_text("utf-8"))]
    assert set(asked) == set(hooks.GENERATED)
    assert not any(hooks.MARKER.search(rendered(page)) for page in PAGES)


def test_every_setting_and_relation_is_generated(hooks):
    from dedupindex.records import Relation

    settings = hooks.GENERATED["shaping-settings"]() + hooks.GENERATED["other-settings"]()
    for described in dataclasses.fields(Settings):
        assert f"| `{described.name}` |" in settings
    for relation in Relation:
        assert f"| `{relation}` |" in hooks.GENERATED["relations"]()


def test_every_public_name_is_generated(hooks):
    import dedupindex

    text = hooks.GENERATED["python"]()
    for name in dedupindex.__all__:
        assert f"::: dedupindex.{name}" in text.splitlines() or name == "__version__"


def test_every_column_keep_rule_and_extra_is_documented():
    table = prose(MANUAL / "reference" / "csv.md")
    for column in COLUMNS:
        assert f"`{column}`" in table
    assert f"({SCHEMA_VERSION})" in prose(MANUAL / "reference" / "json.md")
    rules = prose(MANUAL / "guides" / "review-and-act.md")
    for rule in (*KEEP_RULES, *OTHER_KEEP_RULES):
        assert f"`{rule}`" in rules
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for extra in extras:
        assert f"`{extra}`" in prose(MANUAL / "start" / "install.md")


def slug(heading: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "")).strip().lower())


@pytest.fixture(scope="module")
def rendered(hooks):
    """Text of a page with its generated parts."""
    return cache(lambda page: hooks.on_page_markdown(prose(page)))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page, rendered):
    text = rendered(page)
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{page}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", rendered(other), re.MULTILINE)
            assert anchor in {slug(heading) for heading in headings}, f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_exist(page):
    for name in MODULE.findall(prose(page)):
        assert (ROOT / name).exists(), f"{page}: {name}"


def test_the_navigation_names_every_page():
    yaml = pytest.importorskip("yaml", reason="needs PyYAML")
    nav = yaml.safe_load((ROOT / "docs" / "mkdocs.yml").read_text("utf-8"))["nav"]
    listed = [
        page if isinstance(page, str) else next(iter(page.values()))
        for part in nav
        for page in next(iter(part.values()))
    ]
    assert sorted(listed) == sorted(page.relative_to(MANUAL).as_posix() for page in PAGES[1:])


# What is shown is run


class Shell:
    """Runs lines of the manual in a folder, without the second that each start of the command takes."""

    def __init__(self, server: subprocess.Popen, folder: Path) -> None:
        self._server, self._folder = server, folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUPINDEX_")}
        self.environment |= {"HOME": str(folder), "DEDUPINDEX_WORKERS": "1", "COLUMNS": "120"}
        self.environment["PATH"] = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"

    def run(self, command: list[str]) -> str:
        """Run a command of ours; what it printed."""
        words = [str(self._folder) + word[1:] if word.startswith("~/") else word for word in command]
        files = {name: str(self._folder / f".{name}") for name in ("out", "err")}
        order = {"argv": [str(SCRIPT), *words[1:]], "cwd": str(self._folder), "env": self.environment} | files
        self._server.stdin.write(json.dumps(order) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        said, complained = (Path(name).read_text("utf-8") for name in files.values())
        expected = (0, 3) if {"--exit-code", "leaks"}.intersection(words) else (0,)
        assert code in expected, f"{' '.join(command)}: {code}\n{said}\n{complained}"
        return said


@pytest.fixture(scope="module")
def filled(warm_server, tmp_path_factory):
    """The folder in which the manual's examples run: home and working folder in one, with a database of `Pictures`."""
    folder = tmp_path_factory.mktemp("manual") / "home"
    folder.mkdir()
    shell = Shell(warm_server, folder)
    shell.run(["dedupindex", "demo", "Pictures"])
    for name, chosen in {
        "card": ("coast bright.jpg", "hills.png", "dunes.jpg"),
        "training": ("hills.png", "coast.jpg", "town.png"),
        "test": ("hills small.jpg", "dunes.jpg"),
    }.items():
        (folder / name).mkdir()
        for file in chosen:
            shutil.copy(folder / "Pictures" / file, folder / name / file)
    (folder / "Pictures" / "originals").mkdir()
    shutil.copy(folder / "Pictures" / "town captioned.jpg", folder / "new.jpg")
    rules = [
        block.text for page in PAGES for block in blocks(page) if block.language == "toml" and "[[rule]]" in block.text
    ]
    (folder / "rules.toml").write_text(rules[0])
    with Image.open(folder / "Pictures" / "town.png") as town:
        town.resize((160, 105)).save(folder / "a.jpg")
        town.crop((200, 100, 520, 310)).resize((160, 105)).save(folder / "b.jpg")
    (folder / "pictures.csv").write_text("path,sku\nPictures/hills.png,A-1\nPictures/coast.jpg,A-2\n")
    random = np.random.default_rng(5)
    scene = np.cumsum(np.cumsum(random.normal(size=(96, 96)), 0), 1)
    scene = (1 + 60_000 * (scene - scene.min()) / np.ptp(scene)).astype(np.uint16)
    stack = np.stack([scene[top : top + 64, left : left + 64] for top, left in ((0, 0), (4, 7), (20, 3), (12, 25))])
    stack[0, :5] = 0
    np.save(folder / "stack.npy", stack)
    shell.run(["dedupindex", "-d", "photos.db", "scan", "~/Pictures", "card"])
    shutil.copytree(folder, folder.with_name("saved"))
    return folder, folder.with_name("saved")


@pytest.fixture
def shell(filled, warm_server):
    """That folder as it was at first, so that no page depends on another one; always at the same place."""
    folder, saved = filled
    restore(folder, saved)
    return Shell(warm_server, folder), folder


def restore(folder: Path, saved: Path) -> None:
    """Bring a folder back to what was saved; files that are the same stay, so that the database still knows them."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if not (saved / path.relative_to(folder)).exists():
            path.rmdir() if path.is_dir() else path.unlink()
    for path in sorted(saved.rglob("*")):
        own = folder / path.relative_to(saved)
        if path.is_dir():
            own.mkdir(exist_ok=True)
        elif not own.exists() or not filecmp.cmp(path, own, shallow=False):
            shutil.copy2(path, own)


def runnable(page: Path) -> bool:
    return any(block.comment.startswith("runs") for block in blocks(page))


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=name_of)
def test_what_a_page_shows_runs(page, shell, monkeypatch, capsys):
    run, folder = shell
    for block in blocks(page):
        if block.comment.startswith("runs with "):  # a package that the extra `test` does not bring
            pytest.importorskip(block.comment.removeprefix("runs with "))
    monkeypatch.chdir(folder)
    for name in ("DEDUPINDEX_WORKERS", "HOME", "PATH"):
        monkeypatch.setenv(name, run.environment[name])
    printed, names = "", {}
    for block in blocks(page):
        if block.comment == "prints":
            for line in block.text.splitlines():
                assert line == "..." or line in printed.splitlines(), f"{line}\nis not in\n{printed}"
        if not block.comment.startswith("runs"):
            continue
        if block.language == "python":
            exec(compile(block.text, name_of(page), "exec"), names)
            printed = capsys.readouterr().out
            assert printed.strip(), f"{page}: an example that shows nothing: {block.text}"
        else:
            lines = [line for line in block.text.splitlines() if line and not line.startswith("#")]
            assert len(commands(block)) == len(lines), f"{page}: lines that are run are commands of ours: {block.text}"
            printed = "".join(run.run(command) for command in commands(block))


def test_a_command_that_fails_is_noticed(shell):
    run, _ = shell
    with pytest.raises(AssertionError, match="nowhere"):
        run.run(["dedupindex", "query", "nowhere.jpg"])
