"""Draws the house and enforces it: imports only point to rooms that stand earlier.

```
places
errors  durable  fitted  records  settings
sources -> prepare -> features -> compare          pure numerics: no SQL, no FAISS
store   vectors                                    the only SQLAlchemy; the only FAISS; neither knows the other
workflows -> reports -> index -> web -> cli          web is loaded by the verb `serve` alone
```
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dedupindex"
ORDER = [
    {"places"},
    {"errors", "durable", "fitted"},
    {"records", "settings"},
    {"sources"},
    {"prepare"},
    {"features"},
    {"compare"},
    {"store", "vectors"},
    {"workflows"},
    {"reports"},
    {"index"},
    {"web"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
SIDEWAYS = {("settings", "errors"), ("records", "errors")}
ONLY = {"sqlalchemy": "store", "alembic": "store", "faiss": "vectors", "sqlite3": "store"}
ONLY |= dict.fromkeys(("fastapi", "starlette", "pydantic", "uvicorn"), "web")
ONLY["ray"] = "workflows"
DEVELOPER_TOOLS = {"scale"}  # run by hand: fills databases; nothing imports it
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found.update(f"{module}.{alias.name}" if module == "dedupindex" else module for alias in node.names)
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_upwards(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    for module in imports(path):
        top = module.partition(".")[0]
        if top in ONLY:
            assert own == ONLY[top], f"{own} imports {top}, which only {ONLY[top]} may"
        if top != "dedupindex" or own in {"__init__", *DEVELOPER_TOOLS}:
            continue
        room = room_of(module)
        assert room not in DEVELOPER_TOOLS, f"{path} imports {module}"
        if room in {"__init__", "__version__"} or room == own:
            continue
        assert room in LEVEL, f"{path} imports {module}, which stands in no room"
        assert room != "web" or path == PACKAGE / "cli" / "serve.py", f"{path} imports {module}"
        assert own in LEVEL, f"{own} stands in no room"
        earlier = LEVEL[room] < LEVEL[own]
        assert earlier or (own, room) in SIDEWAYS, f"{own} must not import {module}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_is_too_long(path):
    assert len(path.read_text().splitlines()) <= 500


def test_public_names_exist_and_nothing_heavy_is_loaded_for_them():
    import subprocess
    import sys

    code = "import sys, dedupindex; print([m for m in ('numpy', 'cv2', 'faiss', 'sqlalchemy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    import dedupindex

    for name in dedupindex.__all__:
        assert getattr(dedupindex, name) is not None
    with pytest.raises(AttributeError):
        _ = dedupindex.nothing
