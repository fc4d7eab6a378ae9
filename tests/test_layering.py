"""Draws the house and enforces it: imports only point to rooms that stand earlier, and nowhere in a circle.

```
places  system  errors  durable  fields  fitted  lazy  threads  settings  records  versions
sources -> prepare -> features -> compare -> verify          pure numerics: no SQL, no FAISS
store   vectors                                              the only SQLAlchemy; the only FAISS
execution -> groups -> curation -> ingest -> actions -> search -> engines -> evaluation, moderation -> upkeep
reports -> index -> web -> cli                               web is loaded by the verb `serve` alone
```

reports/ know records and errors; web/ and cli/ know besides only the facade: `dedupindex.index`, `dedupindex`.
"""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import dedupindex

PACKAGE = Path(__file__).parent.parent / "dedupindex"
ORDER = [
    {"places", "system"},
    {"errors", "durable", "fields", "fitted", "lazy", "threads"},
    {"records", "settings"},
    {"versions"},
    {"sources"},
    {"prepare"},
    {"features"},
    {"compare"},
    {"verify"},
    {"store", "vectors"},
    {"execution"},
    {"groups"},
    {"curation"},
    {"ingest"},
    {"actions"},
    {"search"},
    {"engines"},
    {"evaluation", "moderation"},
    {"upkeep"},
    {"reports"},
    {"index"},
    {"web"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
ONLY = {
    "fcntl": "system",
    "resource": "system",
    "sqlalchemy": "store",
    "alembic": "store",
    "faiss": "vectors",
    "sqlite3": "store",
}
ONLY |= dict.fromkeys(("fastapi", "starlette", "pydantic", "uvicorn"), "web")
ONLY["ray"] = "engines"
# The facade is enough: what these may import, besides themselves. "__init__" is `from dedupindex import NAME`.
GROUND = {"places", "errors", "durable", "settings", "system"}
MAY_IMPORT = {
    "reports": {"records", "errors", "fields", "places"},
    "web": {"__init__", "index", "records", "reports", *GROUND},
    "cli": {"__init__", "index", "records", "reports", "web", *GROUND},
}
FACES = ("dedupindex.web.page", "dedupindex.web.service")  # of web/shared; neither imports the other
MOST_LINES = 500
MOST_MODULES = 24  # a folder; cli/ has one file a verb and may have more
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted({path.relative_to(PACKAGE).parts[0] for path in MODULES})


def modules_of(room: str) -> list[Path]:
    """Files of a room, or the one file that a room of its own is."""
    return [path for path in MODULES if path.relative_to(PACKAGE).parts[0] == room]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> frozenset[str]:
    """Modules that a file imports: a name that is imported from a package counts as its module where it is one."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in NAMES else node.module or "")
    return frozenset(found)


def check_imports(path: Path) -> None:
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in imports(path):
        top = module.partition(".")[0]
        if top in ONLY:
            assert own == ONLY[top], f"{own} imports {top}, which only {ONLY[top]} may"
        if top != "dedupindex" or own == "__init__":
            continue
        room = room_of(module)
        if room in {"__init__", own}:
            continue
        assert room in LEVEL, f"{path} imports {module}, which stands in no room"
        assert room != "web" or path == PACKAGE / "cli" / "serve.py", f"{path} imports {module}"
        assert own in LEVEL, f"{own} stands in no room"
        assert LEVEL[room] < LEVEL[own], f"{own} must not import {module}"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_upwards(room):
    for path in modules_of(room):
        check_imports(path)


def check_facade(path: Path) -> None:
    own = room_of(name_of(path))
    rooms = {room_of(module) for module in imports(path) if module.partition(".")[0] == "dedupindex"} - {own}
    if own in MAY_IMPORT:
        assert rooms <= MAY_IMPORT[own], f"{path} imports from {sorted(rooms - MAY_IMPORT[own])}"
    else:  # public names are for those above the facade; the version is everybody's
        nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in nodes if node.module == "dedupindex" for alias in node.names}
        assert names & {*dedupindex.__all__} <= {"__version__"}, f"{path} imports public names"
    for face, other in (FACES, FACES[::-1]):
        if name_of(path).startswith(face):
            assert not [module for module in imports(path) if module.startswith(other)]


@pytest.mark.parametrize("room", ROOMS)
def test_the_facade_is_enough(room):
    for path in modules_of(room):
        check_facade(path)


def test_every_public_name_is_written_once():
    assert len(dedupindex.__all__) == len(set(dedupindex.__all__))
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    written = [alias.asname for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [*written, "__version__"] == dedupindex.__all__


def circle_in(edges: dict[str, set[str]]) -> list[str]:
    """Names along a circle of imports; none where there is no circle."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_circles_anywhere():
    edges = {name: {other for other in imports(path) if other in NAMES} for name, path in NAMES.items()}
    edges.pop("dedupindex")  # its names are loaded when they are first used
    for others in edges.values():
        others.discard("dedupindex")
    assert circle_in(edges) == []
    edges["dedupindex.places"] = {"dedupindex.index"}
    assert "dedupindex.index" in circle_in(edges)  # the test can fail


def test_no_module_is_too_long():
    lines = {str(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}


def test_no_folder_is_too_full():
    folders = {path.parent for path in MODULES} - {PACKAGE / "cli"}
    counts = {folder.name: sum(path.name != "__init__.py" for path in folder.glob("*.py")) for folder in folders}
    assert {name: count for name, count in counts.items() if count > MOST_MODULES} == {}


def test_tests_stand_in_the_rooms_that_they_test():
    here = Path(__file__).parent
    others = {"benchmarks", "reliability", "tools"}
    for folder in {path.parent.relative_to(here) for path in here.rglob("test_*.py")}:
        assert (PACKAGE / folder).is_dir() or folder.parts[0] in others, f"tests/{folder} mirrors no room"


def test_public_names_exist_and_nothing_heavy_is_loaded_for_them():
    import subprocess
    import sys

    code = "import sys, dedupindex; print([m for m in ('numpy', 'cv2', 'faiss', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in dedupindex.__all__:
        assert getattr(dedupindex, name) is not None
    with pytest.raises(AttributeError):
        _ = dedupindex.nothing
