"""Checks docstrings and names: documented parameters, no section about what is gone, no vague variable names."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import dedupindex

PACKAGE = Path(__file__).parent.parent / "dedupindex"
MODULES = sorted(PACKAGE.rglob("*.py"))
MANY = 3  # arguments of a public function from which on they are documented
VAGUE = {"found", "some"}  # as names of variables: they do not say what is held
ROUTES = {"get", "post", "put", "patch", "delete", "head", "websocket"}


class Function(NamedTuple):
    """A public function of a module, or a public method of a public class."""

    node: ast.FunctionDef | ast.AsyncFunctionDef
    arguments: list[str]  # without self and cls


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def arguments_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    given = node.args
    several = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [
        one for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *several] if one.arg not in ("self", "cls")
    ]


def functions(tree: ast.Module) -> Iterator[Function]:
    for place in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name[0] != "_")]:
        for node in place.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
                yield Function(node, [one.arg for one in arguments_of(node)])


def is_verb(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether typer reads the arguments: the help of the options is the documentation then."""
    words = [ast.unparse(one.annotation) for one in arguments_of(node) if one.annotation is not None]
    return any(word.startswith("Annotated[") or word.endswith("Option") for word in words)


def is_route(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether FastAPI calls it: the schema is the documentation then."""
    calls = [one.func for one in node.decorator_list if isinstance(one, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr in ROUTES for call in calls)


def undocumented(tree: ast.Module, room: str = "") -> list[str]:
    """Public functions with many arguments whose docstring has no section about them."""
    return [
        function.node.name
        for function in functions(tree)
        if len(function.arguments) >= MANY
        and "Parameters\n----------" not in (ast.get_docstring(function.node) or "")
        and not (room == "cli" and is_verb(function.node))
        and not (room == "web" and is_route(function.node))
    ]


def named_in(docstring: str, section: str) -> set[str]:
    """The names that a numpydoc section describes."""
    lines = inspect.cleandoc(docstring).splitlines()
    if section not in lines:
        return set()
    described: set[str] = set()
    for line, below in zip(lines[lines.index(section) + 2 :], [*lines[lines.index(section) + 3 :], ""], strict=False):
        if re.fullmatch("-{3,}", below):
            break
        if line and not line.startswith(" "):
            described.update(name.strip(" *") for name in line.partition(" : ")[0].split(","))
    return described


def outgrown(tree: ast.Module) -> list[str]:
    """Names that a docstring describes and the code does not have, as ``function: name``."""
    wrong = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            own = {one.arg for one in arguments_of(node)}
            described = named_in(ast.get_docstring(node) or "", "Parameters")
        elif isinstance(node, ast.ClassDef):
            made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
            own = {one.arg for method in made for one in arguments_of(method)}
            own |= {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}
            own |= {one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute)}
            own |= {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
            text = ast.get_docstring(node) or ""
            described = named_in(text, "Parameters") | named_in(text, "Attributes")
        else:
            continue
        wrong += [f"{node.name}: {name}" for name in sorted(described - own)]
    return wrong


def vague(tree: ast.Module) -> list[int]:
    """Lines on which a variable or an argument has a vague name; fields of a class are none."""
    fields = {
        id(one.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for one in node.body
        if isinstance(one, ast.AnnAssign)
    }
    variables = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Name)
        and node.id in VAGUE
        and isinstance(node.ctx, ast.Store)
        and id(node) not in fields
    ]
    return variables + [node.lineno for node in ast.walk(tree) if isinstance(node, ast.arg) and node.arg in VAGUE]


def faults(rule: Callable[[ast.Module, str], list[str] | list[int]]) -> dict[str, list[str] | list[int]]:
    """What a rule finds in each module, without those in which it finds nothing."""
    seen = {str(path.relative_to(PACKAGE)): rule(tree_of(path), room_of(path)) for path in MODULES}
    return {name: wrong for name, wrong in seen.items() if wrong}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_many_arguments_are_documented():
    assert faults(undocumented) == {}


def test_docstrings_describe_what_is_there():
    assert faults(lambda tree, _: outgrown(tree)) == {}


def test_names_say_what_is_held():
    assert faults(lambda tree, _: vague(tree)) == {}


def test_the_modules_are_those_of_the_package():
    assert Path(dedupindex.__file__).parent == PACKAGE
    assert {"search", "verify", "cli", "web"} <= {room_of(path) for path in MODULES}


SAMPLE = '''
def told(a, b, *, c):
    """Words.

    Parameters
    ----------
    a, b : int
    c : float
        Of these.

    Returns
    -------
    x : int
    """
    found = a
    return [some for some in (found, b, c)]

def untold(a, b, c):
    """Words."""

def few(a, b):
    """Words."""

def _hidden(a, b, c):
    """Words."""

class Thing:
    """Words.

    Attributes
    ----------
    found : int
    gone : int
    """

    found: int

    def method(self, a, b, c, some):
        """Words.

        Parameters
        ----------
        a, d : int
        """

class _Hidden:
    def method(self, a, b, c):
        """Words."""

def verb(session, a: Annotated[str, 1], b: JsonOption):
    """Words."""

@router.get("/")
def route(request, a, b):
    """Words."""
'''


def test_the_rules_see_what_they_are_for():
    tree = ast.parse(SAMPLE)
    assert undocumented(tree) == ["untold", "verb", "route"]
    assert undocumented(tree, "cli") == ["untold", "route"]
    assert undocumented(tree, "web") == ["untold", "verb"]
    assert outgrown(tree) == ["Thing: gone", "method: d"]
    assert sorted(SAMPLE.splitlines()[line - 1].split()[0] for line in vague(tree)) == ["def", "found", "return"]
