"""Which packages are loaded when: many take longer to import than what is then done with them."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from dedupindex import Index, features, records, sources
from tests.pictures import make_tree

COMMAND_LINE = {"typer", "click", "annotated_doc", "colorama", "shellingham"}
VALUES = {
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
}  # of newer typers
DATABASE = {"sqlalchemy", "greenlet", "cython_runtime"}
FOR_HELP = {"cli", "errors", "places", "reports", "settings"}
FOR_A_REPORT = FOR_HELP | {
    "durable", "execution", "fields", "groups", "index", "lazy", "records", "search", "sources", "store", "system",
    "threads", "upkeep", "versions",
}  # fmt: skip
LIGHT = {  # of the rooms that decode, compute or start processes
    "execution": {"progress", "template", "worker"},
    "search": {"due", "embedding", "embedding.spec"},
    "sources": {"content_ids", "files", "readers", "readers.headers", "scope", "sniff"},
}
SLOW = (
    "alembic",
    "faiss",
    "jinja2",
    "matplotlib",
    "pathspec",
    "pyarrow",
    "rich",
    "scipy",
    "sqlalchemy.orm",
    "tifffile",
)


def loaded(code: str, *names: str) -> list[str]:
    """Those of the modules that a fresh interpreter has loaded after *code*."""
    modules = all_loaded(code)
    return [name for name in names if name in modules]


def all_loaded(code: str) -> set[str]:
    """All modules that a fresh interpreter has loaded after *code*."""
    code = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stderr.split()) - {"sitecustomize", "usercustomize"}  # of the machine, not ours
    assert "dedupindex" in modules
    return modules


@pytest.mark.parametrize(
    "module",
    [
        "dedupindex.ingest.describing",
        "dedupindex.search.pair_stages",
        "dedupindex.search.proof_stages",
        "dedupindex.search.upload_work",
        "dedupindex.evaluation.attacked_copies",
    ],
)
def test_workers_load_neither_the_database_nor_the_vector_index(module):
    """These modules hold the functions that run in worker processes; every new process imports them."""
    assert loaded(f"import {module}", *SLOW, "sqlalchemy", "typer", "pydantic") == []


def run(*arguments: str) -> str:
    """Code that runs a command."""
    return f"sys.argv = {['dedupindex', *arguments]}; from dedupindex.cli.main import main; main()"


def packages(modules: set[str]) -> set[str]:
    """Packages that are neither Python's nor ours."""
    tops = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"dedupindex"}
    return {name for name in tops if not name.startswith("_")}


def rooms(modules: set[str]) -> set[str]:
    return {name.split(".")[1] for name in modules if name.startswith("dedupindex.")}


def test_help_loads_the_command_line_alone():
    modules = all_loaded(run("--help"))
    assert packages(modules) <= COMMAND_LINE
    assert rooms(modules) == FOR_HELP


def test_a_verb_loads_no_other_verb():
    assert loaded(run("report", "--help"), "dedupindex.cli.report", "dedupindex.cli.scan") == ["dedupindex.cli.report"]


@pytest.mark.parametrize("verb", ["report", "info"])
def test_what_only_reads_loads_rows_and_groups_alone(tmp_path, verb):
    make_tree(tmp_path / "in", 3)
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
    modules = all_loaded(run("-d", str(tmp_path / "a.db"), verb))
    assert packages(modules) <= COMMAND_LINE | VALUES | DATABASE
    assert "sqlalchemy" in modules
    assert rooms(modules) <= FOR_A_REPORT
    for room, light in LIGHT.items():
        inside = {name.partition(f".{room}.")[2] for name in modules if name.startswith(f"dedupindex.{room}.")}
        assert inside <= light, room


def test_a_report_of_what_is_known_loads_nothing_that_it_does_not_need(tmp_path):
    make_tree(tmp_path / "in", 3)
    with Index.open(tmp_path / "a.db", create=True, workers=1) as index:
        index.ingest([tmp_path / "in"])
        index.find_duplicates()
    code = run("-d", str(tmp_path / "a.db"), "report")
    assert loaded(code, *SLOW, "sqlalchemy.dialects.postgresql", "dedupindex.search.file_proofs") == []
    assert loaded(code.replace("report", "query"), "numpy", "sqlalchemy") == []  # wrong usage: loads nothing
    assert loaded(code, "numpy", "sqlalchemy") == ["sqlalchemy"]  # the list is not empty for want of a report


@pytest.mark.parametrize("package", [features, records, sources])
def test_lazy_names_are_there_and_hide_no_module(package):
    assert package.__all__
    for name in package.__all__:
        assert getattr(package, name) is not None
        assert find_spec(f"{package.__name__}.{name}") is None, "once loaded, the name would mean the module"
    with pytest.raises(AttributeError):
        _ = package.nothing
